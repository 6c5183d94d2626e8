import { assertEquals, assertThrows } from "@std/assert";
import { drain, planShutdown } from "../../server/shutdown.ts";
import type { WebSocketServerTransport } from "../../server/transport.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A session that is idle when told, and notes how it was closed. */
function createSession(keepsSessions = false): {
  session: WebSocketServerTransport;
  finish: () => void;
  closes: unknown[][];
  retired: unknown[][];
} {
  const closes: unknown[][] = [];
  const retired: unknown[][] = [];
  const closed = Promise.withResolvers<void>();
  const idle = Promise.withResolvers<void>();
  const session = {
    running: 0,
    bufferedMessages: 0,
    isOpen: true,
    isAttached: true,
    closed: closed.promise,
    retire(...args: unknown[]) {
      retired.push(args);
      return keepsSessions;
    },
    idle(signal: AbortSignal) {
      signal.addEventListener("abort", () => idle.reject(signal.reason), { once: true });
      return idle.promise;
    },
    close(...args: unknown[]) {
      closes.push(args);
      session.isOpen = false;
      closed.resolve();
      return closed.promise;
    },
  };
  const transport = session as unknown as WebSocketServerTransport;
  return { session: transport, finish: idle.resolve, closes, retired };
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

Deno.test("drain() asks a client that keeps a session to move, and gives it a tenth of the time", async () => {
  const clock = new ManualClock();
  const { session, finish, closes, retired } = createSession(true);
  const draining = drain([session], planShutdown({ timeout: 1_000 }), clock);
  assertEquals(retired, [[1_000, "Server is shutting down"]]);
  finish();
  await settle();
  clock.advance(99);
  await settle();
  assertEquals(closes, []);
  clock.advance(1);
  await draining;
  assertEquals(closes, [[1001, "Server is shutting down"]]);
  assertEquals(clock.timers, 0);
});

Deno.test("drain() waits longer for a client that does not have everything yet", async () => {
  const clock = new ManualClock();
  const { session, finish, closes } = createSession(true);
  const state = session as unknown as { bufferedMessages: number };
  state.bufferedMessages = 1;
  const draining = drain([session], planShutdown({ timeout: 1_000 }), clock);
  finish();
  for (let i = 0; i < 4; i++) {
    await settle();
    clock.advance(100);
  }
  await settle();
  assertEquals(closes, []);
  state.bufferedMessages = 0;
  clock.advance(100);
  await draining;
  assertEquals(closes.length, 1);
});

Deno.test("drain() ends at the timeout, whatever a client that keeps a session lacks", async () => {
  const clock = new ManualClock();
  const { session, finish, closes } = createSession(true);
  (session as unknown as { bufferedMessages: number }).bufferedMessages = 1;
  const draining = drain([session], planShutdown({ timeout: 250 }), clock);
  finish();
  for (let i = 0; i < 12; i++) {
    await settle();
    clock.advance(25);
  }
  await draining;
  assertEquals(closes.length, 1);
  assertEquals(clock.timers, 0);
});

Deno.test("drain() does not wait for a client that is not there and lacks nothing", async () => {
  const clock = new ManualClock();
  const { session, finish, closes } = createSession(true);
  (session as unknown as { isAttached: boolean }).isAttached = false;
  const draining = drain([session], planShutdown({ timeout: 1_000 }), clock);
  finish();
  await draining;
  assertEquals(closes.length, 1);
});
