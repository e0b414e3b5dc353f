// Builds the page as one HTML file: node build.mjs PAGE [HOME RULES]
//
// It runs beside its packages and the folder `program`, which wasm-bindgen wrote. HOME is the address of the link in the heading,
// RULES the folder of the rules' pages; the file of a release has neither, and leads to the repository. Prints the sizes of the
// file and of its parts, and fails above the budget.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** The largest page, compressed as a server sends it. */
const MAX_COMPRESSED = 1_000_000;
const REPOSITORY = 'https://github.com/sqledge-ha/sqledge-ha';

const [target, home = REPOSITORY, rules = ''] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const page = join(here, 'page');
const program = join(here, 'program');
const read = (name) => readFileSync(join(page, name), 'utf8');

/** The packages in the bundles, by the text of their license. */
const licenses = new Map();

function addLicense(name) {
  const folder = join(here, 'node_modules', name);
  const file = ['LICENSE', 'LICENSE.md', 'LICENCE'].map((file) => join(folder, file)).find(existsSync);
  if (!file) throw new Error(`${name} has no license`);
  const text = readFileSync(file, 'utf8').trim();
  licenses.set(text, (licenses.get(text) ?? new Set()).add(name));
}

async function bundle(entry) {
  const { metafile, outputFiles } = await build({
    entryPoints: [join(page, entry)],
    alias: { program: join(program, 'sqledge_ha_playground.js') },
    bundle: true,
    charset: 'utf8',
    define: { 'import.meta.url': '""' },
    format: 'iife',
    legalComments: 'none',
    metafile: true,
    minify: true,
    target: 'es2022',
    write: false,
  });
  for (const input of Object.keys(metafile.inputs)) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (name) addLicense(name);
  }
  // The end of the element, which a string in the script could contain.
  return outputFiles[0].text.trim().replaceAll(/<(?=\/script|!--)/gi, '\\x3C');
}

const hash = (text) => createHash('sha256').update(text).digest('base64');

const parts = {
  style: read('style.css').trim(),
  script: await bundle('main.ts'),
  worker: await bundle('worker.ts'),
  wasm: deflateRawSync(readFileSync(join(program, 'sqledge_ha_playground_bg.wasm')), { level: 9 }).toString('base64'),
  home,
  rules,
};
// The editor adds its style sheets with the nonce. Nothing that a manifest holds becomes markup, so nobody else can.
parts.nonce = hash(parts.style).replaceAll(/[^a-zA-Z0-9]/g, '').slice(0, 24);
parts.policy = [
  `default-src 'none'`,
  `script-src 'sha256-${hash(parts.script)}' 'wasm-unsafe-eval'`,
  `style-src 'nonce-${parts.nonce}'`,
  `img-src data:`,
  `worker-src blob:`,
  `base-uri 'none'`,
  `form-action 'none'`,
].join('; ');

parts.licenses = [...licenses].map(([text, names]) => `${[...names].sort().join(', ')}\n\n${text}`).join('\n\n');

const html = read('index.html').replaceAll(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
writeFileSync(target, html);

const compressed = gzipSync(html, { level: 9 }).length;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
const share = ['wasm', 'script', 'worker', 'style'].map((name) => `${name} ${kilobytes(gzipSync(parts[name], { level: 9 }).length)}`);
console.log(`${target}: ${kilobytes(html.length)}, compressed ${kilobytes(compressed)} (${share.join(', ')})`);
if (compressed > MAX_COMPRESSED) {
  console.error(`${target} is larger than ${kilobytes(MAX_COMPRESSED)} compressed`);
  process.exit(1);
}
