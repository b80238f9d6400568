// The link to the tools by HTTP: this page is an MCP client of the llama-mcp that serves it.

import { outcome } from "./results.js";

const PROTOCOL = "2026-07-28";

export function requestOf(about, id, name, args, isTold) {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientInfo": about,
    "io.modelcontextprotocol/clientCapabilities": {
      extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
    },
    ...(isTold ? { progressToken: id } : {}),
  };
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args, _meta: meta } };
}

// Gives the JSON of each event of a stream of server-sent events.
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest = (rest + value).replaceAll("\r\n", "\n");
    const whole = rest.split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      const data = lines.map((line) => line.slice(5)).join("\n");
      if (data.trim()) yield JSON.parse(data);
    }
  }
}

async function answerIn(response, id, onText) {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("text/event-stream")) return response.json();
  for await (const message of events(response.body)) {
    if (message.method === "notifications/progress") onText?.(message.params.message ?? "");
    else if (message.id === id) return message;
  }
  throw new Error("The answer broke off.");
}

function problemOf(response) {
  if (response.status === 401) return "The key of this page is no longer valid. Run llama-mcp dashboard again.";
  return `llama-mcp answered with HTTP status ${response.status}.`;
}

export async function connectByHttp(about, key) {
  let last = 0;
  const call = async (name, args = {}, { onText } = {}) => {
    const id = ++last;
    const response = await fetch("mcp", {
      method: "POST",
      credentials: "omit",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${key}`,
        "mcp-protocol-version": PROTOCOL,
        "mcp-method": "tools/call",
        "mcp-name": name,
      },
      body: JSON.stringify(requestOf(about, id, name, args, Boolean(onText))),
    }).catch(() => {
      throw new Error("llama-mcp does not answer. Has llama-mcp dashboard ended?");
    });
    if (response.status >= 400 && !isJson(response)) throw new Error(problemOf(response));
    const answer = await answerIn(response, id, onText);
    // Words without a code are of what stands before MCP: no key, another host, the end.
    if (answer.error) throw new Error(answer.error.message ?? problemOf(response));
    return outcome(answer.result);
  };
  return { kind: "http", place: "this browser", call, streams: true, openLink: null, tellModel: null, show: null };
}

function isJson(response) {
  return (response.headers.get("content-type") ?? "").startsWith("application/json");
}

// The key comes in the fragment, which no server and no log sees; a reload finds it in the tab.
export function keyOfPage() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem("key", given);
    history.replaceState(null, "", location.pathname);
  }
  return given ?? sessionStorage.getItem("key") ?? "";
}
