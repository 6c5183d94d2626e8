import { assertEquals, assertThrows } from "@std/assert";
import { TokenBucket } from "../../server/token_bucket.ts";

Deno.test("TokenBucket lets a burst through, then the rate", () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
  const table: [now: number, passes: boolean][] = [
    [0, true],
    [0, true],
    [0, true],
    [0, false],
    [99, false],
    [100, true],
    [100, false],
    [10_000, true],
    [10_000, true],
    [10_000, true],
    [10_000, false],
  ];
  for (const [now, passes] of table) assertEquals(bucket.take(now), passes, `at ${now}`);
});

Deno.test("TokenBucket bursts as much as in a second by default", () => {
  const bucket = new TokenBucket({ perSecond: 2 }, 0);
  assertEquals([0, 0, 0].map((now) => bucket.take(now)), [true, true, false]);
});

Deno.test("TokenBucket takes nothing when it refuses", () => {
  const bucket = new TokenBucket({ perSecond: 10 }, 0);
  assertEquals(bucket.take(0, 8), true);
  assertEquals(bucket.take(0, 3), false);
  assertEquals(bucket.take(0, 2), true);
});

Deno.test("TokenBucket lets what is larger than the burst pass when it is full, and is owed the rest", () => {
  const bucket = new TokenBucket({ perSecond: 10 }, 0);
  assertEquals(bucket.take(0, 1), true);
  assertEquals(bucket.take(0, 40), false);
  assertEquals(bucket.wait(0, 40), 100);
  assertEquals(bucket.take(100, 40), true);
  assertEquals(bucket.take(3_100), false);
  assertEquals(bucket.take(3_200), true);
});

Deno.test("TokenBucket.wait() tells when an amount passes", () => {
  const bucket = new TokenBucket({ perSecond: 3 }, 0);
  assertEquals(bucket.wait(0, 3), 0);
  bucket.take(0, 3);
  assertEquals(bucket.wait(0), 334);
  assertEquals(bucket.take(333), false);
  assertEquals(bucket.take(334), true);
});

Deno.test("TokenBucket.isFull() tells when nothing is remembered", () => {
  const bucket = new TokenBucket({ perSecond: 10 }, 0);
  assertEquals(bucket.isFull(0), true);
  bucket.take(0);
  assertEquals(bucket.isFull(99), false);
  assertEquals(bucket.isFull(100), true);
});

Deno.test("TokenBucket is not filled by time that runs backwards, and goes on from there", () => {
  const bucket = new TokenBucket({ perSecond: 1 }, 10_000);
  assertEquals(bucket.take(10_000), true);
  assertEquals(bucket.take(5_000), false);
  assertEquals(bucket.take(5_999), false);
  assertEquals(bucket.take(6_000), true);
});

Deno.test("TokenBucket never lets more through than burst and rate allow", () => {
  const bucket = new TokenBucket({ perSecond: 50, burst: 20 }, 0);
  let now = 0;
  let passed = 0;
  for (let i = 1; i <= 10_000; i++) {
    now += i % 7;
    if (bucket.take(now)) passed++;
    if (passed > 20 + now * 0.05 + 1e-6) throw new Error(`${passed} passed by ${now} ms`);
  }
  assertEquals(passed >= Math.floor(now * 0.05), true);
});

Deno.test("new TokenBucket() refuses what is no rate", () => {
  for (const perSecond of [0, -1, NaN, Infinity]) {
    const message = `"perSecond" must be positive and finite: current value is ${perSecond}`;
    assertThrows(() => new TokenBucket({ perSecond }, 0), RangeError, message);
  }
  assertThrows(() => new TokenBucket({ perSecond: 1, burst: 0 }, 0), RangeError, '"burst"');
});
