import type { Outbox, Waiting } from "./outbox.ts";

/** A connection, as far as what waits for it is concerned. */
export interface Outlet {
  /** Whether messages can be sent. */
  readonly isOpen: boolean;
  /** Whether so much waits in it that a sender has to wait, too. */
  readonly isCongested: boolean;
  /** Resolves when it has room again, or has ended. */
  drained(): Promise<void>;
}

/** Empties an outbox into a connection. */
export class Pump {
  readonly #outbox: Outbox;
  readonly #outlet: () => Outlet | undefined;
  readonly #write: (waiting: Waiting) => void;
  #isWaiting = false;

  /**
   * @param outbox What waits.
   * @param outlet Where to; `undefined` while there is no connection.
   * @param write Sends one message there; its sender hears of what it throws.
   */
  constructor(
    outbox: Outbox,
    outlet: () => Outlet | undefined,
    write: (waiting: Waiting) => void,
  ) {
    this.#outbox = outbox;
    this.#outlet = outlet;
    this.#write = write;
  }

  /** Sends what waits, as far as there is room; the rest follows when there is. */
  run(): void {
    const outlet = this.#outlet();
    if (outlet === undefined || this.#isWaiting) return;
    this.#outbox.flush(this.#write, () => outlet.isOpen && !outlet.isCongested);
    if (this.#outbox.size === 0 || !outlet.isOpen) return;
    this.#isWaiting = true;
    outlet.drained().then(() => {
      this.#isWaiting = false;
      this.run();
    });
  }
}
