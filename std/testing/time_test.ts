import {
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { FakeTime, TimeError } from "@std/testing/time";

Deno.test("FakeTime replaces the current time until it is disposed", () => {
  const before = Date;
  {
    using time = new FakeTime(9000);
    assertEquals(Date.now(), 9000);
    assertEquals(new Date().getTime(), 9000);
    assertEquals(Date(), new Date(9000).toString());
    time.tick(500);
    assertEquals(Date.now(), 9500);
    assertEquals(time.now, 9500);
    assertEquals(time.start, 9000);
  }
  assertStrictEquals(Date, before);
});

Deno.test("FakeTime leaves the rest of Date alone", () => {
  const before = new Date(5);
  using _time = new FakeTime();
  assertInstanceOf(before, Date);
  assertEquals(new Date(2020, 1, 2).getFullYear(), 2020);
  assertEquals(new Date("2020-01-02T03:04:05Z").getTime(), 1577934245000);
  assertEquals(Date.UTC(1970, 0, 2), 86_400_000);
});

Deno.test("FakeTime starts at a number, a text or a Date, by default now", () => {
  for (const start of [86_400_000.7, "1970-01-02", new Date(86_400_000)]) {
    using time = new FakeTime(start);
    assertEquals(time.start, 86_400_000);
  }
  const before = Date.now();
  using time = new FakeTime(null);
  assertEquals(time.now >= before && time.now < before + 60_000, true);
});

Deno.test("FakeTime refuses an invalid start and fakes nothing then", () => {
  const { setTimeout } = globalThis;
  assertThrows(
    () => new FakeTime("no time"),
    TypeError,
    "Cannot construct FakeTime: invalid start time NaN",
  );
  assertStrictEquals(globalThis.setTimeout, setTimeout);
});

Deno.test("FakeTime fires timers in the order they are due, then set", () => {
  using time = new FakeTime(0);
  const log: string[] = [];
  const note = (name: string) => log.push(`${name} ${Date.now()}`);
  setTimeout(note, 20, "late");
  setTimeout(note, 10, "first");
  setTimeout(note, 10, "second");
  setTimeout(note, 30, "too late");
  time.tick(25);
  assertEquals(log, ["first 10", "second 10", "late 20"]);
  assertEquals(time.now, 25);
});

Deno.test("FakeTime fires timers that timers set on the way", () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  setTimeout(() => {
    setTimeout(() => log.push(Date.now()), 10);
    setTimeout(() => log.push(Date.now()));
  }, 10);
  time.tick(20);
  assertEquals(log, [10, 20]);
});

Deno.test("FakeTime repeats an interval, of one millisecond at least", () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  const id = setInterval(() => log.push(Date.now()), 0);
  time.tick(3);
  clearInterval(id);
  time.tick(3);
  assertEquals(log, [1, 2, 3]);
});

Deno.test("FakeTime clears timers, also those due at the same time", () => {
  using time = new FakeTime(0);
  const log: string[] = [];
  setTimeout(() => clearTimeout(id), 10);
  const id = setTimeout(() => log.push("fired"), 10);
  time.tick(10);
  clearTimeout(undefined);
  assertEquals(log, []);
});

Deno.test("FakeTime stops where a timer throws", () => {
  using time = new FakeTime(0);
  setTimeout(() => {
    throw new Error("thrown");
  }, 10);
  assertThrows(() => time.tick(20), Error, "thrown");
  assertEquals(time.now, 10);
});

Deno.test("FakeTime refuses timers that are no functions", () => {
  using _time = new FakeTime();
  assertThrows(
    () => Reflect.apply(setTimeout, undefined, ["code"]),
    TimeError,
    "FakeTime does not support non-function callbacks to setTimeout",
  );
});

Deno.test("FakeTime makes AbortSignal.timeout() wait for fake time", () => {
  using time = new FakeTime();
  const signal = AbortSignal.timeout(100);
  time.tick(99);
  assertEquals(signal.aborted, false);
  time.tick(1);
  assertInstanceOf(signal.reason, DOMException);
  assertEquals(signal.reason.name, "TimeoutError");
  assertEquals(signal.reason.message, "Signal timed out.");
});

Deno.test("FakeTime leaves performance and microtasks alone", () => {
  const { performance, queueMicrotask } = globalThis;
  const { now } = performance;
  using _time = new FakeTime();
  assertStrictEquals(globalThis.performance, performance);
  assertStrictEquals(performance.now, now);
  assertStrictEquals(globalThis.queueMicrotask, queueMicrotask);
});

