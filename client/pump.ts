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
  readonly #written: () => void;
  /** What there is to have room again before anything more can leave. */
  #awaited: Outlet | undefined;

  /**
   * @param outbox What waits.
   * @param outlet Where to; `undefined` while there is no connection.
   * @param write Sends one message there; its sender hears of what it throws.
   * @param written Told when no more follow for now.
   */
  constructor(
    outbox: Outbox,
    outlet: () => Outlet | undefined,
    write: (waiting: Waiting) => void,
    written: () => void = () => {},
  ) {
    this.#outbox = outbox;
    this.#outlet = outlet;
    this.#write = write;
    this.#written = written;
  }

  /** Sends what waits, as far as there is room; the rest follows when there is. */
  run(): void {
    const outlet = this.#outlet();
    // Another one need not wait for the room of the last.
    if (outlet === undefined || this.#awaited === outlet) return;
    this.#outbox.flush(this.#write, () => outlet.isOpen && !outlet.isCongested);
    this.#written();
    if (this.#outbox.size === 0 || !outlet.isOpen) return;
    this.#awaited = outlet;
    outlet.drained().then(() => {
      if (this.#awaited !== outlet) return;
      this.#awaited = undefined;
      this.run();
    });
  }
}
