/**
 * The dashboard as an MCP App, in the official host's part (AppBridge) with the page under jsdom.
 *
 *     node chat_host.mjs COMMAND legacy|modern
 *
 * A client that shows apps is told of the page and its tools, the page starts, chats and stops by the
 * host's hands; a client that shows none is told of neither. Prints one JSON line: what was done.
 */
import assert from "node:assert/strict";
import { AppBridge, RESOURCE_MIME_TYPE, getToolUiResourceUri } from "@modelcontextprotocol/ext-apps/app-bridge";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { JSDOM, VirtualConsole } from "jsdom";

const PATIENCE_MS = 120_000;
const APPS = { extensions: { "io.modelcontextprotocol/ui": { mimeTypes: [RESOURCE_MIME_TYPE] } } };
const FOR_PAGE = ["dashboard_snapshot", "dashboard_checks"];
const [command, era] = process.argv.slice(2);
const variables = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(LLAMA_MCP|HF)_/.test(name)));
// No browser is on this PATH: none is to open.
const env = { ...variables, LLAMA_MCP_EXTRA_ARGS: `${variables.LLAMA_MCP_EXTRA_ARGS ?? ""} -n 200`, PATH: "/nowhere", HOME: process.env.HOME };
const done = [];

async function connect(capabilities) {
  const mode = era === "modern" ? { pin: "2026-07-28" } : "legacy";
  const client = new Client({ name: "chat host", version: "1" }, { capabilities, versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command, args: [], env, stderr: "inherit" }));
  return client;
}

async function until(condition, what) {
  const end = Date.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(Date.now() < end, `never happened: ${what}`);
    await new Promise((go) => setTimeout(go, 50));
  }
}

async function withoutApps() {
  const client = await connect({});
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  assert.ok(names.includes("open_dashboard"));
  assert.deepEqual(names.filter((name) => FOR_PAGE.includes(name)), []);
  const uris = (await client.listResources()).resources.map((resource) => resource.uri);
  assert.deepEqual(uris.filter((uri) => uri.startsWith("ui:")), []);
  const shown = await client.callTool({ name: "open_dashboard", arguments: {} });
  assert.match(shown.content[0].text, /llama-mcp dashboard|browser/);
  assert.ok(!/key=/.test(JSON.stringify(shown)), "a key goes to no model");
  await client.close();
  done.push("words for a client without apps");
}

// The two ends of the wire between host and page.
function wireTo(html) {
  const problems = [];
  const virtualConsole = new VirtualConsole();
  virtualConsole.on("jsdomError", (error) => problems.push(error.message));
  const transport = { start: async () => {}, close: async () => {}, send: async (message) => give(message) };
  const parent = new JSDOM("").window;
  parent.postMessage = (message) => setTimeout(() => transport.onmessage?.(structuredClone(message)), 0);
  const dom = new JSDOM(html, {
    runScripts: "dangerously",
    pretendToBeVisual: true,
    virtualConsole,
    beforeParse: (window) => Object.defineProperty(window, "parent", { value: parent }),
  });
  const { window } = dom;
  function give(message) {
    const data = JSON.parse(JSON.stringify(message));
    window.dispatchEvent(new window.MessageEvent("message", { data, source: parent }));
  }
  return { transport, window, problems };
}

async function inChat() {
  const client = await connect(APPS);
  const { tools } = await client.listTools();
  const opening = tools.find((tool) => tool.name === "open_dashboard");
  const uri = getToolUiResourceUri(opening);
  for (const name of FOR_PAGE) assert.deepEqual(tools.find((tool) => tool.name === name)._meta.ui.visibility, ["app"]);
  assert.ok((await client.listResources()).resources.some((resource) => resource.uri === uri));
  const [page] = (await client.readResource({ uri })).contents;
  assert.equal(page.mimeType, RESOURCE_MIME_TYPE);
  const result = await client.callTool({ name: "open_dashboard", arguments: {} });
  assert.match(result.content[0].text, /in this chat/);
  done.push("the page and its tools for a client with apps");

  const { transport, window, problems } = wireTo(page.text);
  const seen = { calls: [], told: [], sizes: [], modes: [] };
  const bridge = new AppBridge(null, { name: "test host", version: "1" }, { serverTools: {}, updateModelContext: { text: {} }, openLinks: {} }, {
    hostContext: { theme: "dark", locale: "de-DE", displayMode: "inline", availableDisplayModes: ["inline", "fullscreen"] },
  });
  bridge.oncalltool = async (params) => {
    seen.calls.push(params.name);
    return client.callTool(params);
  };
  bridge.onupdatemodelcontext = async (params) => { seen.told.push(JSON.stringify(params)); return {}; };
  bridge.onrequestdisplaymode = async ({ mode }) => { seen.modes.push(mode); return { mode }; };
  bridge.onsizechange = (size) => seen.sizes.push(size);
  const greeted = new Promise((go) => { bridge.oninitialized = go; });
  await bridge.connect(transport);
  await greeted;
  await bridge.sendToolResult(result);
  const main = () => window.document.querySelector("main").textContent;
  const button = (text) => [...window.document.querySelectorAll("button")].find((each) => each.textContent.includes(text));
  const press = async (text) => {
    await until(() => button(text) && !button(text).disabled, `a button ${text}`);
    button(text).click();
  };
  const stateIs = (state) => until(() => window.document.querySelector(".state")?.textContent === state, state);
  await stateIs("stopped");
  assert.equal(window.document.documentElement.lang, "de-DE");
  assert.equal(window.document.documentElement.style.colorScheme, "dark");
  assert.ok(!window.document.querySelector("[role=tab]"), "inline there are no tabs");
  done.push("greeting, theme, language, short inline");

  await press("Start");
  await stateIs("ready");
  assert.ok(seen.told.some((text) => text.includes("pressed Start")));
  await press("Whole window");
  await until(() => seen.modes.includes("fullscreen"), "a wish for the whole window");
  await bridge.setHostContext({ theme: "light", locale: "de-DE", displayMode: "fullscreen", availableDisplayModes: ["inline", "fullscreen"] });
  await press("Conversations");
  await until(() => window.document.querySelector("textarea"), "a place to write");
  const area = window.document.querySelector("textarea");
  area.value = "Hello";
  area.dispatchEvent(new window.Event("input", { bubbles: true }));
  await press("Send");
  await until(() => /tokens written/.test(main()), "the reply");
  assert.ok(seen.calls.includes("chat"));
  done.push("start, whole window, a reply that comes in parts");

  await press("Now");
  await press("Stop");
  await stateIs("stopped");
  await bridge.teardownResource({});
  const before = seen.calls.length;
  await new Promise((go) => setTimeout(go, 3000));
  assert.ok(seen.calls.length <= before + 1, "a page that was taken down still asks");
  assert.deepEqual(problems, []);
  done.push("stop, teardown, silence");
  const version = client.getNegotiatedProtocolVersion?.() ?? era;
  window.close();
  await client.close();
  return version;
}

await withoutApps();
const version = await inChat();
console.log(JSON.stringify({ version, done }));
process.exit(0);
