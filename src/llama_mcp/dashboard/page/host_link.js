// The link to the tools through the host that shows this page in a chat (MCP Apps, 2026-01-26).

import { outcome } from "./results.js";

const APPS_PROTOCOL = "2026-01-26";
const ANSWER_SECONDS = 60;

// Questions to the host that wait for their answers.
export class HostCalls {
  constructor(post) {
    this.post = post;
    this.waiting = new Map();
    this.last = 0;
  }

  ask(method, params = {}, seconds = ANSWER_SECONDS) {
    return new Promise((resolve, reject) => {
      const id = ++this.last;
      const giveUp = () => this.settle(id, { error: { message: `${method}: no answer in ${seconds} s` } });
      this.waiting.set(id, { resolve, reject, timer: setTimeout(giveUp, seconds * 1000) });
      this.post({ id, method, params });
    });
  }

  settle(id, answer) {
    const asked = this.waiting.get(id);
    if (!asked) return;
    clearTimeout(asked.timer);
    this.waiting.delete(id);
    if (answer.error) asked.reject(new Error(answer.error.message ?? "The host refused."));
    else asked.resolve(answer.result ?? {});
  }
}

// Answers what the host asks, and hands on what it tells. `on` has context and teardown.
export function take(message, calls, on) {
  const { id, method, params = {} } = message;
  if (method === undefined) calls.settle(id, message);
  else if (id === undefined) {
    if (method === "ui/notifications/host-context-changed") on.context(params);
  } else if (method === "ping" || method === "ui/resource-teardown") {
    if (method !== "ping") on.teardown();
    calls.post({ id, result: {} });
  } else calls.post({ id, error: { code: -32601, message: "Method not found" } });
}

function tellSize(calls) {
  let told = "";
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    const width = Math.ceil(window.innerWidth);
    if (told === `${width}x${height}`) return;
    told = `${width}x${height}`;
    calls.post({ method: "ui/notifications/size-changed", params: { width, height } });
  };
  if (globalThis.ResizeObserver) new ResizeObserver(tell).observe(document.documentElement);
  tell();
}

export async function connectToHost(about, on) {
  const calls = new HostCalls((message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*"));
  window.addEventListener("message", ({ source, data }) => {
    if (source === window.parent && data?.jsonrpc === "2.0") take(data, calls, on);
  });
  const greeting = await calls.ask("ui/initialize", {
    appInfo: about,
    appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
    protocolVersion: APPS_PROTOCOL,
  });
  calls.post({ method: "ui/notifications/initialized", params: {} });
  tellSize(calls);
  on.context(greeting.hostContext ?? {});
  return linkOf(calls, greeting);
}

// null stands for what this host cannot do.
function linkOf(calls, greeting) {
  const can = greeting.hostCapabilities ?? {};
  const modes = greeting.hostContext?.availableDisplayModes ?? [];
  const text = (words) => [{ type: "text", text: words }];
  return {
    kind: "host",
    place: greeting.hostInfo?.name ?? "a chat",
    call: async (name, args = {}) => outcome(await calls.ask("tools/call", { name, arguments: args })),
    openLink: can.openLinks ? (url) => calls.ask("ui/open-link", { url }) : null,
    tellModel: can.updateModelContext
      ? (words) => calls.ask("ui/update-model-context", { content: text(words) })
      : null,
    show: modes.includes("fullscreen") ? (mode) => calls.ask("ui/request-display-mode", { mode }) : null,
  };
}
