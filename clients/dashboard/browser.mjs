/**
 * The dashboard in headless Chromium: opened through its door, every view read, every button pressed.
 *
 *     node browser.mjs COMMAND [FOLDER]
 *
 * COMMAND is the installed llama-mcp; its settings are this process's LLAMA_MCP_ variables. With a
 * FOLDER pictures of the main views are put there. Prints one JSON line: what was done.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { openBrowser, hands, watch } from "./chromium.mjs";
import { FRAME_WIDTHS, MOST_PIXELS, shortInChat } from "./in_frame.mjs";
import { ENDLESS, HOSTILE, haveEndlessReply, haveHostileSession } from "./other_client.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = ["Now", "Conversations", "Models", "Log", "Setup"];
const WIDTHS = [320, 360, 960, 1600];
const [command, pictures] = process.argv.slice(2);
const done = [];
const step = async (name, act) => {
  await act().catch((error) => {
    error.message = `${name}: ${error.message}`;
    throw error;
  });
  done.push(name);
};

// The tiny model knows no end: what is asked in the page gets 200 tokens.
const LLAMA_MCP_EXTRA_ARGS = `${process.env.LLAMA_MCP_EXTRA_ARGS ?? ""} -n 200`;
const server = spawn(command, ["dashboard", "--no-browser"], {
  env: { ...process.env, LLAMA_MCP_EXTRA_ARGS },
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await openBrowser();
try {
  const [address] = await once(createInterface(server.stdout), "line");
  const url = new URL(address);
  await step("a hostile conversation is there", () => haveHostileSession(url));
  const page = await browser.newPage();
  const seen = watch(page);
  const hand = hands(page);
  await page.setViewport({ width: 1000, height: 900 });
  await page.goto(address);
  await hand.state("stopped");
  await step("the key leaves the address", async () => assert.equal(page.url(), `${url.origin}/`));
  await step("a reload keeps the key", async () => {
    await page.reload();
    await hand.state("stopped");
  });
  await step("start", async () => {
    await hand.press("Start");
    await hand.state("ready");
  });
  await step("chat that streams", () => chat(page, hand));
  await step("another client's reply, cancelled", () => cancel(url, hand));
  await step("search, transcript, rename, copy, delete", () => conversations(page, hand));
  await step("models and download", () => models(hand));
  await step("log by level", () => log(page, hand));
  await step("settings and checks", async () => {
    await hand.tab("Setup");
    await hand.has("ctx_size");
    await hand.press("Check this machine");
    await hand.has("engine", ".rows");
  });
  await step("hostile text stays text", () => hostile(page, hand));
  await step("keyboard", () => keyboard(page, hand));
  await step(`no axe violation, no sideways scrolling at ${WIDTHS.join(", ")} px, light and dark`, () => looks(page, hand));
  if (pictures) await step("pictures", () => takePictures(page, hand));
  await step("out of sight it asks for nothing", () => quiet(page));
  await step(`in a chat at most ${MOST_PIXELS} px high at ${FRAME_WIDTHS.join(", ")} px, and silent out of sight`, () => shortInChat(browser, url));
  await step("stop", async () => {
    await hand.tab("Now");
    await hand.press("Stop");
    await hand.state("stopped");
  });
  await step("a foreign page gets nothing", () => foreign(url));
  assert.deepEqual(seen.errors, []);
  assert.deepEqual([...seen.requests].sort(), [`${url.origin}/`, `${url.origin}/mcp`]);
  await step("the end of the server is told", async () => {
    server.kill("SIGINT");
    await once(server, "exit");
    await hand.has("llama-mcp does not answer");
  });
  assert.equal(server.exitCode, 0);
  console.log(JSON.stringify({ version: await browser.version(), done }));
} finally {
  await browser.close();
  server.kill();
}

async function say(page, hand, message) {
  await hand.fill(".chat textarea", message);
  await page.keyboard.press("Enter");
}

async function chat(page, hand) {
  await hand.tab("Conversations");
  await say(page, hand, "Hello there");
  await hand.has("tokens written", ".turn");
  await hand.press("Back");
  await hand.has("Hello there", ".rows");
}

async function cancel(url, hand) {
  await haveEndlessReply(url);
  await hand.tab("Now");
  await hand.has("tokens written", ".rows");
  await hand.press("Cancel", ".rows button.small");
  await hand.has("cancelled", "table");
}

async function conversations(page, hand) {
  await hand.tab("Conversations");
  if (await page.$("article")) await hand.press("Back");
  await hand.fill("input[type=search]", "Hello");
  await hand.gone(ENDLESS);
  await hand.press("Hello there", ".rows .link");
  await hand.has("Hello there", ".said");
  await hand.press("Rename");
  await hand.fill(".inline input", "Another title");
  await hand.press("Save");
  await hand.has("Another title", "h2");
  await hand.press("Copy");
  await hand.press("Delete");
  await hand.press("Delete for good");
  await page.waitForSelector("article", { hidden: true });
  await hand.has("Another title", ".rows");
}

async function models(hand) {
  await hand.tab("Models");
  await hand.has("running", ".rows");
  await hand.fill("form input", "nobody/nothing");
  await hand.press("Download");
  await hand.has("nobody/nothing", "form");
}

async function log(page, hand) {
  await hand.tab("Log");
  await page.waitForFunction(() => document.querySelector("pre.log")?.innerText.length > 100);
  await page.select("select", "error");
  await page.waitForFunction(() => document.querySelector("pre.log")?.innerText.length < 100);
}

async function hostile(page, hand) {
  await hand.tab("Conversations");
  await hand.fill("input[type=search]", "HOSTILE");
  await hand.has(HOSTILE.title, ".rows");
  await hand.press(HOSTILE.title, ".rows .link");
  await page.waitForSelector(".turn .markdown");
  const found = await page.evaluate(() => ({
    names: [...new Set([...document.querySelectorAll(".markdown *")].map((each) => each.localName))],
    attributes: [...new Set([...document.querySelectorAll(".markdown *")].flatMap((each) => each.getAttributeNames()))],
    links: [...document.querySelectorAll(".markdown a")].map((each) => each.getAttribute("href")),
  }));
  const harmless = new Set("p span a code pre ul ol li del strong em blockquote br hr div table thead tbody tr th td".split(" "));
  assert.deepEqual(found.names.filter((name) => !harmless.has(name)), []);
  assert.deepEqual(found.attributes.filter((name) => !["class", "href", "rel", "target", "tabindex", "role", "aria-level", "start"].includes(name)), []);
  assert.ok(found.links.every((link) => /^(https?|mailto):/.test(link)), found.links.join());
  for (const link of await page.$$(".markdown a")) await link.hover().catch(() => {});
  await hand.press("Back");
}

async function keyboard(page, hand) {
  await hand.tab("Now");
  await page.focus("[role=tab][aria-selected=true]");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.activeElement.dataset.tab === "Conversations");
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement.dataset.tab === "Setup");
}

// axe runs in a world of its own: the page's policy lets no other script in.
async function violations(page) {
  const session = await page.createCDPSession();
  const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: page.mainFrame()._id, worldName: "axe" });
  await session.send("Runtime.evaluate", { expression: AXE, contextId: executionContextId });
  const expression = "axe.run().then((found) => JSON.stringify(found.violations.map((each) => [each.id, each.nodes.map((node) => node.html.slice(0, 120))])))";
  const { result } = await session.send("Runtime.evaluate", { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
  await session.detach();
  return JSON.parse(result.value);
}

async function looks(page, hand) {
  for (const view of VIEWS) {
    await hand.tab(view);
    await page.waitForSelector(`#tab-${view}[aria-selected=true]`);
    for (const scheme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      assert.deepEqual(await violations(page), [], `${view}, ${scheme}`);
    }
    for (const width of WIDTHS) {
      await page.setViewport({ width, height: 800 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(over <= 0, `${view} at ${width} px is ${over} px too wide`);
    }
  }
  await page.setViewport({ width: 1000, height: 900 });
}

async function takePictures(page, hand) {
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  await page.setViewport({ width: 1000, height: 720, deviceScaleFactor: 1 });
  for (const view of VIEWS) {
    await hand.tab(view);
    await new Promise((go) => setTimeout(go, 1500));
    await page.screenshot({ path: `${pictures}/dashboard-${view.toLowerCase()}.png` });
  }
}

async function quiet(page) {
  let asked = 0;
  const count = (request) => { if (request.url().endsWith("/mcp")) asked += 1; };
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await new Promise((go) => setTimeout(go, 1500)); // what was asked before
  page.on("request", count);
  await new Promise((go) => setTimeout(go, 4000));
  assert.equal(asked, 0, "it asks though nobody can see it");
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForResponse((response) => response.url().endsWith("/mcp"));
  page.off("request", count);
}

async function foreign(url) {
  const page = await browser.newPage();
  await page.goto("data:text/html,<h1>elsewhere</h1>");
  const got = await page.evaluate(async (target) => {
    const tries = [{}, { method: "POST", headers: { "content-type": "application/json", authorization: "Bearer x" }, body: "{}" }];
    const found = [];
    for (const options of tries) found.push(await fetch(target, options).then((response) => response.status, () => "refused"));
    return found;
  }, `${url.origin}/mcp`);
  assert.deepEqual(got, ["refused", "refused"]);
  await page.close();
}
