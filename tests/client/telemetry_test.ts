import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPConnectionError } from "../../protocol/errors.ts";
import { lossOf } from "../../client/recovery.ts";
import { Telemetry } from "../../client/telemetry.ts";
import type { HeartbeatDetail } from "../../client/transport_events.ts";
import { ManualClock } from "../support/manual_clock.ts";

const PRESENT = {
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
};

function makeTelemetry() {
  const clock = new ManualClock();
  const reports: [string, string][] = [];
  const heartbeats: HeartbeatDetail[] = [];
  const telemetry = new Telemetry({
    name: "test",
    logger: undefined,
    hooks: {},
    report: (error, context) => reports.push([context, error.message]),
    onHeartbeat: (detail) => heartbeats.push(detail),
    clock,
  });
  return { clock, telemetry, reports, heartbeats, numbers: () => telemetry.snapshot(PRESENT) };
}

Deno.test("Telemetry counts sessions that went on, what they sent again, and those that were lost", () => {
  const { telemetry, numbers } = makeTelemetry();
  telemetry.resumed(3);
  telemetry.resumed(0);
  telemetry.sessionLost();
  const { resumes, replayedMessages, sessionsLost } = numbers();
  assertEquals([resumes, replayedMessages, sessionsLost], [2, 3, 1]);
});

Deno.test("Telemetry counts the text of messages each way", () => {
  const { telemetry, numbers } = makeTelemetry();
  telemetry.message("in", 5);
  telemetry.message("in", 6);
  telemetry.message("out", 7);
  const { messagesReceived, unitsReceived, messagesSent, unitsSent } = numbers();
  assertEquals([messagesReceived, unitsReceived, messagesSent, unitsSent], [2, 11, 1, 7]);
});

Deno.test("Telemetry tells of pings; a new connection has missed none", async () => {
  const { telemetry, heartbeats } = makeTelemetry();
  telemetry.pinged();
  telemetry.missed();
  await telemetry.measure(() => Promise.resolve(), 1, new AbortController().signal);
  telemetry.missed();
  telemetry.ponged(9);
  assertEquals(heartbeats, [
    { latency: undefined, missed: 1 },
    { latency: undefined, missed: 1 },
    { latency: 9, missed: 0 },
  ]);
});

Deno.test("Telemetry.measure() measures a dial, and hands on what it opens", async () => {
  const { clock, telemetry, numbers } = makeTelemetry();
  const opened = {};
  const dial = () => {
    clock.advance(30);
    return Promise.resolve(opened);
  };
  const { signal } = new AbortController();
  assertStrictEquals(await telemetry.measure(dial, 1, signal), opened);
  assertEquals([numbers().successes, numbers().lastConnectTime], [1, 30]);
});

Deno.test("Telemetry.measure() reports a dial that failed, unless it was given up", async () => {
  const { telemetry, reports, numbers } = makeTelemetry();
  const dial = () => Promise.reject(new Error("refused"));
  await assertRejects(() => telemetry.measure(dial, 1, new AbortController().signal));
  await assertRejects(() => telemetry.measure(dial, 1, AbortSignal.abort()));
  assertEquals([reports, numbers().failures], [[["dial", "refused"]], 2]);
});

Deno.test("Telemetry remembers the last error or loss, and when it was", () => {
  const { clock, telemetry, numbers } = makeTelemetry();
  assertEquals(telemetry.lastError, undefined);
  telemetry.error(new MCPConnectionError("no"), "dial");
  clock.advance(5);
  telemetry.loss(lossOf({ code: 1012, reason: "" }), true);
  assertEquals(telemetry.lastError, {
    name: "MCPConnectionError",
    message: "Connection lost: restarting (code 1012)",
    context: "connection",
    at: clock.now(),
  });
  assertEquals([numbers().errors, numbers().losses], [1, 1]);
});
