import type { Clock, Timer } from "../../protocol/clock.ts";
import { MCPCapacityError } from "../../protocol/errors.ts";
import type { Flight } from "./flight.ts";

/** Options of {@linkcode WaitingRoom}. */
export interface WaitingRoomOptions {
  /** Requests that may wait. */
  readonly maxWaiting: number;
  /** How long each may wait, in milliseconds. */
  readonly maxWait: number;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Told of each that waited for too long; it is out already. */
  readonly onExpired: (flight: Flight) => void;
  /** Told of each that was aborted; it is out already. */
  readonly onAborted: (flight: Flight, reason: unknown) => void;
}

interface Waiting {
  readonly until: number;
  readonly release: () => void;
}

/** Requests that wait for a connection, first in, first out, with one timer for all. */
export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  readonly #waiting = new Map<Flight, Waiting>();
  #timer: Timer | undefined;

  /** @param options The bounds. */
  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Lets a request wait.
   *
   * @returns Why it may not.
   */
  add(flight: Flight): MCPCapacityError | undefined {
    const { maxWaiting, maxWait, clock } = this.#options;
    if (this.#waiting.size >= maxWaiting) {
      const text = `Cannot send request "${flight.method}": ` +
        `${maxWaiting} wait for a connection already`;
      return new MCPCapacityError(text, maxWaiting);
    }
    this.#waiting.set(flight, { until: clock.now() + maxWait, release: this.#follow(flight) });
    this.#timer ??= clock.after(maxWait, () => this.#expire());
    return undefined;
  }

  /** Takes out the one that has waited longest. */
  take(): Flight | undefined {
    const [flight] = this.#waiting.keys();
    if (flight !== undefined) this.#remove(flight);
    return flight;
  }

  #follow(flight: Flight): () => void {
    const { signal } = flight.options;
    if (signal === undefined) return () => {};
    const abort = () => {
      this.#remove(flight);
      this.#options.onAborted(flight, signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #remove(flight: Flight): void {
    this.#waiting.get(flight)?.release();
    this.#waiting.delete(flight);
    if (this.#waiting.size > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const { clock, onExpired } = this.#options;
    for (const [flight, { until }] of this.#waiting) {
      const rest = until - clock.now();
      if (rest > 0) {
        this.#timer = clock.after(rest, () => this.#expire());
        return;
      }
      this.#remove(flight);
      onExpired(flight);
    }
  }
}
