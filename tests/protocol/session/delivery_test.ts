import { assertEquals, assertRejects } from "@std/assert";
import { MCPTimeoutError } from "../../../protocol/errors.ts";
import { awaitDelivery } from "../../../protocol/session/delivery.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("awaitDelivery() resolves when the other application has the message", async () => {
  const clock = new ManualClock();
  const { promise, settled } = awaitDelivery(clock, {});
  settled();
  await promise;
  assertEquals(clock.timers, 0);
});

Deno.test("awaitDelivery() rejects with the reason why it never will", async () => {
  const clock = new ManualClock();
  const { promise, settled } = awaitDelivery(clock, {});
  settled(new RangeError("gone"));
  settled();
  await assertRejects(() => promise, RangeError, "gone");
  assertEquals(clock.timers, 0);
});

Deno.test("awaitDelivery() waits for 30 s, or as long as it is told", async () => {
  for (const timeout of [undefined, 50]) {
    const clock = new ManualClock();
    const { promise } = awaitDelivery(clock, { timeout });
    clock.advance((timeout ?? 30_000) - 1);
    assertEquals(clock.timers, 1);
    clock.advance(1);
    await assertRejects(() => promise, MCPTimeoutError, `within ${timeout ?? 30_000} ms`);
  }
});

Deno.test("awaitDelivery() gives up with the signal's reason, before or meanwhile", async () => {
  for (const isEarly of [true, false]) {
    const clock = new ManualClock();
    const controller = new AbortController();
    if (isEarly) controller.abort(new RangeError("enough"));
    const { promise, settled } = awaitDelivery(clock, { signal: controller.signal });
    controller.abort(new RangeError("enough"));
    settled();
    await assertRejects(() => promise, RangeError, "enough");
    assertEquals(clock.timers, 0);
  }
});
