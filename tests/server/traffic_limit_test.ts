import { assertEquals, assertThrows } from "@std/assert";
import { countMessages, TrafficLimit } from "../../server/traffic_limit.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("TrafficLimit.take() bounds messages, and says when the next one passes", () => {
  const clock = new ManualClock();
  const limit = new TrafficLimit({ messages: { perSecond: 2 } }, clock);
  assertEquals([1, 1, 1].map((count) => limit.take("x".repeat(9_999), count)), [0, 0, 500]);
  clock.advance(250);
  assertEquals(limit.take("x", 1), 250);
  clock.advance(250);
  assertEquals(limit.take("x", 1), 0);
});

Deno.test("TrafficLimit.take() bounds bytes of UTF-8", () => {
  const limit = new TrafficLimit({ bytes: { perSecond: 10 } }, new ManualClock());
  assertEquals(["漢é1234", "x", ""].map((frame) => limit.take(frame, 1)), [0, 0, 0]);
  assertEquals(limit.take("1", 1), 100);
});

Deno.test("TrafficLimit.take() takes nothing of one rate for what the other refuses", () => {
  const clock = new ManualClock();
  const rates = { messages: { perSecond: 2 }, bytes: { perSecond: 10 } };
  const limit = new TrafficLimit(rates, clock);
  assertEquals(limit.take("0123456789", 1), 0);
  for (let i = 0; i < 5; i++) assertEquals(limit.take("0123456789", 1), 1_000);
  // The second message of the second was not used up by them.
  assertEquals(limit.take("", 1), 0);
});

Deno.test("TrafficLimit.take() lets through alone what is larger than the burst", () => {
  const clock = new ManualClock();
  const limit = new TrafficLimit({ bytes: { perSecond: 100, burst: 50 } }, clock);
  assertEquals(limit.take("x".repeat(1_000), 1), 0);
  assertEquals(limit.take("x".repeat(50), 1), 10_000);
});

Deno.test("TrafficLimit refuses rates that let nothing through", () => {
  for (const perSecond of [0, -1, NaN, Infinity]) {
    const options = { messages: { perSecond } };
    assertThrows(() => new TrafficLimit(options, new ManualClock()), RangeError, "perSecond");
  }
});

Deno.test("countMessages() counts the lines of a frame, its last piece, and whatever steers", () => {
  const frames = ["{}", "{}\n{}\n{}", "+{\n", "=}\n", '["ack",1]', "", "garbage\n"];
  assertEquals(frames.map(countMessages), [1, 3, 0, 1, 1, 1, 1]);
});
