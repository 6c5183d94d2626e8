import type { Clock, Timer } from "../../protocol/clock.ts";
import { toError } from "../../protocol/errors.ts";
import type { MCPWebSocketClient } from "../client.ts";
import type { ConnectionState } from "../connection.ts";
import type { ReconnectOptions } from "../options.ts";
import { closedError, extraPause, isRetriable } from "../recovery.ts";
import type { Flight } from "./flight.ts";
import type { PoolLane } from "./options.ts";
import { type Rank, RANKS } from "./rank.ts";

/** What a {@linkcode Member} is, and whom it tells. */
export interface MemberOptions {
  /** The connection. */
  readonly client: MCPWebSocketClient;
  /** What its endpoint is called in logs and errors. */
  readonly endpoint: string;
  /** The requests that it takes. */
  readonly lane: PoolLane;
  /** How a connection that has given up is opened again; `false` never does. */
  readonly revive: ReconnectOptions | false;
  /** How long a lost session may take to go on, in milliseconds. */
  readonly failoverDelay: number;
  /** Told that requests can be sent. */
  readonly onUsable: (member: Member) => void;
  /** Told that a lost session has not gone on for a while. */
  readonly onStranded: (member: Member) => void;
  /** Told that it could not be opened, or has given up. */
  readonly onFailed: (member: Member, error: Error) => void;
  /** Told that nothing is in flight any more. */
  readonly onIdle: (member: Member) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** From this quality down a connection is degraded. */
const LOW_QUALITY = 0.5;

/** One connection of a pool: a client of its own, with what is in flight on it. */
export class Member {
  /** The connection. */
  readonly client: MCPWebSocketClient;
  /** What its endpoint is called in logs and errors. */
  readonly endpoint: string;
  /** The requests that it takes. */
  readonly lane: PoolLane;
  readonly #options: MemberOptions;
  /** In no order; a `Set` of so many comings and goings costs more than the rest. */
  readonly #flights: Flight[] = [];
  #isWanted = false;
  #isOpening = false;
  #isDegraded = false;
  #isStranded = false;
  #failures = 0;
  #lastError: Error | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Runs while a connection that has given up waits for its next chance. */
  #revival: Timer | undefined;
  /** Runs while a lost session may go on. */
  #grace: Timer | undefined;

  /** @param options The connection, and whom it tells. */
  constructor(options: MemberOptions) {
    this.#options = options;
    this.client = options.client;
    this.endpoint = options.endpoint;
    this.lane = options.lane;
    const { client } = this;
    client.addEventListener("initialized", () => this.#usable());
    client.addEventListener("recovered", () => this.#usable());
    client.addEventListener("lost", ({ detail }) => detail.willRetry && this.#lost());
    client.addEventListener("heartbeat", ({ detail }) => this.#assess(detail.missed));
    client.addEventListener("statechange", ({ detail }) => this.#changed(detail.state));
  }

  /** How many requests are in flight. */
  get pending(): number {
    return this.#flights.length;
  }

  /** What was sent over it and waits for its answer, as it is now. */
  get flights(): Flight[] {
    return [...this.#flights];
  }

  /** How well it would serve a request. */
  get rank(): Rank {
    if (!this.client.isInitialized) return RANKS.UNUSABLE;
    const isCongested = this.client.transport.queueSize > 0;
    return this.#isDegraded || isCongested ? RANKS.DEGRADED : RANKS.HEALTHY;
  }

  /** Whether it is open, or tries to be. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Whether its session was lost and has not gone on for a while. */
  get isStranded(): boolean {
    return this.#isStranded;
  }

  /** How often in a row it could not be opened. */
  get failures(): number {
    return this.#failures;
  }

  /** Why it could not be opened, or has given up; `undefined` if it never did. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Notes that a request is in flight over it. */
  take(flight: Flight): void {
    flight.place = this.#flights.push(flight) - 1;
  }

  /** Notes that a request is in flight over it no more. */
  release(flight: Flight): void {
    const { place } = flight;
    if (this.#flights[place] !== flight) return;
    const last = this.#flights.pop();
    if (last !== undefined && last !== flight) {
      this.#flights[place] = last;
      last.place = place;
    }
    if (this.#flights.length === 0) this.#options.onIdle(this);
  }

  /**
   * Opens it; a second call joins the first. One that fails is tried again
   * later, by itself, unless that cannot help.
   *
   * @throws What keeps it from opening.
   */
  open(): Promise<void> {
    this.#isWanted = true;
    return this.#opening ??= this.#open().finally(() => this.#opening = undefined);
  }

  /** Closes it; what is in flight is rejected. Closing twice is fine. */
  close(): Promise<void> {
    this.#isWanted = false;
    this.#settle();
    this.#revival?.clear();
    return this.#closing ??= this.#close().finally(() => this.#closing = undefined);
  }

  async #open(): Promise<void> {
    this.#revival?.clear();
    await this.#closing;
    if (!this.#isWanted) throw closedError();
    this.#isOpening = true;
    try {
      await this.client.connect();
      this.#isOpening = false;
      this.#failures = 0;
    } catch (thrown) {
      this.#isOpening = false;
      this.#fail(toError(thrown));
      throw thrown;
    }
  }

  async #close(): Promise<void> {
    const opening = this.#opening;
    await this.client.disconnect();
    await opening?.catch(() => {});
  }

  #usable(): void {
    if (!this.client.isInitialized) return;
    this.#isDegraded = false;
    this.#settle();
    this.#options.onUsable(this);
  }

  #lost(): void {
    const { clock, failoverDelay, onStranded } = this.#options;
    this.#grace ??= clock.after(failoverDelay, () => {
      this.#isStranded = true;
      onStranded(this);
    });
  }

  /** Nothing is lost any more. */
  #settle(): void {
    this.#isStranded = false;
    this.#grace?.clear();
    this.#grace = undefined;
  }

  #assess(missed: number): void {
    const { quality = 1 } = this.client.getStats();
    this.#isDegraded = missed > 0 || quality < LOW_QUALITY;
  }

  #changed(state: ConnectionState): void {
    if (state.status !== "failed") return;
    this.#settle();
    if (!this.#isOpening) this.#fail(state.error);
  }

  #fail(error: Error): void {
    if (!this.#isWanted) return;
    const { revive, clock, onFailed } = this.#options;
    this.#failures++;
    this.#lastError = error;
    this.#isWanted = revive !== false && isRetriable(error, this.#failures <= 1);
    if (revive !== false && this.#isWanted) {
      const pause = Math.max(backoff(revive, this.#failures), extraPause(error));
      this.#revival = clock.after(pause, () => this.open().catch(() => {}));
    }
    onFailed(this, error);
  }
}

/** A random pause that may grow from failure to failure, in milliseconds. */
function backoff({ minDelay, maxDelay, multiplier }: ReconnectOptions, failures: number): number {
  return Math.random() * Math.min(maxDelay, minDelay * multiplier ** (failures - 1));
}
