import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { nextTurn, systemClock } from "../../protocol/clock.ts";
import { ManualClock } from "../support/manual_clock.ts";

const DAY = 86_400_000;

Deno.test("systemClock.now() is the wall clock", () => {
  using time = new FakeTime(1_000);
  assertEquals(systemClock.now(), 1_000);
  time.tick(50);
  assertEquals(systemClock.now(), 1_050);
});

Deno.test("systemClock.after() runs its callback once, when it is time", () => {
  using time = new FakeTime();
  let runs = 0;
  systemClock.after(100, () => runs++);
  time.tick(99);
  assertEquals(runs, 0);
  time.tick(1);
  assertEquals(runs, 1);
  time.tick(1_000);
  assertEquals(runs, 1);
});

Deno.test("systemClock.after() takes a time in the past as now", () => {
  using time = new FakeTime();
  let runs = 0;
  systemClock.after(-5, () => runs++);
  time.tick(1);
  assertEquals(runs, 1);
});

for (const delay of [2 ** 31, Infinity]) {
  Deno.test(`systemClock.after() does not run at once because ${delay} ms do not fit`, () => {
    using time = new FakeTime();
    let runs = 0;
    const timer = systemClock.after(delay, () => runs++);
    time.tick(24 * DAY);
    assertEquals(runs, 0);
    timer.clear();
  });
}

Deno.test("Timer.clear() keeps the callback from running, any number of times", () => {
  using time = new FakeTime();
  let runs = 0;
  const timer = systemClock.after(100, () => runs++);
  timer.clear();
  timer.clear();
  time.tick(1_000);
  assertEquals(runs, 0);
});

Deno.test("ManualClock.advance() runs what falls due, in order and at its time", () => {
  const clock = new ManualClock(0);
  const runs: [string, number][] = [];
  clock.after(20, () => runs.push(["c", clock.now()]));
  clock.after(10, () => {
    runs.push(["a", clock.now()]);
    clock.after(5, () => runs.push(["b", clock.now()]));
    clock.after(15, () => runs.push(["late", clock.now()]));
  });
  clock.after(20, () => runs.push(["d", clock.now()]));
  clock.advance(20);
  assertEquals(runs, [["a", 10], ["b", 15], ["c", 20], ["d", 20]]);
  assertEquals([clock.now(), clock.timers], [20, 1]);
});

Deno.test("ManualClock.stall() lets timers come late", () => {
  const clock = new ManualClock(0);
  let ranAt = -1;
  clock.after(10, () => ranAt = clock.now());
  clock.stall(50);
  assertEquals(ranAt, -1);
  clock.advance(0);
  assertEquals(ranAt, 50);
});

Deno.test("nextTurn() runs before any timer, and can be cleared", async () => {
  const order: string[] = [];
  const cleared = nextTurn(systemClock, () => order.push("cleared"));
  cleared.clear();
  const { promise, resolve } = Promise.withResolvers<void>();
  systemClock.after(20, () => {
    order.push("timer");
    resolve();
  });
  nextTurn(systemClock, () => order.push("turn"));
  assertEquals(order, []);
  await promise;
  assertEquals(order, ["turn", "timer"]);
});

Deno.test("nextTurn() is a timer where the clock has no turns", () => {
  const clock = new ManualClock();
  let runs = 0;
  nextTurn(clock, () => runs++);
  assertEquals(runs, 0);
  clock.advance(0);
  assertEquals(runs, 1);
});
