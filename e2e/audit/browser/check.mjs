// Checks a page: node check.mjs FILE
//
// It must be valid HTML, accessible in light and dark colors, fit a narrow screen, show everything in print, and load nothing.
// CHROMIUM is the browser, /usr/bin/chromium unless set.
import { strict as assert } from "node:assert";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";
import puppeteer from "puppeteer-core";

const file = process.argv[2];
// The length of a bar depends on the report.
const rules = { "no-inline-style": "off" };
const validator = new HtmlValidate(new FileSystemConfigLoader({ extends: ["html-validate:recommended"], rules }));
const validity = await validator.validateFile(file);
assert.ok(validity.valid, JSON.stringify(validity.results.flatMap((result) => result.messages), null, 1));

const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
});
try {
    for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [390, "light"], [390, "dark"]]) {
        const page = await browser.newPage();
        const urls = [];
        page.on("request", (request) => urls.push(request.url()));
        await page.setViewport({ width, height: 900 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.goto(pathToFileURL(file).href);
        assert.deepEqual(urls, [pathToFileURL(file).href]);
        // Closed parts are checked, too.
        await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
        const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(scrolled <= width, `${scrolled} pixels in a window of ${width}`);
        // The page allows no scripts; this one comes from the debugger.
        await page.evaluate(axe.source);
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, help, nodes }) => [id, help, nodes[0].html]), [], `${width} ${scheme}`);
        assert.ok(passes.some(({ id }) => id === "color-contrast"), "colors are checked");
        await page.close();
    }
    const page = await browser.newPage();
    await page.goto(pathToFileURL(file).href);
    await page.emulateMediaType("print");
    const hidden = await page.evaluate(() =>
        [...document.querySelectorAll("details > p")].filter((part) => !part.checkVisibility()).length);
    assert.equal(hidden, 0, "closed parts are printed");
    await page.setViewport({ width: 720, height: 1000 });
    const scrolled = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(scrolled <= 720, `${scrolled} pixels on a sheet of 720`);
} finally {
    await browser.close();
}
