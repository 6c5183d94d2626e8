import type { Clock } from "../protocol/clock.ts";
import { MCPTimeoutError } from "../protocol/errors.ts";
import type { ConnectionStatus } from "./connection.ts";
import type { ErrorSummary } from "./error_summary.ts";
import type { OutboxOptions } from "./options.ts";
import { checkTime } from "./resolved_options.ts";
import type { ConnectionStats } from "./stats.ts";
import { stopwatch } from "../protocol/clock.ts";
import type { PingSink } from "../protocol/liveness.ts";

/** Options of {@linkcode WebSocketClientTransport.healthCheck}. */
export interface HealthCheckOptions {
  /**
   * How long the peer may take to answer, in milliseconds.
   *
   * @default {5_000}
   */
  readonly timeout?: number | undefined;
  /** Gives up checking. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Why a connection is not healthy.
 *
 * - `not-connected`: there is no connection. Unhealthy.
 * - `connection-lost`: it was lost during the check. Unhealthy.
 * - `probe-timeout`: the peer did not answer in time. Unhealthy.
 * - `slow`: it took more than a second to answer. Degraded.
 * - `low-quality`: the quality is below 0.5. Degraded.
 * - `queue-filling`: four fifths of the queue are taken, or senders are blocked. Degraded.
 */
export type HealthReason =
  | "not-connected"
  | "connection-lost"
  | "probe-timeout"
  | "slow"
  | "low-quality"
  | "queue-filling";

/** How a connection does, at one moment. */
export interface HealthReport extends
  Pick<
    ConnectionStats,
    | "latency"
    | "jitter"
    | "loss"
    | "quality"
    | "uptime"
    | "pendingRequests"
    | "queuedMessages"
    | "queuedBytes"
    | "blockedMessages"
    | "bufferedMessages"
    | "bufferedBytes"
  > {
  /** `healthy` if there is no reason against it; else as bad as the worst reason. */
  readonly status: "healthy" | "degraded" | "unhealthy";
  /** What speaks against `healthy`. */
  readonly reasons: readonly HealthReason[];
  /** When the check ended, in milliseconds since 1970. */
  readonly at: number;
  /** Where the connection stands. */
  readonly state: ConnectionStatus;
  /**
   * How long the peer took to answer just now, in milliseconds; `undefined` if
   * it did not, or cannot be asked: before `initialize`, with `heartbeat:
   * false`, and in the modern era without `heartbeat.discover`.
   */
  readonly probe: number | undefined;
  /** The last error or loss; `undefined` if there was none. */
  readonly lastError: ErrorSummary | undefined;
}

/** What is known without asking the peer. */
export interface HealthFacts {
  /** Where the connection stands. */
  readonly state: ConnectionStatus;
  /** The numbers. */
  readonly stats: ConnectionStats;
  /** The room in the queue. */
  readonly outbox: Pick<OutboxOptions, "maxMessages" | "maxBytes">;
  /** The last error or loss. */
  readonly lastError: ErrorSummary | undefined;
}

/** What became of a question to the peer. */
export type Probe =
  | { readonly type: "unasked" | "timeout" | "lost" }
  | { readonly type: "answered"; readonly ms: number };

/** What is checked. */
export interface HealthSubject {
  /** Asks the peer; `undefined` if it cannot be asked. */
  readonly ask:
    | ((limits: { timeout: number; signal?: AbortSignal }) => Promise<unknown>)
    | undefined;
  /** Told what becomes of the question: it is a ping. */
  readonly pings: PingSink;
  /** Where time comes from. */
  readonly clock: Clock;
  /** What is known, asked at the end. */
  readonly facts: () => HealthFacts;
}

/** An answer that takes longer is slow, in milliseconds. */
const SLOW = 1_000;
/** Less is low. */
const LOW_QUALITY = 0.5;
/** The share of the queue from which on it is filling. */
const FILLING = 0.8;

const UNHEALTHY: ReadonlySet<HealthReason> = new Set([
  "not-connected",
  "connection-lost",
  "probe-timeout",
]);

/**
 * Asks the peer, and sums up.
 *
 * @param subject What is checked.
 * @param options A time limit, and a signal.
 * @throws {RangeError} If the time limit is none.
 * @throws The signal's reason, if it aborts. That the peer is down is a report.
 */
export async function checkHealth(
  subject: HealthSubject,
  options: HealthCheckOptions,
): Promise<HealthReport> {
  const { timeout = 5_000, signal } = options;
  checkTime("timeout", timeout);
  signal?.throwIfAborted();
  const probe = await sendProbe(subject, timeout, signal);
  return assess(subject.facts(), probe, subject.clock.now());
}

/**
 * The report.
 *
 * @param facts What is known.
 * @param probe What became of the question to the peer.
 * @param now When, in milliseconds since 1970.
 */
export function assess(facts: HealthFacts, probe: Probe, now: number): HealthReport {
  const { state, stats, lastError } = facts;
  const reasons = [...findReasons(facts, probe)];
  const isUnhealthy = reasons.some((reason) => UNHEALTHY.has(reason));
  return Object.freeze({
    status: isUnhealthy ? "unhealthy" : reasons.length > 0 ? "degraded" : "healthy",
    reasons: Object.freeze(reasons),
    at: now,
    state,
    probe: probe.type === "answered" ? probe.ms : undefined,
    lastError,
    latency: stats.latency,
    jitter: stats.jitter,
    loss: stats.loss,
    quality: stats.quality,
    uptime: stats.uptime,
    pendingRequests: stats.pendingRequests,
    queuedMessages: stats.queuedMessages,
    queuedBytes: stats.queuedBytes,
    blockedMessages: stats.blockedMessages,
    bufferedMessages: stats.bufferedMessages,
    bufferedBytes: stats.bufferedBytes,
  });
}

async function sendProbe(
  { ask, pings, clock }: HealthSubject,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Probe> {
  if (ask === undefined) return { type: "unasked" };
  const now = stopwatch(clock);
  const startedAt = now();
  pings.pinged();
  try {
    await ask({ timeout, ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof MCPTimeoutError)) return { type: "lost" };
    pings.missed();
    return { type: "timeout" };
  }
  const ms = now() - startedAt;
  pings.ponged(ms);
  return { type: "answered", ms };
}

function* findReasons(
  { state, stats, outbox }: HealthFacts,
  probe: Probe,
): Generator<HealthReason> {
  if (state !== "connected") yield "not-connected";
  if (probe.type === "lost") yield "connection-lost";
  if (probe.type === "timeout") yield "probe-timeout";
  if (probe.type === "answered" && probe.ms > SLOW) yield "slow";
  if (stats.quality !== undefined && stats.quality < LOW_QUALITY) yield "low-quality";
  const isFilling = stats.queuedMessages >= FILLING * outbox.maxMessages ||
    stats.queuedBytes >= FILLING * outbox.maxBytes;
  if (isFilling || stats.blockedMessages > 0) yield "queue-filling";
}
