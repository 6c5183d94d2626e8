import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { median, percentile, summariseRatios } from "../../bench/statistics.ts";

Deno.test("median() is the value in the middle, in whatever order they come", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([10, 9]), 9.5);
  assertEquals(median([7]), 7);
});

Deno.test("median() sorts numbers as numbers", () => {
  assertEquals(median([100, 9, 20]), 20);
});

Deno.test("percentile() lies between neighbours by proportion", () => {
  const values = [5, 1, 2, 3, 4];
  assertEquals(percentile(values, 0), 1);
  assertEquals(percentile(values, 1), 5);
  assertEquals(percentile(values, 0.25), 2);
  assertAlmostEquals(percentile(values, 0.9), 4.6);
  assertAlmostEquals(percentile([1, 2], 0.1), 1.1);
});

Deno.test("percentile() leaves the values as they are", () => {
  const values = [2, 1];
  percentile(values, 0.5);
  assertEquals(values, [2, 1]);
});

Deno.test("percentile() refuses a share that is none, and an empty list", () => {
  assertThrows(() => percentile([1], 1.1), RangeError, "it is 1.1");
  assertThrows(() => percentile([1], -0.1), RangeError);
  assertThrows(() => percentile([1], NaN), RangeError);
  assertThrows(() => percentile([], 0.5), RangeError, "no values");
});

Deno.test("summariseRatios() divides neighbours, not medians", () => {
  // The machine was ten times slower during the second pair: the ratio does not show it.
  const pairs = [{ ours: 2, floor: 1 }, { ours: 20, floor: 10 }, { ours: 2.2, floor: 1.1 }];
  const { median, p10, p90 } = summariseRatios(pairs);
  for (const ratio of [median, p10, p90]) assertAlmostEquals(ratio, 2);
});

Deno.test("summariseRatios() tells how the ratios scatter", () => {
  const pairs = Array.from({ length: 11 }, (_, i) => ({ ours: i, floor: 1 }));
  assertEquals(summariseRatios(pairs), { median: 5, p10: 1, p90: 9 });
});
