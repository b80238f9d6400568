import assert from "node:assert/strict";
import { test } from "node:test";
import { elementsOf, load, textOf } from "./page.mjs";

const { Head, Slots, UnderWay, stageOf } = await load("now.js");
const { aboutModel } = await load("models.js");
const { figuresOf } = await load("conversations.js");
const { bytes, duration, number, percent } = await load("format.js");

test("a turn under way says where it is", () => {
  const said = (progress, more = {}) => stageOf({ session_id: "s", title: "T", seconds: 3, progress, ...more });
  assert.equal(said(undefined), "3 s");
  assert.equal(said({ stage: "loading" }), "3 s, waits for its model");
  assert.equal(said({ stage: "queued", place: 2 }), "3 s, place 2 in the queue");
  assert.equal(said({ stage: "reading", prompt_tokens: 100, prompt_tokens_read: 40 }), "3 s, 40 of 100 tokens read");
  assert.equal(said({ stage: "generating", generated_tokens: 7, tokens_per_second: 12.34 }), "3 s, 7 tokens written, 12.3 tokens/s");
  assert.equal(said({ stage: "generating" }, { is_cancel_asked: true }), "3 s, is being cancelled");
  assert.equal(said({ stage: "generating" }, { job: { done: 2, planned: 9, files: 3, left_out: 1 } }), "3 s, 2 of about 9 pieces, 3 files, 1 left out");
});

test("hostile titles stay text", () => {
  const turn = { session_id: "s", title: "<img src=x onerror=alert(1)>", seconds: 1, tail: "</script>" };
  const tree = UnderWay({ turns: [turn], open: () => {}, cancel: () => {} });
  assert.ok(!elementsOf(tree).some((element) => element.type === "img" || element.type === "script"));
  assert.ok(textOf(tree).includes("<img src=x onerror=alert(1)>"));
});

test("with little room one turn under way is shown, and how many more there are", () => {
  const turns = ["A", "B", "C"].map((title) => ({ session_id: title, title, seconds: 1 }));
  const titles = (isShort) => elementsOf(UnderWay({ turns, open: () => {}, cancel: () => {}, isShort })).filter((each) => each.props.class === "link").map(textOf);
  assert.deepEqual(titles(false), ["A", "B", "C"]);
  assert.deepEqual(titles(true), ["A"]);
  assert.ok(textOf(UnderWay({ turns, open: null, cancel: () => {}, isShort: true })).includes("and 2 more"));
});

test("a title leads nowhere where a conversation has no room", () => {
  const tree = UnderWay({ turns: [{ session_id: "s", title: "T", seconds: 1 }], open: null, cancel: () => {}, isShort: true });
  assert.deepEqual(elementsOf(tree).filter((each) => each.type === "button").map(textOf), ["Cancel"]);
});

test("a turn of somebody else's has no name, and nothing to press", () => {
  const tree = UnderWay({ turns: [{ seconds: 1 }], open: () => {}, cancel: () => {} });
  assert.ok(textOf(tree).includes("somebody else's"));
  assert.deepEqual(elementsOf(tree).filter((each) => each.type === "button"), []);
});

test("what can be pressed depends on the state", () => {
  const buttons = (status) => elementsOf(Head({ status, isBusy: false, act: () => {} })).filter((each) => each.type === "button").map(textOf);
  assert.deepEqual(buttons({ state: "stopped", message: "" }), ["Start"]);
  assert.deepEqual(buttons({ state: "ready", message: "" }), ["Stop"]);
  assert.deepEqual(buttons({ state: "ready", message: "", engine: { kind: "remote" } }), []);
});

test("every gauge has a name", () => {
  const slots = [{ id: 3, is_processing: true, generated_tokens: 4, ctx_size: 100, tokens: 20, speed: 5 }];
  const meters = elementsOf(Slots({ slots })).filter((each) => each.type === "meter");
  assert.equal(meters[0].props["aria-label"], "Context of slot 3");
});

test("numbers are written as people read them, and what is unknown is a dash", () => {
  assert.equal(bytes(1536 * 2 ** 20), "1.5 GiB");
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(undefined), "–");
  assert.equal(number(NaN), "–");
  assert.equal(percent(0.256), "26%");
  assert.equal(duration(7200), "2 h");
  assert.equal(figuresOf({ usage: {}, timing: {} }), "");
  assert.equal(aboutModel({ kind: "chat", size_bytes: 2 ** 30, fits: "cpu" }), "1 GiB, fits memory");
});
