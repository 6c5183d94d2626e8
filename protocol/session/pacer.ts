import { type Clock, nextTurn, type Timer } from "../clock.ts";

/** Looks in the very next turns of the event loop: a fast socket has taken a frame after one. */
const QUICK_LOOKS = 16;
/** The pause before the first look after those, in milliseconds; it doubles with each. */
const FIRST_PAUSE = 1;
/** The longest pause, in milliseconds. */
const LAST_PAUSE = 8;

/**
 * Says when to look at a full socket again, as it tells nothing by itself: at
 * once, so that a fast one never runs dry, then more and more rarely, so that
 * a slow one costs next to nothing.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #look: () => void;
  #timer: Timer | undefined;
  /** Looks since the socket took something. */
  #looks = 0;

  /**
   * @param clock Where time comes from.
   * @param look Looks, and waits again if there is still no room.
   */
  constructor(clock: Clock, look: () => void) {
    this.#clock = clock;
    this.#look = look;
  }

  /** Looks again later, once however often it is called. */
  wait(): void {
    this.#timer ??= this.#next(this.#looks++ - QUICK_LOOKS);
  }

  /** The socket took something: it is looked at often again. */
  moved(): void {
    this.#looks = 0;
  }

  /** Looks no more. */
  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#looks = 0;
  }

  #next(pauses: number): Timer {
    if (pauses < 0) return nextTurn(this.#clock, this.#run);
    return this.#clock.after(Math.min(FIRST_PAUSE * 2 ** pauses, LAST_PAUSE), this.#run);
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    this.#look();
  };
}
