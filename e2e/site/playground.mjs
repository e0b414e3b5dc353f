// Uses the playground as people and attackers would: node playground.mjs PAGE CORPUS
//
// PAGE is the HTML file, CORPUS the folder with the manifests of the tests. Prints figures: times and memory.
// CHROMIUM is the browser, /usr/bin/chromium unless set.
import { strict as assert } from "node:assert";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { deflateSync, gzipSync, inflateSync } from "node:zlib";
import axe from "axe-core";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";
import puppeteer from "puppeteer-core";

const [file, corpus] = process.argv.slice(2);
const address = pathToFileURL(file).href;
const modifier = "Control";
const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
});

/** Random numbers from 0 to 1, the same in each run. */
function random(seed) {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

function spread(times) {
    const sorted = times.toSorted((one, other) => one - other);
    const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(0);
    return `median ${at(0.5)} ms, p90 ${at(0.9)} ms, most ${at(1)} ms (${times.length} times)`;
}

const fragmentOf = (state) => `#v1.${deflateSync(typeof state === "string" ? state : JSON.stringify(state)).toString("base64url")}`;
const stateOf = (fragment) => JSON.parse(inflateSync(Buffer.from(fragment.slice(4), "base64url")).toString());

/** A page that may load nothing but itself, and must not report errors. */
async function open(fragment = "", { width = 1280, scheme = "light" } = {}) {
    const page = await browser.newPage();
    page.problems = [];
    page.on("request", (request) => {
        if (request.url().split("#")[0] !== address && !/^(blob|data):/.test(request.url())) page.problems.push(request.url());
    });
    page.on("pageerror", (error) => page.problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
    page.on("dialog", (dialog) => page.problems.push(dialog.message()));
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.goto(address + fragment);
    await verdict(page);
    return page;
}

async function close(page) {
    assert.deepEqual(page.problems, []);
    await page.close();
}

/** Waits until the result is that of the present text. */
const verdict = (page) =>
    page.waitForFunction(() => {
        const summary = document.querySelector("#summary").textContent;
        return summary !== "Starting…" && performance.getEntriesByName("verdict").length > 0;
    }, { timeout: 60_000, polling: "mutation" });

/** Runs an action that changes the text, and waits for its result. Returns the milliseconds to the verdict. */
async function changing(page, action) {
    await page.evaluate(() => performance.clearMeasures("verdict"));
    await action();
    await page.waitForFunction(() => performance.getEntriesByName("verdict").length > 0, { timeout: 60_000, polling: 5 });
    return page.evaluate(() => performance.getEntriesByName("verdict").at(-1).duration);
}

const EDITOR = "#editor .cm-content";
const summary = (page) => page.$eval("#summary", (element) => element.textContent);
const rules = (page) => page.$$eval("#findings .rule", (elements) => elements.map((element) => element.textContent));
const banner = (page) => page.$eval("#banner", (element) => (element.hidden ? "" : element.textContent));
const text = (page) => page.$eval(EDITOR, (element) => element.cmTile.view.state.doc.toString());

/** Replaces the text, as a person does who pastes it. */
const enter = (page, manifest, editor = EDITOR) =>
    changing(page, () => page.$eval(editor, (element, manifest) => {
        const { view } = element.cmTile;
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: `${manifest}` } });
        // The same text is a change, too.
        if (performance.getEntriesByName("verdict").length === 0) view.dispatch({ changes: { from: 0, insert: "" } });
    }, manifest));

/** Sets the cursor. */
const cursorAt = (page, part) => page.$eval(EDITOR, (element, part) => {
    const { view } = element.cmTile;
    view.dispatch({ selection: { anchor: view.state.doc.toString().indexOf(part) + part.length }, scrollIntoView: true });
    view.focus();
}, part);

