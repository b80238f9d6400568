/**
 * What a client does with llama-mcp, step by step; the TypeScript clients take this same walk.
 *
 * A client program connects, wraps its SDK in the few methods named below, and calls walk(). Every
 * step checks what it gets and throws when it is not as promised. The programs print one JSON line
 * on stdout: the protocol version and what was done.
 *
 * The methods: listTools, listResources, listResourceTemplates, call(name, arguments, options),
 * read(uri), subscribe(uris), listPrompts, getPrompt(name, arguments), complete(reference, argument),
 * and heard, a Heard that the client feeds with notifications.
 */
import assert from "node:assert/strict";

const PATIENCE_MS = 20_000;
const STATUS_URI = "llama://server/status";
const INDEX_URI = "llama://sessions";
const NO_MODEL = "nobody/nothing";
// In the folder that LLAMA_MCP_FILE_DIRS names.
const FILE = "note.txt";
// Long enough that the first progress does not come together with the result.
const REPLY_TOKENS = 600;
// Long enough that a reply is still being written when it is cancelled.
const LONG_REPLY_TOKENS = 20_000;

/** What the server told without being asked. */
export class Heard {
  updated = new Set();
  listChanged = false;

  async until(condition, what) {
    const end = Date.now() + PATIENCE_MS;
    while (!(await condition(this))) {
      assert(Date.now() < end, `never heard: ${what}`);
      await new Promise((resume) => setTimeout(resume, 10));
    }
  }
}

/** The variables of this process that the server is given; the SDKs pass on only a few. */
export function serverVariables() {
  const mine = Object.entries(process.env).filter(([name]) => /^(LLAMA_MCP|HF)_/.test(name));
  return Object.fromEntries(mine);
}

/** Print what a client program has to say and leave. */
export function report(version, era, done) {
  process.stdout.write(`${JSON.stringify({ version, era, done })}\n`);
}

/** Take the whole walk; return the names of its steps. */
export async function walk(client) {
  const tools = await list(client);
  const called = new Set();
  const call = async (name, given = {}, options = {}) => {
    called.add(name);
    const result = await client.call(name, given, options);
    assert(!result.isError, `${name}: ${JSON.stringify(result.content)}`);
    assert(result.structuredContent, `${name} gives no structure`);
    return result.structuredContent;
  };
  await client.subscribe([STATUS_URI, INDEX_URI]);
  await start(client, call);
  const reply = await chat(client, call);
  await readResources(client, reply);
  await getPrompt(client, reply.session_id);
  await cancel(client, call, reply.session_id);
  await callTheRest(client, tools, called, call, reply.session_id);
  await stop(client, call);
  const first = ["list", "subscribe", "start", "chat with progress", "read", "prompt", "cancel"];
  return [...first, `${called.size} tools`, "stop"];
}

async function list(client) {
  const tools = await client.listTools();
  const names = tools.map((tool) => tool.name);
  assert(names.includes("start_llama_server") && names.includes("chat"), `${names}`);
  for (const tool of tools) {
    assert(tool.outputSchema, `${tool.name} has no output schema`);
  }
  const resources = (await client.listResources()).map((resource) => resource.uri);
  assert(resources.includes(STATUS_URI) && resources.includes(INDEX_URI), `${resources}`);
  assert((await client.listResourceTemplates()).length >= 2, "no templates");
  return tools;
}

async function start(client, call) {
  const status = await call("start_llama_server");
  assert.equal(status.state, "ready");
  await client.heard.until((heard) => heard.updated.has(STATUS_URI), "that it was started");
  assert.equal(JSON.parse(await client.read(STATUS_URI)).state, "ready");
}

