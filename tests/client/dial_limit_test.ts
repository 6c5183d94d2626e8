import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { DialLimit, DialLimitError, resolveDialLimit } from "../../client/dial_limit.ts";
import { MCPCapacityError } from "../../protocol/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const never = new AbortController().signal;

Deno.test("DialLimit allows ten failed dials in a minute by default", async () => {
  const clock = new ManualClock();
  const limit = new DialLimit({}, clock);
  for (let dial = 0; dial < 10; dial++) {
    await limit.admit(never);
    limit.record();
    clock.advance(1_000);
  }
  assertEquals(limit.failures, 10);
  assertEquals(limit.waitTime(), 50_000);
  const error = await assertRejects(
    () => limit.admit(never),
    DialLimitError,
    "Cannot connect: 10 dials have failed within 60000 ms, the next one may be made in 50000 ms",
  );
  assertInstanceOf(error, MCPCapacityError);
  assertEquals(
    [error.name, error.kind, error.retryable, error.retryAfter, error.limit],
    ["DialLimitError", "capacity", true, 50_000, 10],
  );
});

Deno.test("DialLimit slides: each failure is forgotten in its own time", () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 2, window: 100 }, clock);
  limit.record();
  clock.advance(60);
  limit.record();
  assertEquals(limit.waitTime(), 40);
  clock.advance(39);
  assertEquals(limit.waitTime(), 1);
  clock.advance(1);
  assertEquals([limit.waitTime(), limit.failures], [0, 1]);
  limit.record();
  assertEquals(limit.waitTime(), 60);
  clock.advance(160);
  assertEquals([limit.waitTime(), limit.failures], [0, 0]);
});

Deno.test("DialLimit does not count dials that nobody records", async () => {
  const limit = new DialLimit({ maxFailures: 1 }, new ManualClock());
  for (let dial = 0; dial < 100; dial++) await limit.admit(never);
  assertEquals(limit.failures, 0);
});

Deno.test("DialLimit.admit() waits until the next dial may be made", async () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 1, window: 100, excess: "wait" }, clock);
  limit.record();
  let isAdmitted = false;
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const admitted = limit.admit(signal).then(() => isAdmitted = true);
  clock.advance(50);
  limit.record();
  clock.advance(50);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(isAdmitted, false, "another dial has failed meanwhile");
  assertEquals(clock.timers, 1);
  clock.advance(50);
  await admitted;
  assertEquals([clock.timers, listeners], [0, 0]);
});

Deno.test("DialLimit.admit() stops waiting when the signal aborts", async () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 1, excess: "wait" }, clock);
  limit.record();
  const controller = new AbortController();
  const admitted = limit.admit(controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => admitted, Error), reason);
  assertEquals(clock.timers, 0);
  assertStrictEquals(await assertRejects(() => limit.admit(controller.signal), Error), reason);
});

Deno.test("DialLimit waits a window at most when the clock is set back", () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 1, window: 100 }, clock);
  limit.record();
  clock.stall(-1_000_000);
  assertEquals(limit.waitTime(), 100);
  clock.advance(99);
  assertEquals(limit.waitTime(), 1);
  clock.advance(1);
  assertEquals(limit.waitTime(), 0);
});

Deno.test("DialLimit never lets more dials fail within a window, and says how long to wait", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const clock = new ManualClock();
    const maxFailures = 1 + randomInteger(random, 5);
    const window = 1 + randomInteger(random, 500);
    const limit = new DialLimit({ maxFailures, window }, clock);
    const failed: number[] = [];
    for (let step = 0; step < 100; step++) {
      clock.advance(randomInteger(random, 100));
      const recent = failed.filter((time) => clock.now() - time < window);
      assertEquals(limit.failures, recent.length, `seed ${seed}`);
      const wait = limit.waitTime();
      assertEquals(wait === 0, recent.length < maxFailures, `seed ${seed}`);
      assert(wait >= 0 && wait <= window, `seed ${seed}`);
      if (wait > 0) {
        clock.advance(wait - 1);
        assertEquals(limit.waitTime(), 1, `seed ${seed}`);
        clock.advance(1);
      }
      await limit.admit(never);
      if (random() < 0.2) continue;
      limit.record();
      failed.push(clock.now());
    }
  }
});

Deno.test("DialLimit remembers a bounded number of failures, the newest", () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 3, window: 1_000 }, clock);
  for (let dial = 0; dial < 100; dial++) {
    clock.advance(1);
    limit.record();
  }
  assertEquals(limit.failures, 3);
  assertEquals(limit.waitTime(), 998);
});

Deno.test("resolveDialLimit() fills the defaults in, and refuses what makes no sense", () => {
  assertEquals(resolveDialLimit(), { maxFailures: 10, window: 60_000, excess: "reject" });
  assertEquals(resolveDialLimit({ window: 5, excess: "wait" }), {
    maxFailures: 10,
    window: 5,
    excess: "wait",
  });
  for (const maxFailures of [0, -1, 1.5, NaN, Infinity, 10_001]) {
    assertThrows(
      () => resolveDialLimit({ maxFailures }),
      RangeError,
      '"dialLimit.maxFailures" must',
    );
  }
  for (const window of [0, -1, NaN, Infinity, 2 ** 31]) {
    assertThrows(() => resolveDialLimit({ window }), RangeError, '"dialLimit.window" must');
  }
  const text = '{ "excess": "drop" }';
  assertThrows(
    () => resolveDialLimit(JSON.parse(text)),
    TypeError,
    'Option "dialLimit.excess" must be "reject" or "wait": current value is "drop"',
  );
});

Deno.test("DialLimit.wait() waits whatever excess says, and can be given up", async () => {
  const clock = new ManualClock();
  const limit = new DialLimit({ maxFailures: 1, window: 100, excess: "reject" }, clock);
  await limit.wait(never);
  limit.record();
  const controller = new AbortController();
  const given = limit.wait(controller.signal);
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  await assertRejects(() => limit.wait(controller.signal), Error, "enough");
  let isOver = false;
  const waiting = limit.wait(never).then(() => isOver = true);
  clock.advance(99);
  assertEquals(isOver, false);
  clock.advance(1);
  await waiting;
});
