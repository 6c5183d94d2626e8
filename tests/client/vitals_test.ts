import { assert, assertEquals } from "@std/assert";
import { qualityOf, Vitals } from "../../client/vitals.ts";
import { seededRandom } from "../support/random.ts";

function answered(...times: number[]): Vitals {
  const vitals = new Vitals();
  for (const ms of times) {
    vitals.pinged();
    vitals.ponged(ms);
  }
  return vitals;
}

Deno.test("Vitals know nothing before the first ping has an outcome", () => {
  const vitals = new Vitals();
  vitals.pinged();
  assertEquals(vitals.signs, {
    pings: 1,
    latency: undefined,
    lastLatency: undefined,
    jitter: undefined,
    loss: undefined,
    quality: undefined,
  });
});

Deno.test("Vitals smooth the latency by an eighth", () => {
  const { latency, lastLatency, pings } = answered(80, 160).signs;
  assertEquals([latency, lastLatency, pings], [90, 160, 2]);
});

Deno.test("Vitals smooth the differences between round trips by a sixteenth", () => {
  assertEquals(answered(80).signs.jitter, undefined);
  assertEquals(answered(80, 160).signs.jitter, 80);
  assertEquals(answered(80, 160, 160).signs.jitter, 75);
});

Deno.test("Vitals forget losses after twenty pings", () => {
  const vitals = answered(10);
  for (let i = 0; i < 4; i++) vitals.missed();
  assertEquals(vitals.signs.loss, 0.8);
  for (let i = 0; i < 15; i++) vitals.ponged(10);
  assertEquals(vitals.signs.loss, 0.2);
  vitals.ponged(10);
  assertEquals(vitals.signs.loss, 0.2);
  for (let i = 0; i < 4; i++) vitals.ponged(10);
  assertEquals(vitals.signs.loss, 0);
});

Deno.test("Vitals count the misses in a row on one connection", () => {
  const vitals = new Vitals();
  vitals.missed();
  vitals.missed();
  assertEquals(vitals.misses, 2);
  vitals.opened();
  assertEquals([vitals.misses, vitals.signs.loss], [0, 1]);
  vitals.missed();
  vitals.ponged(1);
  assertEquals(vitals.misses, 0);
});

Deno.test("Vitals of a peer that never answered: no latency, no quality", () => {
  const vitals = new Vitals();
  vitals.missed();
  const { latency, loss, quality } = vitals.signs;
  assertEquals([latency, loss, quality], [undefined, 1, 0]);
});

/** Loss, latency, jitter, quality. */
const QUALITIES: readonly [number, number | undefined, number | undefined, number][] = [
  [0, 0, undefined, 1],
  [0, 0, 0, 1],
  [0, 1_000, 0, 0.5],
  [0, 0, 500, 0.5],
  [0.5, 0, 0, 0.25],
  [0.5, 1_000, 0, 0.125],
  [1, undefined, undefined, 0],
];

for (const [loss, latency, jitter, quality] of QUALITIES) {
  Deno.test(`qualityOf(${loss}, ${latency}, ${jitter}) is ${quality}`, () => {
    assertEquals(qualityOf(loss, latency, jitter), quality);
  });
}

Deno.test("Vitals stay within their bounds, whatever comes", () => {
  const random = seededRandom(1);
  const vitals = new Vitals();
  for (let i = 0; i < 10_000; i++) {
    vitals.pinged();
    if (random() < 0.2) vitals.missed();
    else vitals.ponged(random() * 3_000);
    const { latency = 0, jitter = 0, loss = -1, quality = -1 } = vitals.signs;
    assert(latency >= 0 && latency <= 3_000 && jitter >= 0 && jitter <= 3_000);
    assert(loss >= 0 && loss <= 1 && quality >= 0 && quality <= 1);
  }
});