async function chat(client, call) {
  const progress = [];
  const given = { message: "Hello", max_tokens: REPLY_TOKENS, seed: 1, temperature: 0 };
  const reply = await call("chat", given, { onprogress: (step) => progress.push(step) });
  assert.equal(reply.status, "complete");
  assert(reply.reply.length > 0, "an empty reply");
  // Not all of it: both SDKs drop progress that they read together with the result (protocol.js
  // handles it a microtask later, when the request is forgotten). The Inspector's walk looks at the
  // wire, the Python client's at all that arrives: there the messages are exactly the reply.
  const text = progress.map((step) => step.message ?? "").join("");
  assert(text && reply.reply.startsWith(text), `not the reply: ${text} and ${reply.reply}`);
  const values = progress.map((step) => step.progress);
  assert(values.every((value, at) => at === 0 || value > values[at - 1]), `fell: ${values}`);
  await client.heard.until(
    (heard) => heard.updated.has(INDEX_URI) && heard.listChanged,
    "that there is a session",
  );
  return reply;
}

async function readResources(client, reply) {
  for (const { uri } of await client.listResources()) {
    assert((await client.read(uri)).length > 0, `${uri} is empty`);
  }
  const uri = `${INDEX_URI}/${reply.session_id}`;
  const data = JSON.parse(await client.read(`${uri}.json`));
  assert.equal(data.turns[0].reply, reply.reply);
  assert((await client.read(uri)).includes("Hello"), "the transcript lacks the message");
}

async function getPrompt(client, session_id) {
  const names = (await client.listPrompts()).map((prompt) => prompt.name);
  assert(names.includes("ask") && names.includes("go_on"), `${names}`);
  const reference = { type: "ref/prompt", name: "go_on" };
  const typed = { name: "session_id", value: session_id.slice(0, 3) };
  assert((await client.complete(reference, typed)).includes(session_id), "it does not complete");
  const messages = await client.getPrompt("go_on", { session_id, message: "Go on" });
  assert(messages[0].content.text.includes(session_id), "the prompt lacks the session");
}

async function cancel(client, call, session_id) {
  const given = { session_id, message: "Go on", max_tokens: LONG_REPLY_TOKENS };
  const abort = new AbortController();
  let text = "";
  const onprogress = (step) => {
    text += step.message ?? "";
    if (text) abort.abort("enough");
  };
  await assert.rejects(client.call("chat", given, { onprogress, signal: abort.signal }));
  // The cancellation and this question travel one after the other: it is known when this is read.
  const reply = await call("wait_for_reply", { session_id });
  assert.equal(reply.status, "cancelled");
  assert(reply.reply.startsWith(text), "what was received is not kept");
}

/** Call what the walk has not called, so that every tool's result is held against its schema. */
async function callTheRest(client, tools, called, call, session_id) {
  const fork = await call("fork_session", { session_id });
  await call("delete_session", { session_id: fork.session_id });
  await call("update_session", { session_id, title: "A walk" });
  // Nobody is at the address of the hub: it goes on trying until it is cancelled.
  await call("download_model", { model: NO_MODEL, wait_seconds: 0 });
  await call("download_model", { model: NO_MODEL, cancel: true });
  // The model of the walk chats: it is never asked for vectors.
  const refused = await client.call("rank_texts", { query: "Hello", texts: ["Hello"] }, {});
  assert(refused.isError && JSON.stringify(refused.content).includes("chat model"));
  called.add("rank_texts");
  const job = { instruction: "Sum up", files: [FILE], max_tokens: 8, temperature: 0 };
  await call("run_on_files", job);
  for (const tool of tools) {
    if (called.has(tool.name) || tool.name === "stop_llama_server") continue;
    const required = tool.inputSchema.required ?? [];
    const unknown = required.filter((name) => name !== "session_id");
    assert.deepEqual(unknown, [], `the walk has no arguments for ${tool.name}`);
    await call(tool.name, required.length ? { session_id } : {});
  }
}

async function stop(client, call) {
  // llama-server frees the slot of the cancelled reply a moment after it is cancelled.
  await client.heard.until(
    async () => !(await call("status")).slots?.busy,
    "that no reply is being written",
  );
  client.heard.updated.delete(STATUS_URI);
  assert.equal((await call("stop_llama_server")).state, "stopped");
  await client.heard.until((heard) => heard.updated.has(STATUS_URI), "that it was stopped");
}
