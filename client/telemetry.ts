import type { Clock } from "../protocol/clock.ts";
import { toError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import type { Logger } from "../protocol/transport.ts";
import type { ConnectionState } from "./connection.ts";
import { oneLine } from "./diagnostics/words.ts";
import { type ErrorSummary, summarize } from "./error_summary.ts";
import type { PerformanceHooks } from "./options.ts";
import { type Loss, lossError } from "./recovery.ts";
import { RequestMeter, type RequestStats } from "./request_meter.ts";
import { type ConnectionStats, Counters, type PresentStats } from "./stats.ts";
import { stopwatch } from "../protocol/clock.ts";
import type { HeartbeatDetail } from "./transport_events.ts";
import type { PingSink } from "../protocol/liveness.ts";
import { Vitals, type VitalSigns } from "./vitals.ts";

/** Options of {@linkcode Telemetry}. */
export interface TelemetryOptions {
  /** What the endpoint is called in logs. */
  readonly name: string;
  /** Told what happens. */
  readonly logger: Logger | undefined;
  /** Called for every message and dial. */
  readonly hooks: PerformanceHooks;
  /** Told of hooks that fail. */
  readonly report: (error: Error, context: string) => void;
  /** Told of every ping that was answered or not. */
  readonly onHeartbeat: (detail: HeartbeatDetail) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** What a transport counts, logs and measures. No message and no secret gets here. */
export class Telemetry implements PingSink {
  /** Measures requests. */
  readonly requests: RequestMeter;
  readonly #options: TelemetryOptions;
  readonly #counters = new Counters();
  readonly #vitals = new Vitals();
  #lastError: ErrorSummary | undefined;

  /** @param options Who is told. */
  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.requests = new RequestMeter(stopwatch(options.clock));
  }

  /** The last error or loss. */
  get lastError(): ErrorSummary | undefined {
    return this.#lastError;
  }

  /** Notes a message. */
  message(direction: "in" | "out", length: number): void {
    const counters = this.#counters;
    if (direction === "in") {
      counters.messagesReceived++;
      counters.unitsReceived += length;
    } else {
      counters.messagesSent++;
      counters.unitsSent += length;
    }
    const { onMessage } = this.#options.hooks;
    if (onMessage) this.#guard(() => onMessage({ direction, length }), "hooks.onMessage");
  }

  /**
   * Measures a dial, and reports why it failed unless it was given up.
   *
   * @typeParam T What it opens.
   * @param dial Dials.
   * @param attempt 1 for the first since the connection was lost.
   * @param signal Gives up.
   */
  async measure<T>(dial: () => Promise<T>, attempt: number, signal: AbortSignal): Promise<T> {
    const { clock, report } = this.#options;
    const startedAt = clock.now();
    try {
      const connection = await dial();
      this.#dialled(true, clock.now() - startedAt, attempt);
      return connection;
    } catch (thrown) {
      this.#dialled(false, clock.now() - startedAt, attempt);
      if (!signal.aborted) report(toError(thrown), "dial");
      throw thrown;
    }
  }

  #dialled(ok: boolean, duration: number, attempt: number): void {
    const record = { ok, duration, attempt };
    this.#counters.record(record);
    if (ok) this.#vitals.opened();
    const { onDial } = this.#options.hooks;
    if (onDial) this.#guard(() => onDial(record), "hooks.onDial");
  }

  /** Notes a loss. */
  loss(loss: Loss, willRetry: boolean): void {
    this.#counters.losses++;
    const error = lossError(loss);
    this.#remember(error, "connection");
    const then = willRetry ? "reconnecting" : "not reconnecting";
    this.#log("warn", `${error.message}; ${then}`);
  }

  /** Notes that a connection that had been lost is usable again. */
  recovery(): void {
    this.#counters.reconnects++;
  }

  /** Notes that a session went on after a loss, and how many messages were sent again. */
  resumed(replayed: number): void {
    this.#counters.resumes++;
    this.#counters.replayedMessages += replayed;
  }

  /** Notes that a session could not go on after a loss. */
  sessionLost(): void {
    this.#counters.sessionsLost++;
  }

  /** Notes that a request was answered here. */
  offlineResponse(): void {
    this.#counters.offlineResponses++;
  }

  /** Notes a ping. */
  pinged(): void {
    this.#vitals.pinged();
  }

  /** Notes the answer to a ping, with its round trip in milliseconds. */
  ponged(ms: number): void {
    this.#vitals.ponged(ms);
    this.#options.onHeartbeat({ latency: ms, missed: 0 });
  }

  /** Notes that a ping was not answered in time. */
  missed(): void {
    this.#vitals.missed();
    this.#options.onHeartbeat({ latency: undefined, missed: this.#vitals.misses });
  }

  /** Notes a change of state. */
  change(state: ConnectionState, previous: ConnectionState): void {
    const change = `${previous.status} -> ${state.status}`;
    this.#log("info", `${change} (attempt ${state.attempt})`);
  }

  /** Notes an error. */
  error(error: Error, context: string): void {
    this.#counters.errors++;
    this.#remember(error, context);
    this.#log("error", `${context}: ${error.message}`);
  }

  /**
   * The numbers as they are now.
   *
   * @param present What is only known elsewhere.
   */
  snapshot(present: Omit<PresentStats, keyof RequestStats | keyof VitalSigns>): ConnectionStats {
    return this.#counters.snapshot({ ...present, ...this.#vitals.signs, ...this.requests.stats });
  }

  #remember(error: Error, context: string): void {
    this.#lastError = summarize(error, context, this.#options.clock.now());
  }

  /** A logger that fails must not end what it logs; a peer's words make no lines of their own. */
  #log(level: keyof Logger, text: string): void {
    const { logger, name } = this.#options;
    guard(() => logger?.[level](oneLine(`${name}: ${text}`)), () => {});
  }

  #guard(run: () => void, context: string): void {
    guard(run, (error) => this.#options.report(error, context));
  }
}
