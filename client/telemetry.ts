import { guard } from "../protocol/guard.ts";
import type { Logger } from "../protocol/transport.ts";
import type { ConnectionState } from "./connection.ts";
import type { PerformanceHooks } from "./options.ts";
import { type Loss, lossError } from "./recovery.ts";
import { type ConnectionStats, Counters } from "./stats.ts";

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
}

/** What a transport counts, logs and measures. No message and no secret gets here. */
export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly #counters = new Counters();

  /** @param options Who is told. */
  constructor(options: TelemetryOptions) {
    this.#options = options;
  }

  /** Notes a message. */
  message(direction: "in" | "out", length: number): void {
    if (direction === "in") this.#counters.messagesReceived++;
    else this.#counters.messagesSent++;
    const { onMessage } = this.#options.hooks;
    if (onMessage) this.#guard(() => onMessage({ direction, length }), "hooks.onMessage");
  }

  /** Notes a dial. */
  dial(ok: boolean, duration: number, attempt: number): void {
    const record = { ok, duration, attempt };
    this.#counters.record(record);
    const { onDial } = this.#options.hooks;
    if (onDial) this.#guard(() => onDial(record), "hooks.onDial");
  }

  /** Notes a loss. */
  loss(loss: Loss, willRetry: boolean): void {
    this.#counters.losses++;
    const then = willRetry ? "reconnecting" : "not reconnecting";
    this.#log("warn", `${lossError(loss).message}; ${then}`);
  }

  /** Notes that a connection that had been lost is usable again. */
  recovery(): void {
    this.#counters.reconnects++;
  }

  /** Notes a change of state. */
  change(state: ConnectionState, previous: ConnectionState): void {
    const change = `${previous.status} -> ${state.status}`;
    this.#log("info", `${change} (attempt ${state.attempt})`);
  }

  /** Notes an error. */
  error(error: Error, context: string): void {
    this.#log("error", `${context}: ${error.message}`);
  }

  /** The numbers as they are now. */
  snapshot(present: Parameters<Counters["snapshot"]>[0]): ConnectionStats {
    return this.#counters.snapshot(present);
  }

  /** A logger that fails must not end what it logs. */
  #log(level: keyof Logger, text: string): void {
    const { logger, name } = this.#options;
    guard(() => logger?.[level](`${name}: ${text}`), () => {});
  }

  #guard(run: () => void, context: string): void {
    guard(run, (error) => this.#options.report(error, context));
  }
}