Deno.test("FakeTime.now cannot be set back", () => {
  using time = new FakeTime(1000);
  assertThrows(
    () => time.now = 999,
    RangeError,
    "Cannot set current time in the past, time must be >= 1000: received 999",
  );
  time.now = 2000;
  assertEquals(Date.now(), 2000);
});

Deno.test("FakeTime.next() goes to the next timer that is not cleared", () => {
  using time = new FakeTime(0);
  clearTimeout(setTimeout(() => {}, 10));
  setTimeout(() => {}, 20);
  assertEquals(time.next(), true);
  assertEquals(time.now, 20);
  assertEquals(time.next(), false);
  assertEquals(time.now, 20);
});

Deno.test("FakeTime.runAll() goes on until no timer is left", () => {
  using time = new FakeTime(0);
  setTimeout(() => setTimeout(() => {}, 5), 10);
  time.runAll();
  assertEquals(time.now, 15);
});

Deno.test("FakeTime.tickAsync() and nextAsync() let promise reactions run first", async () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  const wait = async () => {
    await null;
    setTimeout(() => log.push(Date.now()), 10);
  };
  wait();
  await time.tickAsync(10);
  wait();
  assertEquals(await time.nextAsync(), true);
  assertEquals(log, [10, 20]);
});

Deno.test("FakeTime.runAllAsync() lets promise reactions run between timers", async () => {
  using time = new FakeTime(0);
  const log: number[] = [];
  const step = () => new Promise((resolve) => setTimeout(resolve, 10));
  (async () => {
    await step();
    log.push(Date.now());
    await step();
    log.push(Date.now());
  })();
  // Keeps the clock running until the second step has been taken.
  setTimeout(() => {}, 15);
  await time.runAllAsync();
  await time.runMicrotasks();
  assertEquals(log, [10, 20]);
});

Deno.test("FakeTime.delay() waits for real time", async () => {
  using time = new FakeTime(0);
  await time.delay(1);
  assertEquals(time.now, 0);
});

Deno.test("FakeTime.delay() rejects with an AbortError when aborted", async () => {
  using time = new FakeTime();
  const controller = new AbortController();
  const promise = time.delay(60_000, { signal: controller.signal });
  await time.runMicrotasks();
  controller.abort("not this");
  const error = await assertRejects(
    () => promise,
    DOMException,
    "Delay was aborted.",
  );
  assertEquals(error.name, "AbortError");
  await assertRejects(
    () => time.delay(1, { signal: controller.signal }),
    DOMException,
    "Delay was aborted.",
  );
});

Deno.test("FakeTime advances by itself at the given rate", async () => {
  using time = new FakeTime(0, { advanceRate: 100, advanceFrequency: 1 });
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, 200);
  await promise;
  assertEquals(time.now % 100, 0);
});

Deno.test("FakeTime.restoreFor() gives a function real time", async () => {
  const { setTimeout } = globalThis;
  using _time = new FakeTime();
  const fake = globalThis.setTimeout;
  assertNotEquals(fake, setTimeout);
  const seen = await FakeTime.restoreFor(async () => {
    await null;
    return globalThis.setTimeout;
  });
  assertStrictEquals(seen, setTimeout);
  assertStrictEquals(globalThis.setTimeout, fake);
  await assertRejects(
    () =>
      FakeTime.restoreFor(() => {
        throw new Error("thrown");
      }),
    Error,
    "thrown",
  );
  assertStrictEquals(globalThis.setTimeout, fake);
});

Deno.test("FakeTime cannot be constructed or restored twice", async () => {
  const time = new FakeTime();
  assertThrows(
    () => new FakeTime(),
    TimeError,
    "Cannot construct FakeTime: time is already faked",
  );
  const { clearInterval, setTimeout } = globalThis;
  FakeTime.restore();
  for (const restore of [() => time.restore(), () => FakeTime.restore()]) {
    assertThrows(
      restore,
      TimeError,
      "Cannot restore time: time is already restored",
    );
  }
  assertThrows(
    () => setTimeout(() => {}),
    TimeError,
    "Cannot set timeout: time is not faked",
  );
  assertThrows(
    () => clearInterval(1),
    TimeError,
    "Cannot clear interval: time is not faked",
  );
  await assertRejects(
    () => FakeTime.restoreFor(() => {}),
    TimeError,
    "Cannot restore time: time is not faked",
  );
});