const tests = {
    async "loads fast and nothing else"() {
        const times = [];
        for (let time = 0; time < 7; time += 1) {
            const started = performance.now();
            await close(await open());
            times.push(performance.now() - started);
        }
        const size = readFileSync(file);
        const compressed = gzipSync(size, { level: 9 }).length;
        assert.ok(compressed < 1_000_000, `${compressed} bytes compressed`);
        return `${(size.length / 1000).toFixed(0)} kB, ${(compressed / 1000).toFixed(0)} kB compressed; to the first verdict: ${spread(times)}`;
    },

    async "is valid HTML"() {
        // The page is one file on purpose, and the editor needs the nonce.
        const rules = { "long-title": "off", "no-inline-style": "off", "require-sri": "off", "void-style": "off", "doctype-style": "off" };
        const validator = new HtmlValidate(new FileSystemConfigLoader({ extends: ["html-validate:recommended"], rules }));
        const { valid, results } = await validator.validateString(readFileSync(file, "utf8").replaceAll(/>[A-Za-z0-9+/=]{9999,}</g, "><"));
        assert.ok(valid, JSON.stringify(results.flatMap(({ messages }) => messages), null, 1).slice(0, 4000));
    },

    async "is accessible in light and dark, on a desk and on a phone"() {
        let checks = 0;
        for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [390, "light"], [390, "dark"]]) {
            const page = await open(fragmentOf({ text: await firstText(), settings: "mode: warm", partial: true }), { width, scheme });
            for (const tab of ["findings", "fixed", "admission", "rules"]) {
                await page.click(`#tab-${tab}`);
                await page.waitForFunction((tab) => document.getElementById(tab).childElementCount > 0, {}, tab);
                await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
                const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
                assert.ok(scrolled <= width, `${scrolled} pixels in a window of ${width}: ${tab}`);
                await page.evaluate(axe.source);
                const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
                assert.deepEqual(violations.map(({ id, help, nodes }) => [id, help, nodes[0].html.slice(0, 200)]), [], `${tab} ${width} ${scheme}`);
                assert.ok(passes.some(({ id }) => id === "color-contrast"), "colors are checked");
                checks += passes.length;
            }
            await close(page);
        }
        return `axe: no violations, ${checks} checks passed on 16 views`;
    },

    async "answers each keystroke of a manifest of 200 lines"() {
        const page = await open();
        await enter(page, await lines200());
        const times = [];
        await cursorAt(page, "kind: Deployment");
        await page.keyboard.press("Enter");
        for (const key of "# a comment that is typed, and a field\nnote: 1") {
            times.push(await changing(page, () => (key === "\n" ? page.keyboard.press("Enter") : page.keyboard.type(key))));
        }
        await close(page);
        return `keystroke to verdict: ${spread(times)}`;
    },

    async "typing changes the findings"() {
        const page = await open();
        assert.ok(!(await rules(page)).includes("single-replica"));
        await cursorAt(page, "replicas: 1");
        await changing(page, async () => {
            await page.keyboard.press("Backspace");
            await page.keyboard.type("3");
        });
        await page.waitForFunction(() => document.querySelector("#findings").textContent.includes("single-replica"));
        assert.ok((await page.$$(".cm-lintRange-error")).length > 0);
        await close(page);
    },

    async "fixes by button, by key and all at once, and undoes it"() {
        const page = await open();
        const before = await rules(page);
        const button = await page.waitForSelector(".finding ::-p-text(Fix):not(.toolbar *)");
        assert.ok(button);
        const fixes = await page.$$(".finding button.primary");
        await changing(page, () => fixes[0].click());
        assert.equal((await rules(page)).length, before.length - 1);
        await cursorAt(page, "    spec:");
        await changing(page, async () => {
            await page.keyboard.down(modifier);
            await page.keyboard.press(".");
            await page.keyboard.up(modifier);
        });
        assert.equal((await rules(page)).length, before.length - 2);
        assert.match(await text(page), /kubernetes\.io\/arch: amd64[\s\S]*type: Recreate/);
        await page.focus(EDITOR);
        for (let step = 0; step < 2; step += 1) {
            await changing(page, async () => {
                await page.keyboard.down(modifier);
                await page.keyboard.press("z");
                await page.keyboard.up(modifier);
            });
        }
        assert.deepEqual(await rules(page), before);
        await changing(page, () => page.click("#findings .toolbar button"));
        assert.equal((await rules(page)).length, before.length - 2);
        await close(page);
    },

    async "shows the finding, the rule and the fixes on hover"() {
        const page = await open();
        await (await page.waitForSelector(".cm-lintRange-error")).hover();
        const tooltip = await page.waitForSelector(".cm-tooltip .hover");
        const words = await tooltip.evaluate((element) => element.parentElement.parentElement.textContent);
        assert.match(words, /recreate-strategy/);
        assert.match(words, /A Deployment stops the old pod/);
        const [fix] = await page.$$(".cm-tooltip .cm-diagnosticAction");
        await changing(page, () => fix.click());
        assert.match(await text(page), /type: Recreate/);
        await close(page);
    },

    async "ignores a finding with a comment"() {
        const page = await open();
        const before = await rules(page);
        const [ignore] = await page.$$(".finding .actions button[title^=Ignore]");
        await changing(page, () => ignore.click());
        assert.equal((await rules(page)).length, before.length - 1);
        assert.match(await text(page), /# sqledge-ha: ignore\[/);
        await close(page);
    },

    async "shows the fixed manifest as a diff"() {
        const page = await open();
        await page.click("#tab-fixed");
        await page.waitForSelector(".diff .added");
        const added = await page.$$eval(".diff .added", (elements) => elements.map((element) => element.textContent));
        assert.ok(added.some((line) => line.includes("type: Recreate")), added.join(""));
        const count = added.length;
        await page.click("#fixed input[type=checkbox]");
        await page.waitForFunction((count) => document.querySelectorAll(".diff .added").length > count, {}, count);
        await changing(page, () => page.click("#fixed .primary"));
        assert.match(await text(page), /ReadWriteOncePod/);
        await close(page);
    },

    async "shows the answer of the cluster and its patch"() {
        const page = await open();
        await page.click("#tab-admission");
        await page.waitForSelector(".answer.mutated[open]");
        const code = await page.$$eval(".answer.mutated pre", (elements) => elements.map((element) => element.textContent));
        const patch = JSON.parse(code[0]);
        const review = JSON.parse(code[1]);
        assert.ok(patch.some(({ path }) => path.startsWith("/spec/strategy")), code[0]);
        assert.deepEqual(JSON.parse(Buffer.from(review.response.patch, "base64").toString()), patch);
        await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
        await enter(page, "mode: validate", "#settings-editor .cm-content");
        await page.waitForSelector(".answer.rejected");
        await close(page);
    },

    async "marks a mistake in the settings and keeps the last valid ones"() {
        const page = await open();
        await page.click("#settings > summary");
        await enter(page, "rules: {recreate-strategy: off}", "#settings-editor .cm-content");
        assert.ok(!(await rules(page)).includes("recreate-strategy"));
        await enter(page, "rules: {recreate-strateg: off}", "#settings-editor .cm-content");
        assert.match(await page.$eval("#settings-state", (element) => element.textContent), /did you mean recreate-strategy/);
        assert.equal(await page.$eval("#settings-editor .cm-lintRange", (element) => element.textContent), "recreate-strateg");
        assert.ok(!(await rules(page)).includes("recreate-strategy"));
        await close(page);
    },

    async "a shared link opens the same state, and a reload keeps it"() {
        const page = await open();
        const manifest = `# ä \u{1F600} \u202e\n${await text(page)}`;
        await enter(page, manifest);
        await page.click("#settings > summary");
        await enter(page, "mode: validate", "#settings-editor .cm-content");
        await changing(page, () => page.click("#partial"));
        await page.click("#share");
        await page.waitForFunction(() => location.hash.length > 100 && document.querySelector("#toast").textContent);
        const fragment = await page.evaluate(() => location.hash);
        assert.deepEqual(stateOf(fragment), { text: manifest, settings: "mode: validate", partial: true });
        const other = await open(fragment);
        assert.equal(await text(other), manifest);
        assert.equal(await summary(other), await summary(page));
        assert.ok(await other.$eval("#partial", (element) => element.checked));
        await other.reload();
        await verdict(other);
        assert.equal(await text(other), manifest);
        await close(other);
        await close(page);
    },

    async "a link that cannot be opened says why"() {
        const page = await open();
        const shown = await text(page);
        const good = fragmentOf({ text: "kind: Pod\n", settings: "", partial: false });
        const zeros = fragmentOf(JSON.stringify({ text: "0".repeat(40 << 20), settings: "", partial: false }));
        assert.ok(zeros.length < 100_000, "small, and expands to 40 MiB");
        for (const [fragment, reason] of [
            [good.replace("v1", "v2"), /format is version 2/],
            ["#v1.", /not a link/],
            ["#settings", /not a link/],
            [good.slice(0, -6), /damaged/],
            [`#v1.${"A".repeat(2 << 20)}`, /damaged/],
            [zeros, /larger than 6 MiB/],
            [fragmentOf("[]"), /no manifest/],
            [fragmentOf("{"), /damaged/],
            [fragmentOf({ text: 1, settings: "", partial: false }), /no manifest/],
            [`#v1.${deflateSync(Buffer.from([0xff, 0xfe])).toString("base64url")}`, /damaged/],
        ]) {
            await page.evaluate((fragment) => (location.hash = fragment), fragment);
            await page.waitForFunction(() => !document.querySelector("#banner").hidden, { timeout: 20_000 });
            assert.match(await banner(page), reason, fragment.slice(0, 60));
            assert.equal(await text(page), shown);
            await page.evaluate((fragment) => (location.hash = fragment), good);
            await page.waitForFunction(() => document.querySelector("#banner").hidden);
            await page.evaluate(() => (document.querySelector("#example").value = "0"));
            await page.evaluate(() => document.querySelector("#example").dispatchEvent(new Event("change")));
        }
        // As a browser opens it.
        const large = await open(`#v1.${"A".repeat(1_900_000)}`);
        assert.match(await banner(large), /damaged/);
        await close(large);
        await close(page);
    },

    async "a link that was changed by hand opens or says why not"() {
        const page = await open();
        const next = random(7);
        const good = fragmentOf({ text: await text(page), settings: "mode: warn", partial: false });
        let refused = 0;
        for (let round = 0; round < 60; round += 1) {
            const at = 4 + Math.floor(next() * (good.length - 4));
            const letter = "ABCxyz019-_"[Math.floor(next() * 11)];
            const changed = good.slice(0, at) + letter + good.slice(at + (next() < 0.5 ? 1 : 0));
            await page.evaluate((fragment) => (location.hash = fragment), changed);
            await new Promise((resolve) => setTimeout(resolve, 30));
            refused += (await banner(page)) ? 1 : 0;
        }
        assert.ok(refused > 30, `${refused} of 60 refused`);
        assert.doesNotMatch(await banner(page), /stopped/);
        await close(page);
    },

    async "nothing in a manifest is markup or runs"() {
        const page = await open();
        const evil = `<img src=x onerror="document.title='run'"><script>document.title='run'</script>`;
        const quoted = JSON.stringify(evil);
        const manifest = (await text(page)).replaceAll("orders-sql", quoted).replaceAll("orders-data", quoted) +
            `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${quoted}, namespace: ${quoted}}\nspec: {containers: [{name: ${quoted}, image: azure-sql-edge, command: [${quoted}]}]}\n`;
        await enter(page, manifest);
        await page.click("#settings > summary");
        await enter(page, `${quoted}: 1`, "#settings-editor .cm-content");
        const hover = await page.waitForSelector(".cm-lintRange");
        await hover.hover();
        for (const tab of ["fixed", "admission", "findings"]) {
            await page.click(`#tab-${tab}`);
            await new Promise((resolve) => setTimeout(resolve, 300));
            assert.match(await page.$eval(`#${tab}`, (element) => element.textContent), /<img src=x/, tab);
        }
        assert.equal(await page.evaluate(() => document.querySelectorAll("img, main script, iframe, object").length), 0);
        assert.equal(await page.title(), "sqledge-ha playground");
        await close(page);
    },

    async "a stopped program is reported, and starts again"() {
        const page = await open();
        const [worker] = page.workers();
        await worker.evaluate(() => {
            globalThis.calls.check = () => {
                globalThis.keepPanic("panicked at src/x.rs:1:2: <b>index</b>");
                throw new WebAssembly.RuntimeError("unreachable");
            };
        });
        await cursorAt(page, "kind: Deployment");
        await page.keyboard.type("s");
        await page.waitForFunction(() => !document.querySelector("#banner").hidden);
        assert.match(await banner(page), /panicked at src\/x\.rs:1:2: <b>index<\/b>.*report it/s);
        assert.match(await page.$eval("#banner a", (element) => element.href), /\/issues\/new$/);
        await changing(page, () => page.click("#banner button"));
        assert.equal(await banner(page), "");
        assert.match(await summary(page), /in 3 objects|warning|error|nothing checked/);
        await close(page);
    },

    async "a program that never ends is stopped, and the page stays usable"() {
        const page = await open();
        const [worker] = page.workers();
        await worker.evaluate(() => {
            globalThis.calls.check = () => {
                for (;;);
            };
        });
        await cursorAt(page, "kind: Deployment");
        await page.keyboard.type("s");
        await page.keyboard.type("x");
        assert.match(await text(page), /kind: Deploymentsx/);
        await page.waitForFunction(() => !document.querySelector("#banner").hidden, { timeout: 20_000 });
        assert.match(await banner(page), /no answer after 10 seconds/);
        await changing(page, () => page.click("#banner button"));
        await close(page);
    },

    async "large texts take a moment, and never the page"() {
        const page = await open();
        const example = await text(page);
        const figures = [];
        for (const megabytes of [1, 3.9, 4.5]) {
            const large = `${example}---\n`.repeat(Math.floor((megabytes * 1_048_576) / example.length));
            await page.evaluate(() => {
                globalThis.gaps = [];
                let last = performance.now();
                const watch = () => {
                    const now = performance.now();
                    globalThis.gaps.push(now - last);
                    last = now;
                    requestAnimationFrame(watch);
                };
                requestAnimationFrame(watch);
            });
            const time = await enter(page, large);
            const gap = await page.evaluate(() => Math.max(...globalThis.gaps));
            const [worker] = page.workers();
            const memory = (await worker.evaluate(() => globalThis.memory.buffer.byteLength)) / 1_048_576;
            figures.push(`${megabytes} MB: ${time.toFixed(0)} ms, longest pause of the page ${gap.toFixed(0)} ms, memory of the program ${memory.toFixed(0)} MB`);
            assert.ok(memory < 1025, `${memory} MB`);
            assert.equal(await banner(page), "");
        }
        assert.match(await summary(page), /larger than 4 MiB/);
        await enter(page, example);
        assert.match(await summary(page), /1 workload/);
        await close(page);
        return figures.join("\n    ");
    },

    async "broken and hostile texts have an answer"() {
        const page = await open();
        const example = await text(page);
        const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: sql}\nspec: {containers: [{name: sql, image: azure-sql-edge";
        const laughs = ["a0: &a0 [lol, lol]", ...Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`)];
        const texts = [
            "", " ", "\t", "---\n".repeat(50_000), "{", "[".repeat(200_000), "{a: ".repeat(100_000), "- ".repeat(100_000),
            `${pod}`, `${pod}, "`, `${pod}}]}\n%YAML 9.9\n---\n{`, `${pod}}]}`.replaceAll("sql", "\u0000"), `${pod}, command: ["\ud800"]}]}`,
            `${pod}, args: [${"'x', ".repeat(60_000)}]}]}`, `${pod}}]}\n${laughs.join("\n")}`, `${laughs.join("\n")}\nimage: azure-sql-edge\nkind: Pod\nx: *a40`,
            `&a [*a, azure-sql-edge]`, `? ${pod}}]}\n: x`, `!!binary azure-sql-edge`, `"\\u0000\\uD800 azure-sql-edge`, `${"a: &x 1\n".repeat(30_000)}image: azure-sql-edge\n`,
            `\ufeff${example}`, example.replaceAll("\n", "\r\n"), example.replaceAll("\n", "\r"), example.replaceAll("\n", "\u2028"),
            example.replaceAll(" ", "\u00a0"), example.replaceAll("  ", "\t"), example.slice(0, -30), example.replace("spec:", "spec: {{ .Values.x }}"),
            `${example}---\n${"x".repeat(1_000_000)}`, JSON.stringify({ kind: "List", apiVersion: "v1", items: Array(3000).fill({ kind: "List", items: [] }) }),
            "\u202e\u2066".repeat(1000) + example, "\u{1F600}".repeat(20_000) + example, "e\u0301\n".repeat(20_000) + example,
        ];
        const files = [];
        const collect = (folder) => readdirSync(folder).forEach((name) => {
            const path = join(folder, name);
            if (statSync(path).isDirectory()) collect(path);
            else files.push(readFileSync(path, "utf8"));
        });
        collect(corpus);
        const chosen = files.filter((_, index) => index % 7 === 0);
        const times = [];
        for (const hostile of [...texts, ...chosen]) {
            times.push(await enter(page, hostile));
            assert.equal(await banner(page), "", hostile.slice(0, 80));
        }
        await enter(page, `${pod}\n`);
        assert.match(await page.$eval("#findings", (element) => element.textContent), /not readable/);
        for (const tab of ["fixed", "admission"]) {
            await page.click(`#tab-${tab}`);
            for (const hostile of texts) await enter(page, hostile);
            assert.equal(await banner(page), "");
        }
        await close(page);
        return `${texts.length} hostile texts, ${chosen.length} of the corpus: ${spread(times)}`;
    },

    async "random edits have an answer, and memory stays bounded"() {
        const page = await open();
        const next = random(20261130);
        const examples = [await text(page)];
        const parts = ["\n", "  ", ": ", "- ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "<<: *a", "---\n", "#", "|\n", ">\n", "\u0000", "é", "\u{1F600}",
            "\ud83d", "replicas: 2\n", "image: azure-sql-edge", "kind: Service\n", "emptyDir: {}", "9".repeat(30), "%", "\t", "!!str ", "? "];
        const [worker] = page.workers();
        const memory = () => worker.evaluate(() => globalThis.memory.buffer.byteLength / 1_048_576);
        const times = [];
        let early;
        for (const tab of ["findings", "fixed", "admission"]) {
            await page.click(`#tab-${tab}`);
            for (let round = 0; round < 120; round += 1) {
                if (round % 30 === 0) await enter(page, examples[0]);
                const [at, length, part] = [next(), next() < 0.5 ? 0 : Math.floor(next() * 40), parts[Math.floor(next() * parts.length)]];
                times.push(await changing(page, () => page.$eval(EDITOR, (element, at, length, part) => {
                    const { view } = element.cmTile;
                    const from = Math.floor(view.state.doc.length * at);
                    const to = Math.min(view.state.doc.length, from + length);
                    view.dispatch({ changes: { from, to, insert: part } });
                }, at, length, part)));
                assert.equal(await banner(page), "");
            }
            early ??= await memory();
        }
        const late = await memory();
        assert.ok(late <= early * 2, `${early} MB, later ${late} MB`);
        await close(page);
        return `360 edits: ${spread(times)}; memory of the program ${early.toFixed(1)} MB, at the end ${late.toFixed(1)} MB`;
    },

    async "the keyboard reaches everything"() {
        const page = await open();
        await page.focus(EDITOR);
        await page.keyboard.press("F8");
        const selected = await page.$eval(EDITOR, (element) => element.cmTile.view.state.selection.main.from > 0);
        assert.ok(selected, "F8 goes to a finding");
        const focused = (part) => page.evaluate((part) => document.activeElement.closest(part) !== null, part);
        // First through the buttons at the finding.
        const seen = [];
        for (let key = 0; key < 8 && (await focused("#editor")); key += 1) {
            await page.keyboard.press("Tab");
            seen.push(await page.evaluate(() => document.activeElement.textContent.slice(0, 20)));
        }
        assert.ok(!(await focused("#editor")), `Tab leaves the editor: ${seen}`);
        assert.ok(seen.includes("Ignore"), `${seen}`);
        await page.focus("#tab-findings");
        await page.keyboard.press("ArrowLeft");
        assert.equal(await page.evaluate(() => document.activeElement.id), "tab-rules");
        assert.ok(await page.$eval("#rules", (element) => element.checkVisibility()));
        await page.keyboard.press("Home");
        assert.equal(await page.evaluate(() => document.activeElement.id), "tab-findings");
        await close(page);
    },

    async "the theme can be chosen"() {
        const page = await open();
        const color = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        assert.equal(await color(), "rgb(255, 255, 255)");
        await page.click("#theme");
        await page.click("#theme");
        assert.equal(await page.$eval("#theme", (element) => element.textContent), "Theme: dark");
        assert.notEqual(await color(), "rgb(255, 255, 255)");
        await page.click("#theme");
        await close(page);
    },
};

let example;
async function firstText() {
    if (!example) {
        const page = await open();
        example = await text(page);
        await page.close();
    }
    return example;
}

/** The example, with ConfigMaps until it has 200 lines. */
async function lines200() {
    const manifest = await firstText();
    const rest = 200 - manifest.split("\n").length;
    const keys = Array.from({ length: rest - 5 }, (_, at) => `  key-${at}: value ${at}`);
    return `${manifest}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: orders}\ndata:\n${keys.join("\n")}\n`;
}

let failed = 0;
const only = process.env.ONLY;
try {
    for (const [name, run] of Object.entries(tests).filter(([name]) => !only || name.includes(only))) {
        try {
            const figures = await run();
            console.log(`ok: ${name}${figures ? `\n    ${figures}` : ""}`);
        } catch (error) {
            failed += 1;
            console.log(`FAILED: ${name}\n${error.stack}`);
        }
    }
} finally {
    await browser.close();
}
process.exitCode = failed > 0 ? 1 : 0;
