import type { DialRecord } from "./options.ts";

/** Numbers about a transport; counts are since it was made. */
export interface ConnectionStats {
  /** Dials that were begun. */
  readonly attempts: number;
  /** Dials that led to a usable connection. */
  readonly successes: number;
  /** Dials that failed. */
  readonly failures: number;
  /** How long a successful dial takes on average, in milliseconds; `undefined` before the first. */
  readonly averageConnectTime: number | undefined;
  /** How long the present connection is usable, in milliseconds; `undefined` while there is none. */
  readonly uptime: number | undefined;
  /** Connections that were lost. */
  readonly losses: number;
  /** Connections that were opened again after a loss. */
  readonly reconnects: number;
  /** Messages sent. */
  readonly messagesSent: number;
  /** Messages received. */
  readonly messagesReceived: number;
  /** Requests sent and not answered yet. */
  readonly pendingRequests: number;
  /** Messages that wait for a connection. */
  readonly queuedMessages: number;
  /** The same in bytes of UTF-8. */
  readonly queuedBytes: number;
}

/** What is counted; changed in place. */
export class Counters {
  /** Messages sent. */
  messagesSent = 0;
  /** Messages received. */
  messagesReceived = 0;
  /** Connections that were lost. */
  losses = 0;
  /** Connections that were opened again after a loss. */
  reconnects = 0;
  #successes = 0;
  #failures = 0;
  #connectTime = 0;

  /** Counts a dial. */
  record(dial: DialRecord): void {
    if (!dial.ok) return void this.#failures++;
    this.#successes++;
    this.#connectTime += dial.duration;
  }

  /**
   * The numbers as they are now.
   *
   * @param present What is not counted but looked up.
   */
  snapshot(
    present: Pick<
      ConnectionStats,
      "uptime" | "pendingRequests" | "queuedMessages" | "queuedBytes"
    >,
  ): ConnectionStats {
    const successes = this.#successes;
    return Object.freeze({
      attempts: successes + this.#failures,
      successes,
      failures: this.#failures,
      averageConnectTime: successes === 0 ? undefined : this.#connectTime / successes,
      losses: this.losses,
      reconnects: this.reconnects,
      messagesSent: this.messagesSent,
      messagesReceived: this.messagesReceived,
      ...present,
    });
  }
}
