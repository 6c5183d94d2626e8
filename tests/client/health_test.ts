import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import {
  assess,
  checkHealth,
  type HealthFacts,
  type HealthReport,
  type HealthSubject,
  type Probe,
} from "../../client/health.ts";
import { RequestMeter } from "../../client/request_meter.ts";
import { Counters, type PresentStats } from "../../client/stats.ts";
import { Vitals } from "../../client/vitals.ts";
import { ManualClock } from "../support/manual_clock.ts";

const ANSWERED: Probe = { type: "answered", ms: 20 };

function makeFacts(
  change: Partial<HealthFacts> = {},
  numbers: Partial<PresentStats> = {},
): HealthFacts {
  const stats = new Counters().snapshot({
    uptime: 5,
    pendingRequests: 1,
    queuedMessages: 0,
    queuedBytes: 0,
    blockedMessages: 0,
    queueAge: undefined,
    bufferedMessages: 0,
    bufferedBytes: 0,
    frameFlushes: { turn: 0, full: 0, control: 0 },
    compression: undefined,
    ...new RequestMeter(() => 0).stats,
    ...new Vitals().signs,
    ...numbers,
  });
  const outbox = { maxMessages: 10, maxBytes: 100 };
  return { state: "connected", stats, outbox, lastError: undefined, ...change };
}

Deno.test("assess() tells what is known, and is immutable", () => {
  const report = assess(makeFacts({}, { latency: 30, quality: 0.9 }), ANSWERED, 77);
  assertEquals(report, {
    status: "healthy",
    reasons: [],
    at: 77,
    state: "connected",
    probe: 20,
    lastError: undefined,
    latency: 30,
    jitter: undefined,
    loss: undefined,
    quality: 0.9,
    uptime: 5,
    pendingRequests: 1,
    queuedMessages: 0,
    queuedBytes: 0,
    blockedMessages: 0,
    bufferedMessages: 0,
    bufferedBytes: 0,
  });
  assert(Object.isFrozen(report) && Object.isFrozen(report.reasons));
});

/** What there is, what became of the probe, and what that means. */
const VERDICTS: readonly [
  string,
  HealthFacts,
  Probe,
  HealthReport["status"],
  HealthReport["reasons"],
][] = [
  ["a peer that cannot be asked", makeFacts(), { type: "unasked" }, "healthy", []],
  [
    "no connection",
    makeFacts({ state: "reconnecting" }),
    { type: "unasked" },
    "unhealthy",
    ["not-connected"],
  ],
  [
    "a connection lost meanwhile",
    makeFacts({ state: "offline" }),
    { type: "lost" },
    "unhealthy",
    ["not-connected", "connection-lost"],
  ],
  ["a silent peer", makeFacts(), { type: "timeout" }, "unhealthy", ["probe-timeout"]],
  ["an answer after a second", makeFacts(), { type: "answered", ms: 1_000 }, "healthy", []],
  ["a later answer", makeFacts(), { type: "answered", ms: 1_001 }, "degraded", ["slow"]],
  ["a quality of 0.5", makeFacts({}, { quality: 0.5 }), ANSWERED, "healthy", []],
  ["less quality", makeFacts({}, { quality: 0.49 }), ANSWERED, "degraded", ["low-quality"]],
  ["7 of 10 queued", makeFacts({}, { queuedMessages: 7 }), ANSWERED, "healthy", []],
  ["8 of 10 queued", makeFacts({}, { queuedMessages: 8 }), ANSWERED, "degraded", ["queue-filling"]],
  ["80 of 100 bytes", makeFacts({}, { queuedBytes: 80 }), ANSWERED, "degraded", ["queue-filling"]],
  [
    "a blocked sender",
    makeFacts({}, { blockedMessages: 1 }),
    ANSWERED,
    "degraded",
    ["queue-filling"],
  ],
];

for (const [name, facts, probe, status, reasons] of VERDICTS) {
  Deno.test(`assess() takes ${name} for ${status}`, () => {
    const report = assess(facts, probe, 0);
    assertEquals([report.status, report.reasons], [status, reasons]);
    assertEquals(report.probe, probe.type === "answered" ? probe.ms : undefined);
  });
}

function makeSubject(ask: HealthSubject["ask"]) {
  const clock = new ManualClock();
  const pings: (string | number)[] = [];
  const subject: HealthSubject = {
    ask,
    clock,
    pings: {
      pinged: () => pings.push("pinged"),
      ponged: (ms) => pings.push(ms),
      missed: () => pings.push("missed"),
    },
    facts: () => makeFacts(),
  };
  return { clock, pings, subject };
}

Deno.test("checkHealth() measures the answer, and counts the question as a ping", async () => {
  const { clock, pings, subject } = makeSubject(({ timeout }) => {
    assertEquals(timeout, 5_000);
    clock.advance(30);
    return Promise.resolve();
  });
  const report = await checkHealth(subject, {});
  assertEquals([report.status, report.probe, report.at], ["healthy", 30, clock.now()]);
  assertEquals(pings, ["pinged", 30]);
});

Deno.test("checkHealth() reports a peer that does not answer in time", async () => {
  const { pings, subject } = makeSubject(({ timeout }) =>
    Promise.reject(new MCPTimeoutError("late", timeout))
  );
  const report = await checkHealth(subject, { timeout: 10 });
  assertEquals([report.status, report.reasons], ["unhealthy", ["probe-timeout"]]);
  assertEquals(pings, ["pinged", "missed"]);
});

Deno.test("checkHealth() reports a connection that is lost meanwhile", async () => {
  const { pings, subject } = makeSubject(() => Promise.reject(new MCPConnectionError("lost")));
  const report = await checkHealth(subject, {});
  assertEquals([report.status, report.reasons], ["unhealthy", ["connection-lost"]]);
  assertEquals(pings, ["pinged"]);
});

Deno.test("checkHealth() asks nothing of a peer that cannot be asked", async () => {
  const { pings, subject } = makeSubject(undefined);
  assertEquals((await checkHealth(subject, {})).probe, undefined);
  assertEquals(pings, []);
});

Deno.test("checkHealth() rejects with the reason of a signal, before or while it asks", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const { pings, subject } = makeSubject(({ signal }) => {
    controller.abort(reason);
    return Promise.reject(signal?.reason);
  });
  const { signal } = controller;
  assertStrictEquals(await assertRejects(() => checkHealth(subject, { signal })), reason);
  assertStrictEquals(await assertRejects(() => checkHealth(subject, { signal })), reason);
  assertEquals(pings, ["pinged"]);
});

Deno.test("checkHealth() refuses a time limit that is none", async () => {
  const { subject } = makeSubject(undefined);
  await assertRejects(() => checkHealth(subject, { timeout: 0 }), RangeError, '"timeout"');
});
