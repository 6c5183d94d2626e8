import type { SessionLimits } from "./limits.ts";

/** How long a message may go unacknowledged, in milliseconds. */
export const ACK_DELAY = 200;
/** Messages after which the peer is told, if the window is not smaller than four times that. */
const ACK_EVERY = 256;

/** Counts what was handed to the application, and says when the peer has to be told. */
export class Acknowledger {
  readonly #every: number;
  readonly #units: number;
  #delivered = 0;
  #told = 0;
  #untoldUnits = 0;

  /** @param limits What this end keeps for the peer: a quarter of it is told at once. */
  constructor({ bufferMessages, bufferBytes }: SessionLimits) {
    this.#every = Math.max(1, Math.min(ACK_EVERY, bufferMessages >> 2));
    this.#units = bufferBytes >> 2;
  }

  /** How many messages were handed to the application. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Whether there is anything that the peer was not told. */
  get hasNews(): boolean {
    return this.#delivered > this.#told;
  }

  /** Whether so much was not told that it must be now. */
  get isDue(): boolean {
    return this.#delivered - this.#told >= this.#every || this.#untoldUnits >= this.#units;
  }

  /** Counts a message of so many UTF-16 units. */
  deliver(units: number): void {
    this.#delivered++;
    this.#untoldUnits += units;
  }

  /** Notes that the peer is told. Returns what. */
  tell(): number {
    this.#untoldUnits = 0;
    return this.#told = this.#delivered;
  }
}
