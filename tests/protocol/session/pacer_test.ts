import { assertEquals } from "@std/assert";
import type { Clock } from "../../../protocol/clock.ts";
import { Pacer } from "../../../protocol/session/pacer.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A pacer whose socket stays full for so many looks, and when it looked. */
function pace(clock: ManualClock, looks: number): { pacer: Pacer; times: number[] } {
  const times: number[] = [];
  const startedAt = clock.now();
  const pacer = new Pacer(clock, () => {
    times.push(clock.now() - startedAt);
    if (times.length < looks) pacer.wait();
  });
  return { pacer, times };
}

Deno.test("Pacer looks at once sixteen times, then more and more rarely", () => {
  const clock = new ManualClock();
  const { pacer, times } = pace(clock, 22);
  pacer.wait();
  clock.advance(1_000);
  assertEquals(times, [...Array(16).fill(0), 1, 3, 7, 15, 23, 31]);
  assertEquals(clock.timers, 0);
});

Deno.test("Pacer.wait() looks once, however often it is called", () => {
  const clock = new ManualClock();
  const { pacer, times } = pace(clock, 1);
  for (let n = 0; n < 30; n++) pacer.wait();
  assertEquals(clock.timers, 1);
  clock.advance(1_000);
  assertEquals(times, [0]);
});

Deno.test("Pacer.moved() has the socket looked at often again", () => {
  const clock = new ManualClock();
  const { pacer, times } = pace(clock, 18);
  pacer.wait();
  clock.advance(1_000);
  pacer.moved();
  times.length = 0;
  pacer.wait();
  clock.advance(0);
  assertEquals(times.length, 16);
});

Deno.test("Pacer.stop() leaves no timer", () => {
  const clock = new ManualClock();
  const { pacer, times } = pace(clock, 5);
  pacer.wait();
  pacer.stop();
  clock.advance(1_000);
  assertEquals([times, clock.timers], [[], 0]);
});

Deno.test("Pacer uses the turns of a clock that has them", () => {
  const turns: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    after: () => {
      throw new Error("No timer is wanted");
    },
    turn(callback) {
      turns.push(callback);
      return { clear: () => turns.splice(turns.indexOf(callback), 1) };
    },
  };
  let looks = 0;
  const pacer = new Pacer(clock, () => looks++);
  pacer.wait();
  turns.shift()?.();
  pacer.wait();
  pacer.stop();
  assertEquals([looks, turns.length], [1, 0]);
});
