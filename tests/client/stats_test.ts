import { assert, assertEquals, assertThrows } from "@std/assert";
import { Counters, type PresentStats } from "../../client/stats.ts";

const PRESENT: PresentStats = {
  uptime: undefined,
  pendingRequests: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  blockedMessages: 0,
  queueAge: undefined,
  bufferedMessages: 0,
  bufferedBytes: 0,
  frameFlushes: { turn: 0, full: 0, control: 0 },
  compression: undefined,
  requestsSettled: 0,
  requestsFailed: 0,
  errorRate: undefined,
  requestLatency: undefined,
  pings: 0,
  latency: undefined,
  lastLatency: undefined,
  jitter: undefined,
  loss: undefined,
  quality: undefined,
};

Deno.test("Counters of a transport that was never started are zero", () => {
  assertEquals(new Counters().snapshot(PRESENT), {
    attempts: 0,
    successes: 0,
    failures: 0,
    averageConnectTime: undefined,
    lastConnectTime: undefined,
    maxConnectTime: undefined,
    losses: 0,
    reconnects: 0,
    resumes: 0,
    replayedMessages: 0,
    sessionsLost: 0,
    errors: 0,
    messagesSent: 0,
    messagesReceived: 0,
    unitsSent: 0,
    unitsReceived: 0,
    offlineResponses: 0,
    ...PRESENT,
  });
});

Deno.test("Counters count dials, and average those that succeeded", () => {
  const counters = new Counters();
  counters.record({ ok: true, duration: 10, attempt: 1 });
  counters.record({ ok: false, duration: 9_000, attempt: 1 });
  counters.record({ ok: true, duration: 30, attempt: 2 });
  counters.record({ ok: true, duration: 20, attempt: 1 });
  const snapshot = counters.snapshot(PRESENT);
  assertEquals([snapshot.attempts, snapshot.successes, snapshot.failures], [4, 3, 1]);
  const { averageConnectTime, lastConnectTime, maxConnectTime } = snapshot;
  assertEquals([averageConnectTime, lastConnectTime, maxConnectTime], [20, 20, 30]);
});

Deno.test("Counters tell what is counted in place, and what is looked up", () => {
  const counters = new Counters();
  counters.messagesSent = 3;
  counters.messagesReceived = 4;
  counters.losses = 2;
  counters.reconnects = 1;
  const present = { ...PRESENT, uptime: 5, pendingRequests: 6, queuedMessages: 7, queuedBytes: 8 };
  const snapshot = counters.snapshot(present);
  assertEquals(
    [snapshot.messagesSent, snapshot.messagesReceived, snapshot.losses, snapshot.reconnects],
    [3, 4, 2, 1],
  );
  assertEquals({ ...snapshot, ...present }, snapshot);
});

Deno.test("Counters.snapshot() is immutable and does not follow", () => {
  const counters = new Counters();
  const snapshot = counters.snapshot(PRESENT);
  counters.messagesSent++;
  assertEquals(snapshot.messagesSent, 0);
  assert(Object.isFrozen(snapshot));
  assertThrows(() => Object.assign(snapshot, { messagesSent: 7 }), TypeError);
});
