import { assertEquals } from "@std/assert";
import { Histogram } from "../../server/histogram.ts";

function create(): Histogram {
  return new Histogram({ name: "x_seconds", help: "X.", bounds: [5, 100, 2_500], scale: 1_000 });
}

/** Value by suffix and bound. */
function read(histogram: Histogram): Record<string, number> {
  return Object.fromEntries(
    histogram.family().samples.map(({ suffix, labels, value }) => [labels?.le ?? suffix, value]),
  );
}

Deno.test("Histogram counts in each bucket what is at most its bound, and what is below", () => {
  const histogram = create();
  for (const value of [0, 5, 6, 100, 101, 2_500, 2_501, 1_000_000]) histogram.record(value);
  assertEquals(read(histogram), {
    "0.005": 2,
    "0.1": 4,
    "2.5": 6,
    "+Inf": 8,
    "_sum": 1_005.213,
    "_count": 8,
  });
});

Deno.test("Histogram has all buckets before anything was recorded", () => {
  assertEquals(read(create()), { "0.005": 0, "0.1": 0, "2.5": 0, "+Inf": 0, _sum: 0, _count: 0 });
});

Deno.test("Histogram never falls from bucket to bucket, and ends with its count", () => {
  const histogram = create();
  for (let i = 0; i < 1_000; i++) histogram.record((i * 7_919) % 5_003);
  const buckets = histogram.family().samples.filter(({ suffix }) => suffix === "_bucket");
  const values = buckets.map(({ value }) => value);
  assertEquals(values, values.toSorted((a, b) => a - b));
  assertEquals(values.at(-1), read(histogram)._count);
});
