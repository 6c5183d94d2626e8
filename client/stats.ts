import type { DialRecord } from "./options.ts";
import type { RequestStats } from "./request_meter.ts";
import type { VitalSigns } from "./vitals.ts";

/** What compression has done, since the transport was made. */
export interface CompressionStats {
  /** Frames that were sent compressed. */
  readonly framesSent: number;
  /** Bytes that did not have to be sent. */
  readonly bytesSavedSending: number;
  /** Frames that came in compressed. */
  readonly framesReceived: number;
  /** What did not have to come in, in UTF-16 units of text less bytes: bytes, where all is ASCII. */
  readonly bytesSavedReceiving: number;
}

/**
 * Numbers about a transport. Counts are since it was made; what is not known
 * is `undefined`.
 */
export interface ConnectionStats extends RequestStats, VitalSigns {
  /** Dials that were begun and have ended. */
  readonly attempts: number;
  /** Dials that led to a usable connection. */
  readonly successes: number;
  /** Dials that failed. */
  readonly failures: number;
  /** How long a successful dial takes on average, in milliseconds; `undefined` before the first. */
  readonly averageConnectTime: number | undefined;
  /** How long the last successful dial took, in milliseconds; `undefined` before the first. */
  readonly lastConnectTime: number | undefined;
  /** How long the slowest successful dial took, in milliseconds; `undefined` before the first. */
  readonly maxConnectTime: number | undefined;
  /** How long the present connection is usable, in milliseconds; `undefined` while there is none. */
  readonly uptime: number | undefined;
  /** Connections that were lost. */
  readonly losses: number;
  /** Connections that were opened again after a loss. */
  readonly reconnects: number;
  /** Sessions that went on after a loss. */
  readonly resumes: number;
  /** Messages that were sent again because a session went on. */
  readonly replayedMessages: number;
  /** Sessions that could not go on after a loss. */
  readonly sessionsLost: number;
  /** Errors that were reported outside any call. */
  readonly errors: number;
  /** Messages sent. */
  readonly messagesSent: number;
  /** Messages received. */
  readonly messagesReceived: number;
  /**
   * The text of the messages sent, in UTF-16 units: in bytes as long as it is
   * ASCII, more otherwise. To count bytes would cost more than the rest.
   */
  readonly unitsSent: number;
  /** The text of the messages received, in UTF-16 units, see `unitsSent`. */
  readonly unitsReceived: number;
  /** Requests that were answered here, see `offlineResponse`; they count nowhere else. */
  readonly offlineResponses: number;
  /** Requests sent and not answered yet. */
  readonly pendingRequests: number;
  /** Messages that wait for a connection, or for room in it. */
  readonly queuedMessages: number;
  /** The same in bytes of UTF-8. */
  readonly queuedBytes: number;
  /** Messages whose senders wait for room in the queue. */
  readonly blockedMessages: number;
  /** How long the oldest queued message has waited, in milliseconds; `undefined` if none does. */
  readonly queueAge: number | undefined;
  /** Messages that are kept until the peer has acknowledged them. */
  readonly bufferedMessages: number;
  /** The same in bytes of UTF-8. */
  readonly bufferedBytes: number;
  /** Why frames of a session with one or more whole messages left, and how many did. */
  readonly frameFlushes: {
    /** The turn was over. */
    readonly turn: number;
    /** One more message would not have fitted. */
    readonly full: number;
    /** Something else had to follow: a control frame, a piece, the end of the connection. */
    readonly control: number;
  };
  /** What compression has done; `undefined` where it is not wanted. */
  readonly compression: CompressionStats | undefined;
}

/** What is not counted but looked up. */
export type PresentStats =
  & RequestStats
  & VitalSigns
  & Pick<
    ConnectionStats,
    | "uptime"
    | "pendingRequests"
    | "queuedMessages"
    | "queuedBytes"
    | "blockedMessages"
    | "queueAge"
    | "bufferedMessages"
    | "bufferedBytes"
    | "frameFlushes"
    | "compression"
  >;

/** What is counted; changed in place. */
export class Counters {
  /** Messages sent. */
  messagesSent = 0;
  /** Messages received. */
  messagesReceived = 0;
  /** Their text, in UTF-16 units. */
  unitsSent = 0;
  /** Their text, in UTF-16 units. */
  unitsReceived = 0;
  /** Connections that were lost. */
  losses = 0;
  /** Connections that were opened again after a loss. */
  reconnects = 0;
  /** Sessions that went on after a loss. */
  resumes = 0;
  /** Messages that were sent again because a session went on. */
  replayedMessages = 0;
  /** Sessions that could not go on after a loss. */
  sessionsLost = 0;
  /** Errors that were reported. */
  errors = 0;
  /** Requests that were answered here. */
  offlineResponses = 0;
  #successes = 0;
  #failures = 0;
  #connectTime = 0;
  #lastConnectTime: number | undefined;
  #maxConnectTime: number | undefined;

  /** Counts a dial. */
  record({ ok, duration }: DialRecord): void {
    if (!ok) return void this.#failures++;
    this.#successes++;
    this.#connectTime += duration;
    this.#lastConnectTime = duration;
    this.#maxConnectTime = Math.max(duration, this.#maxConnectTime ?? 0);
  }

  /**
   * The numbers as they are now.
   *
   * @param present What is not counted but looked up.
   */
  snapshot(present: PresentStats): ConnectionStats {
    const successes = this.#successes;
    return Object.freeze({
      attempts: successes + this.#failures,
      successes,
      failures: this.#failures,
      averageConnectTime: successes === 0 ? undefined : this.#connectTime / successes,
      lastConnectTime: this.#lastConnectTime,
      maxConnectTime: this.#maxConnectTime,
      losses: this.losses,
      reconnects: this.reconnects,
      resumes: this.resumes,
      replayedMessages: this.replayedMessages,
      sessionsLost: this.sessionsLost,
      errors: this.errors,
      messagesSent: this.messagesSent,
      messagesReceived: this.messagesReceived,
      unitsSent: this.unitsSent,
      unitsReceived: this.unitsReceived,
      offlineResponses: this.offlineResponses,
      ...present,
    });
  }
}
