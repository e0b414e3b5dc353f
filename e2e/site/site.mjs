// Opens the site from its folder, without a server: node site.mjs DIRECTORY
//
// Every link must lead to a page and a heading. CHROMIUM is the browser, /usr/bin/chromium unless set.
import { strict as assert } from "node:assert";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, extname, join, normalize, relative } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const directory = process.argv[2];
const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
const pages = files.filter((name) => extname(name) === ".html" && !/^(404|toc|sqledge-ha-playground)\.html$/.test(name));
const sources = Object.fromEntries(files.filter((name) => extname(name) === ".html").map((name) => [name, readFileSync(join(directory, name), "utf8")]));

function checkLinks() {
    let count = 0;
    for (const page of pages) {
        const targets = [...sources[page].matchAll(/\s(?:href|src)="([^"]*)"/g)].map(([, target]) => target.replaceAll("&amp;", "&"));
        for (const target of targets.filter((target) => target && !/^(https?|mailto|data|javascript):/.test(target))) {
            const [path, anchor] = target.split("#");
            const name = path ? normalize(join(dirname(page), decodeURI(path))) : page;
            const file = existsSync(join(directory, name)) && statSync(join(directory, name)).isDirectory() ? join(name, "index.html") : name;
            assert.ok(existsSync(join(directory, file)), `${page}: ${target} leads to no file`);
            if (anchor && extname(file) === ".html" && !anchor.startsWith("v1.")) {
                const id = decodeURIComponent(anchor).replaceAll("&", "&amp;");
                assert.ok(sources[file].includes(`id="${id}"`), `${page}: ${target} leads to no heading`);
            }
            count += 1;
        }
    }
    return count;
}

const links = checkLinks();
console.log(`ok: ${links} links on ${pages.length} pages lead to a page and a heading`);
const rules = pages.filter((name) => /^rules\/(?!index)/.test(name));
assert.ok(rules.length > 40, `${rules.length} pages of rules`);
assert.ok(rules.every((name) => /href="[^"]*\/edit\/main\/policy\/src\/rules\//.test(sources[name])), "edit links");

const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
});
try {
    const page = await browser.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => /^https?:/.test(request.url()) && problems.push(request.url()));
    const open = (name) => page.goto(pathToFileURL(join(directory, name)).href);

    await open("index.html");
    for (const [words, expected] of [["rollingUpdate", "rules/recreate-strategy.html"], ["kube-score", "other-tools.html"], ["claimSize", "reference/settings.html"]]) {
        await page.keyboard.press("Escape");
        await page.keyboard.press("s");
        await page.waitForSelector("#mdbook-searchbar", { visible: true });
        await page.$eval("#mdbook-searchbar", (element) => (element.value = ""));
        await page.type("#mdbook-searchbar", words);
        await page.waitForFunction((expected) =>
            [...document.querySelectorAll("#mdbook-searchresults a")].some((link) => link.href.includes(expected)), { timeout: 15_000 }, expected);
    }
    console.log("ok: the search works from a folder");

    // The rest of a page, and the colors of code, are mdBook's.
    for (const [name, width, theme] of [["index.html", 1280, "light"], ["rules/recreate-strategy.html", 1280, "navy"], ["rules/index.html", 390, "light"], ["playground.html", 390, "navy"]]) {
        await page.setViewport({ width, height: 900 });
        await open(name);
        await page.evaluate((theme) => localStorage.setItem("mdbook-theme", theme), theme);
        await page.reload();
        const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(scrolled <= width, `${name}: ${scrolled} pixels in a window of ${width}`);
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate(() => globalThis.axe.run({ include: ["main"], exclude: [".hljs"] }));
        assert.deepEqual(violations.map(({ id, help, nodes }) => [id, help, nodes[0].html.slice(0, 200)]), [], `${name} ${theme}`);
    }
    console.log("ok: the pages are accessible in light and dark, on a desk and on a phone");

    await page.setViewport({ width: 1280, height: 900 });
    await open("rules/recreate-strategy.html");
    const example = await page.$eval('a[href*="playground.html#v1."]', (link) => link.href);
    await page.goto(example);
    await page.waitForFunction(() => document.querySelector("#findings")?.textContent.includes("recreate-strategy"));
    await page.click("#tab-rules");
    await page.select("#rule", "recreate-strategy");
    const back = await page.$eval("#rules article a[href$='rules/recreate-strategy.html']", (link) => link.href);
    await page.goto(back);
    assert.match(await page.$eval("h1#recreate-strategy", (element) => element.textContent), /recreate-strategy/);
    console.log("ok: a rule's page opens its example in the playground, and the playground the page");
    assert.deepEqual(problems, []);
} finally {
    await browser.close();
}
console.log(`${relative(process.cwd(), directory)}: checked`);
