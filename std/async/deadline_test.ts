import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { assertSpyCalls, spy } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";

const never = new Promise<never>(() => {});

Deno.test("deadline() follows a promise that settles in time", async () => {
  using _time = new FakeTime();
  assertEquals(await deadline(Promise.resolve("value"), 100), "value");
  const error = new Error("failure");
  assertStrictEquals(
    await assertRejects(() => deadline(Promise.reject(error), 100)),
    error,
  );
});

Deno.test("deadline() rejects with a TimeoutError DOMException", async () => {
  using time = new FakeTime();
  const promise = deadline(never, 100);
  time.tick(100);
  const error = await assertRejects(
    () => promise,
    DOMException,
    "Signal timed out.",
  );
  assertEquals(error.name, "TimeoutError");
});

Deno.test("deadline() rejects with the signal's reason when aborted first", async () => {
  using _time = new FakeTime();
  const controller = new AbortController();
  const promise = deadline(never, 100, { signal: controller.signal });
  controller.abort("reason");
  assertEquals(await assertRejects(() => promise), "reason");
});

Deno.test("deadline() times out before the signal is aborted", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const promise = deadline(never, 100, { signal });
  time.tick(100);
  const error = await assertRejects(() => promise);
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
});

Deno.test("deadline() rejects when the signal is aborted already", async () => {
  using _time = new FakeTime();
  const signal = AbortSignal.abort("early");
  const promise = Promise.resolve("value");
  assertEquals(
    await assertRejects(() => deadline(promise, 100, { signal })),
    "early",
  );
});

Deno.test("deadline() removes its listener once the promise has settled", async () => {
  const { signal } = new AbortController();
  const added = spy(signal, "addEventListener");
  const removed = spy(signal, "removeEventListener");
  await deadline(Promise.resolve(), Infinity, { signal });
  assertSpyCalls(added, 1);
  assertSpyCalls(removed, 1);
  assertStrictEquals(removed.calls[0]?.args[1], added.calls[0]?.args[1]);
});

Deno.test("deadline() never expires from Number.MAX_SAFE_INTEGER on", async () => {
  using time = new FakeTime();
  assertEquals(await deadline(Promise.resolve("value"), Infinity), "value");
  const promise = Promise.resolve("value");
  assertEquals(await deadline(promise, Number.MAX_SAFE_INTEGER), "value");
  assertEquals(time.next(), false);
});

Deno.test("deadline() refuses NaN", async () => {
  await assertRejects(
    async () => await deadline(Promise.resolve(), NaN),
    TypeError,
    "Ms must be a number, received NaN",
  );
});
