// Takes a user through signing in, in Chromium: {chromium, app, homeserver, rules, screenshots} on standard input, one
// JSON line with what was seen on standard output. Each page is looked over by axe in both colour schemes and two widths.

import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const given = JSON.parse(readFileSync(0, "utf8"));
const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SCHEMES = ["light", "dark"];
const WIDTHS = [360, 1280];
const seen = { pages: [], violations: [] };

const browser = await puppeteer.launch({
    protocolTimeout: 60_000,
    executablePath: given.chromium,
    args: ["--no-sandbox", "--ignore-certificate-errors", `--host-resolver-rules=${given.rules}`],
});

async function look(page, name) {
    // The pages run no script of their own, and by their policy none of anybody else's: axe comes in past it.
    for (const scheme of SCHEMES) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        for (const width of WIDTHS) {
            await page.setViewport({ width, height: 800 });
            const found = await page.evaluate(async (source) => {
                (0, eval)(source);
                return (await window.axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
            }, AXE);
            seen.violations.push(...found.map((one) => `${name} ${scheme} ${width}: ${one}`));
            const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
            if (wide) seen.violations.push(`${name} ${width}: wider than the window`);
            if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}-${scheme}-${width}.png` });
        }
    }
    seen.pages.push(await page.$eval("h1", (heading) => heading.textContent));
}

async function press(page, selector = "main button") {
    await Promise.all([page.waitForNavigation(), page.click(selector)]);
}

async function app(page, call, ...args) {
    return page.evaluate((name, values) => window.app[name](...values), call, args);
}

async function register(page) {
    await page.goto(given.app);
    await page.goto(await app(page, "begin", given.homeserver, "create"));
    await look(page, "register");
    // By keyboard alone: the first field has the focus.
    await page.keyboard.type("newcomer");
    await page.keyboard.press("Tab");
    await page.keyboard.type("correct horse battery");
    await page.keyboard.press("Tab");
    await page.keyboard.type("correct horse battery");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    await look(page, "consent");
    await press(page, "button[value=allow]");
    return app(page, "complete");
}

async function useAndLeave(page) {
    const room = await app(page, "sync");
    const deadline = Date.now() + 60_000;
    let renewed = 0;
    while (!renewed && Date.now() < deadline) {
        renewed = await app(page, "renewedTokens");
        if (!renewed) await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return { room, renewed, left: await app(page, "signOut") };
}

async function device(page, other) {
    await page.goto(given.app);
    await other.goto(await app(page, "beginDevice", given.homeserver));
    await look(other, "device");
    await press(other, "button[value=allow]");
    return app(page, "completeDevice", given.homeserver);
}

async function elsewhere(page) {
    await page.goto(`${given.homeserver}/auth/account`);
    await look(page, "account");
    await page.goto(`${given.homeserver}/auth/account/cross-signing`);
    await look(page, "reset");
    await page.goto(`${given.homeserver}/auth/authorize?client_id=nobody`);
    await look(page, "broken");
    await page.goto(`${given.homeserver}/auth/account`);
    await press(page, "form[action=logout] button");
    await look(page, "login");
}

try {
    const page = await browser.newPage();
    await page.setBypassCSP(true);
    seen.user = await register(page);
    seen.used = await useAndLeave(page);
    const other = await browser.newPage();
    await other.setBypassCSP(true);
    seen.device = await device(page, other);
    await elsewhere(other);
} catch (error) {
    seen.error = error.stack ?? String(error);
} finally {
    await browser.close();
}
process.stdout.write(JSON.stringify(seen) + "\n");
