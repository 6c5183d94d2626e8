import { toError } from "../protocol/errors.ts";
import { guard } from "../protocol/guard.ts";
import { quote } from "../protocol/quote.ts";
import type { Logger } from "../protocol/transport.ts";
import type { MetricsSink } from "./metrics_sink.ts";

/** Counts failures, by whose they are. */
export const FAILURES = "bowline_failures_total";

/**
 * Tells the application what happens. Whatever the application's logger and
 * listener do, nothing comes back: an error thrown in a socket's handler would
 * end the process.
 */
export class Reporter {
  readonly #logger: Logger | undefined;
  readonly #onError: ((error: Error) => unknown) | undefined;
  readonly #sink: MetricsSink | undefined;
  #failures = 0;
  #faults = 0;

  /**
   * @param logger Told what happens.
   * @param onError Told of failures.
   * @param sink Told that there was one.
   */
  constructor(
    logger: Logger | undefined,
    onError: ((error: Error) => unknown) | undefined,
    sink?: MetricsSink,
  ) {
    this.#logger = logger;
    this.#onError = onError;
    this.#sink = sink;
  }

  /** How many failures were reported, on this side and of peers. */
  get errors(): number {
    return this.#failures + this.#faults;
  }

  /** How many of them were on this side. */
  get failures(): number {
    return this.#failures;
  }

  /** How many were what a peer did wrong. */
  get faults(): number {
    return this.#faults;
  }

  /** Logs what somebody looking for a fault wants to know. */
  debug(text: string): void {
    this.#log("debug", text);
  }

  /** Logs what happens in ordinary service. */
  info(text: string): void {
    this.#log("info", text);
  }

  /** Logs what should not happen, and was dealt with. */
  warn(text: string): void {
    this.#log("warn", text);
  }

  /**
   * Counts, logs and passes on a failure on this side.
   *
   * @param during What was being done, as the start of a sentence.
   * @param thrown What was thrown.
   */
  error(during: string, thrown: unknown): void {
    this.#failures++;
    this.#count("server");
    this.#tell("error", during, thrown);
  }

  /**
   * Counts, logs and passes on what a peer did wrong. A stranger can cause as
   * many of these as he likes; they must not look like our own.
   *
   * @param during What was being done, as the start of a sentence.
   * @param thrown What was thrown.
   */
  fault(during: string, thrown: unknown): void {
    this.#faults++;
    this.#count("peer");
    this.#tell("warn", during, thrown);
  }

  #tell(level: "warn" | "error", during: string, thrown: unknown): void {
    const error = toError(thrown);
    this.#log(level, `${during}: ${quote(error.message)}`);
    const onError = this.#onError;
    if (onError !== undefined) guard(() => onError(error), ignore);
  }

  #count(side: "server" | "peer"): void {
    const sink = this.#sink;
    if (sink !== undefined) guard(() => sink.add(FAILURES, 1, { side }), ignore);
  }

  #log(level: "debug" | "info" | "warn" | "error", text: string): void {
    const logger = this.#logger;
    if (logger !== undefined) guard(() => logger[level](text), ignore);
  }
}

function ignore(): void {}
