import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";

Deno.test("delay() resolves with nothing once its time has passed", async () => {
  using time = new FakeTime();
  const done = spy();
  const promise = delay(100).then(done);
  time.tick(99);
  await time.runMicrotasks();
  assertSpyCalls(done, 0);
  time.tick(1);
  await promise;
  assertEquals(done.calls[0]?.args, [undefined]);
});

Deno.test("delay() takes a negative or invalid time for none", async () => {
  using time = new FakeTime();
  const waits = Promise.all([delay(-5), delay(NaN), delay(0.9)]);
  time.tick(0);
  await waits;
});

Deno.test("delay() waits longer than a platform timer holds", async () => {
  using time = new FakeTime();
  const done = spy();
  const promise = delay(2 ** 31 + 1000).then(done);
  time.tick(2 ** 31 + 999);
  await time.runMicrotasks();
  assertSpyCalls(done, 0);
  time.tick(1);
  await promise;
});

Deno.test("delay() rejects with the signal's reason when aborted", async () => {
  using _time = new FakeTime();
  const controller = new AbortController();
  const promise = delay(100, { signal: controller.signal });
  const reason = { some: "reason" };
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => promise), reason);
});

Deno.test("delay() rejects with an AbortError when aborted without reason", async () => {
  using _time = new FakeTime();
  const controller = new AbortController();
  const promise = delay(100, { signal: controller.signal });
  controller.abort();
  const error = await assertRejects(() => promise, DOMException);
  assertEquals(error.name, "AbortError");
});

Deno.test("delay() sets no timer when the signal is aborted already", async () => {
  using time = new FakeTime();
  const signal = AbortSignal.abort("early");
  assertEquals(await assertRejects(() => delay(100, { signal })), "early");
  assertEquals(time.next(), false);
});

Deno.test("delay() clears its timer when aborted, also after the first part", async () => {
  using time = new FakeTime();
  const controller = new AbortController();
  const promise = delay(2 ** 32, { signal: controller.signal });
  time.next();
  controller.abort("late");
  assertEquals(await assertRejects(() => promise), "late");
  assertEquals(time.next(), false);
});

Deno.test("delay() removes its listener once its time has passed", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const added = spy(signal, "addEventListener");
  const removed = spy(signal, "removeEventListener");
  const promise = delay(100, { signal });
  time.tick(100);
  await promise;
  assertSpyCalls(added, 1);
  assertSpyCalls(removed, 1);
  assertStrictEquals(removed.calls[0]?.args[1], added.calls[0]?.args[1]);
});

Deno.test("delay() unrefs its timer only if it is not persistent", async () => {
  using unrefTimer = stub(Deno, "unrefTimer");
  await delay(0);
  await delay(0, { persistent: true });
  assertSpyCalls(unrefTimer, 0);
  await delay(0, { persistent: false });
  assertSpyCalls(unrefTimer, 1);
  assertEquals(typeof unrefTimer.calls[0]?.args[0], "number");
});

Deno.test("delay() rejects when its timer cannot be unrefed", async () => {
  using _unrefTimer = stub(Deno, "unrefTimer", () => {
    throw new TypeError("no such timer");
  });
  await assertRejects(
    () => delay(1, { persistent: false }),
    TypeError,
    "no such timer",
  );
});
