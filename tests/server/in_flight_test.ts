import { assertEquals, assertRejects } from "@std/assert";
import { InFlight } from "../../server/in_flight.ts";

/** Whether the promise has settled by the end of this turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return settled;
}

Deno.test("InFlight.idle() resolves at once when nothing runs", async () => {
  assertEquals(await isSettled(new InFlight(2).idle()), true);
});

Deno.test("InFlight.idle() resolves when the last request is settled", async () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "tools/call", 0);
  inFlight.add("1", "tools/call", 0);
  const idle = inFlight.idle();
  const again = inFlight.idle(new AbortController().signal);
  inFlight.settle(1);
  assertEquals(await isSettled(idle), false);
  inFlight.settle("1");
  assertEquals(await isSettled(idle), true);
  assertEquals(await isSettled(again), true);
});

Deno.test("InFlight.idle() resolves when the connection has ended", async () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "tools/call", 0);
  const idle = inFlight.idle();
  inFlight.clear();
  await idle;
  assertEquals(inFlight.running, 0);
});

Deno.test("InFlight.idle() rejects with the reason of its signal", async () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "tools/call", 0);
  const before = new AbortController();
  const idle = inFlight.idle(before.signal);
  before.abort(new RangeError("enough"));
  await assertRejects(() => idle, RangeError, "enough");
  await assertRejects(() => inFlight.idle(before.signal), RangeError, "enough");
});

Deno.test("InFlight.idle() waits again after it has resolved", async () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "x", 0);
  const first = inFlight.idle();
  inFlight.settle(1);
  await first;
  inFlight.add(2, "x", 0);
  assertEquals(await isSettled(inFlight.idle()), false);
  inFlight.clear();
});

Deno.test("InFlight does not wait for subscriptions, but counts them", async () => {
  const inFlight = new InFlight(2);
  inFlight.add(1, "subscriptions/listen", 0);
  assertEquals(inFlight.running, 0);
  await inFlight.idle();
  inFlight.add(2, "tools/call", 0);
  assertEquals(inFlight.isFull, true);
  inFlight.settle(1);
  assertEquals(inFlight.isFull, false);
});

Deno.test("InFlight.settle() ignores ids it does not know", () => {
  const inFlight = new InFlight(2);
  inFlight.add(1, "x", 0);
  inFlight.settle("1");
  inFlight.settle(7);
  assertEquals(inFlight.running, 1);
});

Deno.test("InFlight.settle() returns once when a request came in, and nothing for subscriptions", () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "tools/call", 0);
  inFlight.add(2, "tools/call", 50);
  inFlight.add(3, "subscriptions/listen", 60);
  const settled = [2, 1, 3, 2, 4].map((id) => inFlight.settle(id));
  assertEquals(settled, [50, 0, undefined, undefined, undefined]);
});

Deno.test("InFlight.has() knows requests and subscriptions until they are settled", () => {
  const inFlight = new InFlight(9);
  inFlight.add(1, "x", 0);
  inFlight.add("1", "subscriptions/listen", 0);
  const look = () => [1, "1", 2].map((id) => inFlight.has(id));
  assertEquals(look(), [true, true, false]);
  inFlight.settle("1");
  assertEquals(look(), [true, false, false]);
  inFlight.clear();
  assertEquals(look(), [false, false, false]);
});
