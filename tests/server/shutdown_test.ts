import { assertEquals, assertThrows } from "@std/assert";
import { drain, planShutdown } from "../../server/shutdown.ts";
import type { WebSocketServerTransport } from "../../server/transport.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A session that is idle when told, and notes how it was closed. */
function createSession(): {
  session: WebSocketServerTransport;
  finish: () => void;
  closes: unknown[][];
} {
  const closes: unknown[][] = [];
  const idle = Promise.withResolvers<void>();
  const session = {
    idle(signal: AbortSignal) {
      signal.addEventListener("abort", () => idle.reject(signal.reason), { once: true });
      return idle.promise;
    },
    close(...args: unknown[]) {
      closes.push(args);
      return Promise.resolve();
    },
  };
  return { session: session as unknown as WebSocketServerTransport, finish: idle.resolve, closes };
}

/** Lets everything run that waits for promises only. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("planShutdown() fills in the documented defaults", () => {
  assertEquals(planShutdown({}), {
    code: 1001,
    reason: "Server is shutting down",
    timeout: 10_000,
  });
});

Deno.test("planShutdown() throws at codes and timeouts that make no sense", () => {
  assertThrows(() => planShutdown({ code: 1005 }), RangeError, "current value is 1005");
  assertThrows(() => planShutdown({ timeout: -1 }), RangeError, "current value is -1");
  assertThrows(() => planShutdown({ timeout: NaN }), RangeError, "current value is NaN");
});

Deno.test("drain() closes each session as soon as it is idle", async () => {
  const clock = new ManualClock();
  const [first, second] = [createSession(), createSession()];
  const plan = { code: 1012, reason: "Bye", timeout: 1_000 };
  const draining = drain([first.session, second.session], plan, clock);
  first.finish();
  await settle();
  assertEquals([first.closes, second.closes], [[[1012, "Bye"]], []]);
  second.finish();
  await draining;
  assertEquals(second.closes, [[1012, "Bye"]]);
  assertEquals(clock.timers, 0);
});

Deno.test("drain() closes at the timeout what is still busy", async () => {
  const clock = new ManualClock();
  const busy = createSession();
  const draining = drain([busy.session], planShutdown({ timeout: 1_000 }), clock);
  clock.advance(999);
  await settle();
  assertEquals(busy.closes, []);
  clock.advance(1);
  await draining;
  assertEquals(busy.closes, [[1001, "Server is shutting down"]]);
});
