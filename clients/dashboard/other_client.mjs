// What another client does meanwhile, over HTTP: a conversation whose title and texts try to be more
// than text, and a reply that does not end.

const REPLY = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "</script></style></textarea>",
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>', "<style>*{display:none}</style>",
  '<base href="https://elsewhere.example"><meta http-equiv="refresh" content="0;url=https://elsewhere.example">',
  '<form action="https://elsewhere.example"><button>x</button></form>', "<details open ontoggle=alert(1)>",
  "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](&#106;avascript:alert(1)) [d](java\tscript:alert(1))",
  "[e](data:text/html,<script>alert(1)</script>) [f](vbscript:x) [g](file:///etc/passwd) [h](https://ok.example)",
  "![i](https://elsewhere.example/pixel.png)", "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
  "`</script><script>alert(1)</script>`", "\u202Etxt.exe \u0007 \u001b[31mred", ">".repeat(60) + " deep", "[".repeat(3000),
].join("\n\n");

export const HOSTILE = { title: 'HOSTILE <img src=x onerror=alert("title")> </script>' };

export async function haveHostileSession(url) {
  const call = (name, args) => callTool(url, name, args);
  const history = [
    { role: "user", content: REPLY },
    { role: "assistant", content: REPLY },
  ];
  const made = await call("chat", { message: "HOSTILE <b>message</b>", history, max_tokens: 2, overflow: "trim" });
  const session_id = made.structuredContent.session_id;
  await call("update_session", { session_id, title: HOSTILE.title });
  await call("stop_llama_server", { force: true });
}

export const ENDLESS = "A reply without an end";

export function haveEndlessReply(url, message = ENDLESS) {
  return callTool(url, "chat", { message, max_tokens: 30_000, wait_seconds: 0, stream: "off" });
}

let last = 0;

export async function callTool(url, name, args) {
  const result = await ask(url, "tools/call", name, { name, arguments: args });
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
  return result;
}

export async function readText(url, uri) {
  return (await ask(url, "resources/read", uri, { uri })).contents[0].text;
}

async function ask(url, method, name, params) {
  const key = new URLSearchParams(url.hash.slice(1)).get("key");
  const response = await fetch(`${url.origin}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json", accept: "application/json, text/event-stream", authorization: `Bearer ${key}`,
      "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": name,
    },
    body: JSON.stringify({
      jsonrpc: "2.0", id: ++last, method,
      params: {
        ...params,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
          "io.modelcontextprotocol/clientInfo": { name: "hostile", version: "1" },
        },
      },
    }),
  });
  const text = await response.text();
  const lines = text.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5));
  const message = JSON.parse(lines.length ? lines.at(-1) : text);
  if (message.error) throw new Error(`${name}: ${text}`);
  return message.result;
}
