import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { retry, RetryError, type RetryOptions } from "@std/async/retry";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";

function fail(): never {
  throw new Error("failure");
}

/** Lets a failing retry() run to its end; returns the waits between attempts. */
async function waits(options: RetryOptions): Promise<number[]> {
  using time = new FakeTime(0);
  const attempts: number[] = [];
  const promise = retry(() => {
    attempts.push(Date.now());
    fail();
  }, options);
  const rejected = assertRejects(() => promise, RetryError);
  while (await time.nextAsync());
  await rejected;
  return attempts.slice(1).map((at, index) => at - attempts[index]!);
}

Deno.test("retry() returns what the function returns or resolves with", async () => {
  assertEquals(await retry(() => "value"), "value");
  assertEquals(await retry(() => Promise.resolve("value")), "value");
});

Deno.test("retry() doubles its wait from one second on and gives up after five attempts", async () => {
  assertEquals(await waits({ jitter: 0 }), [1000, 2000, 4000, 8000]);
});

Deno.test("retry() multiplies its wait up to maxTimeout", async () => {
  assertEquals(
    await waits({
      jitter: 0,
      maxAttempts: 5,
      maxTimeout: 2000,
      minTimeout: 100,
      multiplier: 3,
    }),
    [100, 300, 900, 2000],
  );
});

Deno.test("retry() leaves a share of its wait to chance", async () => {
  using _random = stub(Math, "random", () => 0.5);
  assertEquals(await waits({ jitter: 1 }), [500, 1000, 2000, 4000]);
  assertEquals(await waits({ jitter: 0.5 }), [750, 1500, 3000, 6000]);
  assertEquals(await waits({}), [500, 1000, 2000, 4000]);
});

Deno.test("retry() stops at the first success", async () => {
  let attempts = 0;
  const attempt = spy(() => ++attempts < 3 ? fail() : attempts);
  assertEquals(await retry(attempt, { minTimeout: 0 }), 3);
  assertSpyCalls(attempt, 3);
});

Deno.test("retry() rejects with a RetryError whose cause is the last error", async () => {
  const cause = new Error("failure");
  const error = await assertRejects(
    () => retry(() => Promise.reject(cause), { maxAttempts: 1 }),
    RetryError,
  );
  assertEquals(error.message, "Retrying exceeded the maxAttempts (1).");
  assertEquals(error.name, "RetryError");
  assertStrictEquals(error.cause, cause);
});

Deno.test("retry() rejects at once with an error that is not retriable", async () => {
  const cause = new Error("failure");
  const isRetriable = spy((_error: unknown) => false);
  const error = await assertRejects(() =>
    retry(() => {
      throw cause;
    }, { isRetriable })
  );
  assertStrictEquals(error, cause);
  assertEquals(isRetriable.calls.map(({ args }) => args), [[cause]]);
});

Deno.test("retry() rejects with the signal's reason when aborted while waiting", async () => {
  using time = new FakeTime();
  const controller = new AbortController();
  const attempt = spy(fail);
  const promise = retry(attempt, { signal: controller.signal });
  await time.runMicrotasks();
  controller.abort("reason");
  assertEquals(await assertRejects(() => promise), "reason");
  assertSpyCalls(attempt, 1);
  assertEquals(time.next(), false);
});

Deno.test("retry() calls nothing when the signal is aborted already", async () => {
  const attempt = spy(() => "value");
  const signal = AbortSignal.abort("early");
  assertEquals(await assertRejects(() => retry(attempt, { signal })), "early");
  assertSpyCalls(attempt, 0);
});

Deno.test("retry() resolves when the signal is aborted during a successful attempt", async () => {
  const controller = new AbortController();
  const value = await retry(() => {
    controller.abort();
    return "value";
  }, { signal: controller.signal });
  assertEquals(value, "value");
});

const refused: [RetryOptions, string][] = [
  [
    { maxAttempts: 0 },
    "'maxAttempts' must be a positive integer: current value is 0",
  ],
  [
    { maxAttempts: 2.5 },
    "'maxAttempts' must be a positive integer: current value is 2.5",
  ],
  [
    { multiplier: 0.5 },
    "'multiplier' must be a finite number >= 1: current value is 0.5",
  ],
  [
    { multiplier: Infinity },
    "'multiplier' must be a finite number >= 1: current value is Infinity",
  ],
  [
    { maxTimeout: 0 },
    "'maxTimeout' must be a positive number: current value is 0",
  ],
  [
    { maxTimeout: NaN },
    "'maxTimeout' must be a positive number: current value is NaN",
  ],
  [{ minTimeout: -1 }, "'minTimeout' must be >= 0: current value is -1"],
  [{ minTimeout: NaN }, "'minTimeout' must be >= 0: current value is NaN"],
  [
    { minTimeout: 1000, maxTimeout: 100 },
    "'minTimeout' must be <= 'maxTimeout': current values 'minTimeout=1000', 'maxTimeout=100'",
  ],
  [{ jitter: -0.5 }, "'jitter' must be between 0 and 1: current value is -0.5"],
  [{ jitter: 2 }, "'jitter' must be between 0 and 1: current value is 2"],
  [{ jitter: NaN }, "'jitter' must be between 0 and 1: current value is NaN"],
];
for (const [options, rule] of refused) {
  Deno.test(`retry() refuses ${Deno.inspect(options)}`, async () => {
    const error = await assertRejects(() => retry(fail, options), RangeError);
    assertEquals(error.message, `Cannot retry as ${rule}`);
  });
}
