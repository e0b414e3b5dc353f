// The state in the fragment of the address: `#v1.DATA`, where DATA is JSON, compressed by zlib, in base64url. A browser does not
// send a fragment to a server.

import type { State } from './types';

const VERSION = 1;
/** The longest fragment that is written, in characters: chats and mail cut longer addresses. */
export const MAX_WRITTEN = 100_000;
/** The longest fragment that is read, in characters. */
const MAX_READ = 4_000_000;
/** The most bytes that a fragment may expand to: a little more than the largest text that is checked. */
const MAX_BYTES = 6 << 20;

/** Why a link cannot be opened. */
export class BadLink extends Error {}

/** The fragment of a state; `undefined` if it would be too long. */
export async function write({ text, settings, partial }: State): Promise<string | undefined> {
  if (text.length + settings.length > MAX_BYTES) return undefined;
  const json = new TextEncoder().encode(JSON.stringify({ text, settings, partial }));
  const stream = new Blob([json]).stream().pipeThrough(new CompressionStream('deflate'));
  const data = toBase64(new Uint8Array(await new Response(stream).arrayBuffer()));
  const fragment = `#v${VERSION}.${data}`;
  return fragment.length > MAX_WRITTEN ? undefined : fragment;
}

/** The state of a fragment; `undefined` if there is none. Rejects with `BadLink`. */
export async function read(fragment: string): Promise<State | undefined> {
  if (fragment.length < 2) return undefined;
  if (fragment.length > MAX_READ) {
    throw new BadLink(`it has ${fragment.length} characters, and links can have ${MAX_READ}`);
  }
  const [, version, data] = /^#v(\d{1,9})\.([\w-]+)$/.exec(fragment) ?? [];
  if (version === undefined || data === undefined) throw new BadLink('it is not a link of this playground');
  if (Number(version) !== VERSION) {
    throw new BadLink(`its format is version ${version}, and this playground reads version ${VERSION}`);
  }
  return toState(await expand(fromBase64(data)));
}

/** The expanded bytes as text. Stops as soon as they are too many. */
async function expand(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new BadLink('it is damaged or not complete');
    });
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel().catch(() => undefined);
      throw new BadLink(`its text is larger than ${MAX_BYTES >> 20} MiB`);
    }
    text += decode(() => decoder.decode(value, { stream: true }));
  }
  return text + decode(() => decoder.decode());
}

function decode(run: () => string): string {
  try {
    return run();
  } catch {
    throw new BadLink('it is damaged or not complete');
  }
}

function toState(json: string): State {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new BadLink('it is damaged or not complete');
  }
  const { text, settings, partial } = (value ?? {}) as Record<string, unknown>;
  if (typeof text !== 'string' || typeof settings !== 'string' || typeof partial !== 'boolean') {
    throw new BadLink('it has no manifest');
  }
  return { text, settings, partial };
}

/** Bytes in base64url, without padding. */
function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // Functions have a limited number of arguments.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The bytes of base64url or base64. */
export function fromBase64(data: string): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(data.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new BadLink('it is damaged or not complete');
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
