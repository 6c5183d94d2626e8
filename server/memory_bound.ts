import type { Clock, Timer } from "../protocol/clock.ts";

/** A connection or a session, as far as it holds bytes for its client. */
export interface Holding {
  /** Bytes that it holds now. */
  readonly heldBytes: number;
  /** Whether it is still there. */
  readonly isOpen: boolean;
}

/** How often those are looked at that held something, in milliseconds. */
const LOOK_INTERVAL = 250;

/**
 * Bounds what all connections and sessions of a server hold together. Whoever
 * holds most is the first to go: it does not read, or asks for more than there
 * is room for. Sockets tell nothing by themselves, so they are looked at: when
 * something was written, and from time to time while they hold something.
 */
export class MemoryBound<Held extends Holding> {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #evict: (holding: Held) => void;
  /** What each held when it was looked at last. */
  readonly #held = new Map<Held, number>();
  #sum = 0;
  #timer: Timer | undefined;

  /**
   * @param limit How many bytes there may be.
   * @param clock Where time comes from.
   * @param evict Ends one of them.
   */
  constructor(limit: number, clock: Clock, evict: (holding: Held) => void) {
    this.#limit = limit;
    this.#clock = clock;
    this.#evict = evict;
  }

  /** Bytes that were held when they were looked at last. */
  get sum(): number {
    return this.#sum;
  }

  /** To be called when one has written something, or has ended. */
  written(holding: Held): void {
    this.#look(holding);
    this.#enforce();
    this.#schedule();
  }

  #look(holding: Held): void {
    const known = this.#held.get(holding) ?? 0;
    const held = holding.isOpen ? holding.heldBytes : 0;
    this.#sum += held - known;
    if (held > 0) this.#held.set(holding, held);
    else this.#held.delete(holding);
  }

  /** There is a timer while something is held, and no longer. */
  #schedule(): void {
    if (this.#held.size > 0) {
      this.#timer ??= this.#clock.after(LOOK_INTERVAL, () => this.#lookAgain());
      return;
    }
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #lookAgain(): void {
    this.#timer = undefined;
    for (const holding of this.#held.keys()) this.#look(holding);
    this.#enforce();
    this.#schedule();
  }

  #enforce(): void {
    while (this.#sum > this.#limit) {
      const largest = this.#largest();
      if (largest === undefined) return;
      // What it had when it was looked at may have left meanwhile.
      this.#look(largest);
      if (this.#sum <= this.#limit) return;
      this.#sum -= this.#held.get(largest) ?? 0;
      this.#held.delete(largest);
      this.#evict(largest);
    }
  }

  #largest(): Held | undefined {
    let largest: Held | undefined;
    let most = 0;
    for (const [holding, held] of this.#held) {
      if (held <= most) continue;
      most = held;
      largest = holding;
    }
    return largest;
  }
}
