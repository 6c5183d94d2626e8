import type { Clock, Timer } from "../protocol/clock.ts";
import { HIGH_WATER } from "../protocol/link.ts";

/** A socket, as far as it is watched. */
export interface WatchedSocket {
  /** Bytes that wait to leave. */
  readonly bufferedAmount: number;
  /** Whether that is too much. */
  readonly isCongested: boolean;
}

/** What goes out over it. */
export interface WatchedSender {
  /** Grows with every message: none leaves while the socket is congested. */
  readonly sent: number;
  /** Messages that wait for the socket. */
  readonly waitingMessages: number;
}

/** Told what becomes of it. */
export interface BacklogEvents {
  /** The peer has read nothing for ten seconds. Called once. */
  stuck(): void;
}

/** How often a congested socket is looked at, in milliseconds. */
const LOOK_INTERVAL = 1_000;
/** Looks in a row at a socket that stands still, before its peer is given up: ten seconds. */
const MAX_LOOKS = 10;

/**
 * Watches whether a peer reads at all. Looks are counted, not time: a process
 * that was asleep accuses nobody.
 */
export class Backlog {
  readonly #socket: WatchedSocket;
  readonly #sender: WatchedSender;
  readonly #clock: Clock;
  readonly #events: BacklogEvents;
  #timer: Timer | undefined;
  #lowest = 0;
  #sent = 0;
  #looks = 0;

  /**
   * @param socket The socket.
   * @param sender What goes out over it.
   * @param clock Where time comes from.
   * @param events Who is told.
   */
  constructor(socket: WatchedSocket, sender: WatchedSender, clock: Clock, events: BacklogEvents) {
    this.#socket = socket;
    this.#sender = sender;
    this.#clock = clock;
    this.#events = events;
  }

  /** To be called when something may have been written. */
  written(): void {
    if (this.#timer !== undefined || !this.#socket.isCongested) return;
    this.#restart(this.#socket.bufferedAmount);
    this.#lookLater();
  }

  /** Stops watching. */
  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #lookLater(): void {
    this.#timer = this.#clock.after(LOOK_INTERVAL, () => this.#look());
  }

  #look(): void {
    this.#timer = undefined;
    const amount = this.#socket.bufferedAmount;
    const isRelieved = amount <= HIGH_WATER;
    if (isRelieved && this.#sender.waitingMessages === 0) return;
    // Acknowledgements are written at any time: they may hide a small decrease, not a message.
    if (isRelieved || amount < this.#lowest || this.#sender.sent !== this.#sent) {
      this.#restart(amount);
    } else if (++this.#looks >= MAX_LOOKS) return this.#events.stuck();
    this.#lookLater();
  }

  #restart(amount: number): void {
    this.#lowest = amount;
    this.#sent = this.#sender.sent;
    this.#looks = 0;
  }
}
