import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./page.mjs";

const { HostCalls, take } = await load("host_link.js");
const { connectByHttp, events } = await load("http_link.js");
const { ToolError, outcome } = await load("results.js");
const { converse } = await load("chat_box.js");
const { nextTab } = await load("tabs.js");

const streamOf = (parts) => new ReadableStream({
  start(controller) {
    for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
    controller.close();
  },
});

async function all(parts) {
  const found = [];
  for await (const event of events(streamOf(parts))) found.push(event);
  return found;
}

test("events are read however the bytes are cut", async () => {
  const text = ': ping\n\ndata: {"a":1}\r\n\r\nevent: message\ndata: {"b":\ndata: "ü"}\n\n';
  const expected = [{ a: 1 }, { b: "ü" }];
  assert.deepEqual(await all([text]), expected);
  assert.deepEqual(await all([...text]), expected);
});

test("a key that is no longer valid is told as that", async (run) => {
  const refusal = () => Response.json({ error: "a token is needed" }, { status: 401 });
  run.mock.method(globalThis, "fetch", async () => refusal());
  const link = await connectByHttp({ name: "page", version: "1" }, "old");
  await assert.rejects(link.call("status"), /The key of this page is no longer valid/);
});

test("a question to the host is settled by its answer, a refusal, or the time", async () => {
  const posted = [];
  const calls = new HostCalls((message) => posted.push(message));
  const one = calls.ask("tools/call");
  const two = calls.ask("tools/call");
  take({ id: 2, error: { message: "no" } }, calls, {});
  take({ id: 1, result: { ok: true } }, calls, {});
  assert.deepEqual(await one, { ok: true });
  await assert.rejects(two, /no/);
  await assert.rejects(calls.ask("ui/open-link", {}, 0.001), /no answer/);
});

test("the host's ping and teardown are answered, and what we do not know is refused", () => {
  const posted = [];
  const told = [];
  const calls = new HostCalls((message) => posted.push(message));
  const on = { context: (context) => told.push(context), teardown: () => told.push("teardown") };
  take({ id: "p", method: "ping" }, calls, on);
  take({ id: "t", method: "ui/resource-teardown" }, calls, on);
  take({ id: "x", method: "ui/other" }, calls, on);
  take({ method: "ui/notifications/host-context-changed", params: { theme: "dark" } }, calls, on);
  take({ method: "ui/notifications/tool-result", params: { old: true } }, calls, on);
  assert.deepEqual(posted.map((message) => message.error?.code ?? "ok"), ["ok", "ok", -32601]);
  assert.deepEqual(told, ["teardown", { theme: "dark" }]);
});

test("a failed tool is an error with the tool's words", () => {
  const result = { isError: true, content: [{ type: "text", text: "Not now." }] };
  assert.throws(() => outcome(result), (error) => error instanceof ToolError && error.message === "Not now.");
});

function linkThat(streams, answers) {
  const asked = [];
  const call = async (name, args, { onText } = {}) => {
    asked.push([name, args]);
    const { pieces = [], ...data } = answers.shift();
    pieces.forEach((piece) => onText?.(piece));
    return { data };
  };
  return { streams, call, asked };
}

test("in a browser the pieces of a reply are shown as they come", async () => {
  const told = [];
  const link = linkThat(true, [{ pieces: ["One", " two"], session_id: "s", status: "complete", reply: "One two" }]);
  const end = await converse(link, "Hi", "", (text) => told.push(text));
  assert.deepEqual(told, ["One", "One two", "One two"]);
  assert.equal(end.session_id, "s");
});

test("in a chat, where no progress comes, the rest is asked for until the reply is over", async () => {
  const told = [];
  const link = linkThat(false, [
    { session_id: "s", status: "in_progress", reply: "One" },
    { session_id: "s", status: "in_progress" },
    { session_id: "s", status: "complete", reply: " two" },
  ]);
  const end = await converse(link, "Hi", "s", (text) => told.push(text));
  assert.equal(end.text, "One two");
  assert.deepEqual(link.asked.map(([name]) => name), ["chat", "wait_for_reply", "wait_for_reply"]);
  assert.equal(link.asked[0][1].session_id, "s");
});

test("a streamed reply that outlasts its call goes on after what was told", async () => {
  const link = linkThat(true, [
    { pieces: ["One"], session_id: "s", status: "in_progress", reply: "" },
    { session_id: "s", status: "complete", reply: " two" },
  ]);
  const end = await converse(link, "Hi", "", () => {});
  assert.equal(end.text, "One two");
});

test("arrow keys, Home and End move among tabs", () => {
  const names = ["a", "b", "c"];
  for (const [chosen, key, next] of [["a", "ArrowRight", "b"], ["c", "ArrowRight", "a"], ["a", "ArrowLeft", "c"], ["b", "Home", "a"], ["a", "End", "c"], ["a", "x", undefined]]) {
    assert.equal(nextTab(names, chosen, key), next);
  }
});
