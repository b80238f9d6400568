// The page as a chat shows it: in a frame of a host that knows only what it must.

import assert from "node:assert/strict";
import { PATIENCE_MS, hands, watch } from "./chromium.mjs";
import { callTool, haveEndlessReply, readText } from "./other_client.mjs";

export const MOST_PIXELS = 500;
export const FRAME_WIDTHS = [400, 760];
const PAGE = "ui://llama-mcp/dashboard.html";
const MESSAGES = ["A reply without an end whose conversation has a title that no frame shows whole", "Another without an end"];
const QUIET_MS = 4000;
const CHAT = `<!doctype html><style>body { margin: 0 } iframe { border: 0; display: block }</style>
  <iframe sandbox="allow-scripts"></iframe><p style="height: 4000px">What was said later</p>`;

// While a model runs; `url` is the address of the dashboard with its key.
export async function shortInChat(browser, url) {
  const chat = await openChat(browser, url);
  const { frame, hand } = await chat.show(await readText(url, PAGE));
  await hand.state("ready");
  for (const width of FRAME_WIDTHS) {
    await chat.widen(width);
    const replies = await Promise.all(MESSAGES.map((message) => haveEndlessReply(url, message)));
    await hand.has("tokens written", ".rows");
    await hand.has("and 1 more");
    await frame.waitForSelector("path.line", { timeout: PATIENCE_MS });
    await chat.looks(2);
    const heights = await chat.heights();
    for (const { structuredContent: { session_id } } of replies) await callTool(url, "cancel_reply", { session_id });
    assert.ok(heights.length > 0, `at ${width} px it does not tell its height`);
    assert.ok(Math.max(...heights) <= MOST_PIXELS, `at ${width} px it is ${heights.join(", ")} px high`);
    await frame.waitForSelector(".rows", { hidden: true, timeout: PATIENCE_MS });
  }
  await outOfSight(chat);
  await chat.close();
}

async function outOfSight(chat) {
  await chat.scroll(3000);
  await new Promise((go) => setTimeout(go, 1500)); // what was asked before
  const before = chat.calls.length;
  await new Promise((go) => setTimeout(go, QUIET_MS));
  assert.deepEqual(chat.calls.slice(before), [], "it asks though it is scrolled away");
  await chat.scroll(0);
  await chat.looks(1);
}

async function openChat(browser, url) {
  const page = await browser.newPage();
  const seen = watch(page);
  const calls = [];
  await page.setViewport({ width: 1000, height: 900 });
  await page.exposeFunction("callTool", (name, args) => {
    calls.push(name);
    return callTool(url, name, args);
  });
  await page.setContent(CHAT);
  await page.evaluate(beHost);
  const looks = async (count) => {
    const wanted = calls.length + count;
    const end = Date.now() + PATIENCE_MS;
    while (calls.length < wanted) {
      assert.ok(Date.now() < end, "it does not ask any more");
      await new Promise((go) => setTimeout(go, 50));
    }
  };
  return {
    calls, looks,
    show: async (html) => {
      await page.evaluate((text) => { document.querySelector("iframe").srcdoc = text; }, html);
      await page.waitForFunction(() => window.heights.length > 0, { timeout: PATIENCE_MS, polling: 100 });
      const frame = await (await page.$("iframe")).contentFrame();
      return { frame, hand: hands(frame) };
    },
    // A frame that is as high as its page was at another width tells nothing of this one.
    widen: (width) => page.evaluate((pixels) => {
      window.heights = [];
      document.querySelector("iframe").style.width = `${pixels}px`;
    }, width),
    heights: () => page.evaluate(() => window.heights),
    scroll: (to) => page.evaluate((pixels) => window.scrollTo(0, pixels), to),
    close: async () => {
      assert.deepEqual(seen.errors, []);
      assert.deepEqual([...seen.requests].filter((address) => !/^about:/.test(address)), [], "it loads something");
      await page.close();
    },
  };
}

// Runs in the chat's page: the part of an MCP Apps host that the dashboard needs.
function beHost() {
  window.heights = [];
  const frame = document.querySelector("iframe");
  const greeting = {
    protocolVersion: "2026-01-26",
    hostInfo: { name: "test chat", version: "1" },
    hostCapabilities: { serverTools: {} },
    hostContext: { displayMode: "inline", availableDisplayModes: ["inline", "fullscreen"] },
  };
  const answers = {
    "ui/initialize": async () => greeting,
    "tools/call": ({ name, arguments: args }) => window.callTool(name, args),
  };
  const post = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
  window.addEventListener("message", async ({ source, data: { id, method, params } }) => {
    if (source !== frame.contentWindow) return;
    if (method === "ui/notifications/size-changed") {
      window.heights.push(params.height);
      frame.style.height = `${params.height}px`;
    }
    if (id === undefined) return;
    const refused = async () => { throw new Error("Method not found"); };
    await (answers[method] ?? refused)(params).then(
      (result) => post({ id, result }),
      (error) => post({ id, error: { code: -32000, message: error.message } }),
    );
  });
}
