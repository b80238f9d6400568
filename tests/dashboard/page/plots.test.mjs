import assert from "node:assert/strict";
import { test } from "node:test";
import { elementsOf, load, textOf } from "./page.mjs";

const { Plot, pieces, roundedUp, scaleOf } = await load("plots.js");

test("a scale ends at a round number that is high enough", () => {
  for (const [value, top] of [[0, 1], [0.3, 0.5], [1, 1], [1.2, 2], [2.2, 2.5], [26, 50], [99, 100], [101, 200]]) {
    assert.ok(Math.abs(roundedUp(value) - top) < 1e-9, `${value}`);
  }
});

test("one outlier is cut, and the plot says so", () => {
  const values = [...Array(99).fill(10), 5000];
  assert.deepEqual(scaleOf(values), { top: 10, isCut: true });
  assert.equal(scaleOf([10, 5000]).isCut, false, "of two values neither is an outlier");
  const points = values.map((value, at) => ({ at, value, what: "" }));
  assert.ok(textOf(Plot({ title: "Speed", unit: "t/s", points, from: 0, to: 99 })).includes("cut at"));
});

test("a line has a gap where nothing is known", () => {
  const points = [1, null, undefined, NaN, 2, 3].map((value, at) => ({ at, value }));
  assert.deepEqual(pieces(points).map((piece) => piece.map((point) => point.value)), [[1], [2, 3]]);
});

test("a plot says in words what it shows", () => {
  const label = (points) => elementsOf(Plot({ title: "Speed", unit: "t/s", points, from: 0, to: 9 })).find((each) => each.type === "svg").props["aria-label"];
  assert.equal(label([]), "Speed: nothing yet");
  assert.equal(label([{ at: 1, value: 4 }, { at: 2, value: 2 }]), "Speed: last 2 t/s, highest 4 t/s");
});
