import { narrow, type SessionLimits } from "./limits.ts";

/**
 * How long a message may go unacknowledged, in milliseconds. Who waits for it
 * asks by a ping; all others only hold what they would send again, and an
 * acknowledgement of each lone message costs as much as the message.
 */
export const ACK_DELAY = 1_000;
/** Messages after which the peer is told, if the window is not smaller than four times that. */
const ACK_EVERY = 256;
/** What the peer holds on to at most before it is told, in UTF-16 units. */
const ACK_UNITS = 32 * 1024;

/** Counts what was handed to the application, and says when the peer has to be told. */
export class Acknowledger {
  readonly #limits: SessionLimits;
  #every = 1;
  #units = 0;
  #delivered = 0;
  #told = 0;
  #untoldUnits = 0;

  /** @param limits What this end takes. */
  constructor(limits: SessionLimits) {
    this.#limits = limits;
    this.agree(limits);
  }

  /** Notes what the peer keeps: a quarter of the smaller window of both is told at once. */
  agree(peer: SessionLimits): void {
    const { bufferMessages, bufferBytes } = narrow(this.#limits, peer);
    this.#every = Math.max(1, Math.min(ACK_EVERY, Math.floor(bufferMessages / 4)));
    this.#units = Math.min(ACK_UNITS, bufferBytes / 4);
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
