import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./page.mjs";

const { KEPT_SAMPLES, askFor, nothingSeen, speedNow, takeLook } = await load("looks.js");
const utc = (at) => new Date(at).toISOString();
const look = (at, more = {}) => ({ at_utc: utc(at), status: { state: "ready" }, ...more });
const slot = (generated_tokens, is_processing = true) => ({ id: 0, is_processing, generated_tokens });

test("the speed of a slot is what it gained between two looks", () => {
  const first = takeLook(nothingSeen(), look(1000, { slots: [slot(10)] }));
  assert.equal(first.snapshot.slots[0].speed, null);
  const second = takeLook(first, look(3000, { slots: [slot(50)] }));
  assert.equal(second.snapshot.slots[0].speed, 20);
  assert.equal(speedNow(second), 20);
  const next = takeLook(second, look(4000, { slots: [slot(3)] }));
  assert.equal(next.snapshot.slots[0].speed, null, "another reply has begun");
});

test("a turn and a sample are kept once, and only so many of them", () => {
  const turn = { session_id: "s", turn: 1, ended_at_utc: utc(500) };
  let seen = nothingSeen();
  for (let at = 1; at <= KEPT_SAMPLES + 50; at += 1) {
    seen = takeLook(seen, look(at * 1000, { ended: [turn], samples: [{ at_utc: utc(at * 1000 - 1000) }, { at_utc: utc(at * 1000) }] }));
  }
  assert.equal(seen.ended.length, 1);
  assert.equal(seen.samples.length, KEPT_SAMPLES);
  assert.ok(seen.samples.every((sample, index) => index === 0 || sample.at > seen.samples[index - 1].at));
});

test("a look asks for what came after the one before", () => {
  assert.deepEqual(askFor(nothingSeen()), {});
  assert.deepEqual(askFor(takeLook(nothingSeen(), look(7))), { since_utc: utc(7) });
});

test("without slots the speed is what llama-server says of itself", () => {
  assert.equal(speedNow(takeLook(nothingSeen(), look(1, { metrics: { generated_tokens_per_second_now: 9 } }))), 9);
  assert.equal(speedNow(nothingSeen()), null);
  const idle = { slots: [slot(3, false)], metrics: { generated_tokens_per_second_now: 9 } };
  assert.equal(speedNow(takeLook(nothingSeen(), look(1, idle))), 0, "of a time when something was written");
});
