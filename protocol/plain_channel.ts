import { BatchAnswers, type BatchItem, BatchTerms } from "./batch.ts";
import type { Channel, ChannelSink, Throttle } from "./channel.ts";
import type { Clock } from "./clock.ts";
import { CLOSE_CODES } from "./close_codes.ts";
import { MCPConnectionError, MCPError } from "./errors.ts";
import { HeldFrames } from "./held_frames.ts";
import type { JsonRpcMessage } from "./jsonrpc.ts";
import { type CloseInfo, HIGH_WATER, type Link } from "./link.ts";
import { PlainReader } from "./plain.ts";
import type { SendOptions } from "./transport.ts";

/** Bounds of a {@linkcode PlainChannel}. */
export interface PlainChannelOptions {
  /** Which end of the socket this is. */
  readonly end: "server" | "client";
  /** The largest message that is sent, in bytes of UTF-8. */
  readonly maxSendBytes: number;
  /** The largest message that is taken, in bytes of UTF-8. */
  readonly maxReceiveBytes: number;
  /** How deep a message may nest; 64 by default. */
  readonly maxDepth?: number | undefined;
  /** How many messages a batch may hold; 100 by default. */
  readonly maxBatchItems?: number | undefined;
  /** Bounds how much the peer sends. */
  readonly throttle?: Throttle | undefined;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** Plain MCP over one open socket. */
export class PlainChannel implements Channel {
  /** See {@linkcode Channel}. */
  readonly protocol = "mcp";
  /** See {@linkcode Channel}. */
  readonly bufferedMessages: undefined = undefined;
  readonly #link: Link;
  readonly #sink: ChannelSink;
  readonly #reader: PlainReader;
  readonly #terms = new BatchTerms();
  readonly #answers: BatchAnswers;
  readonly #throttle: Throttle | undefined;
  /** What may wait for a peer that does not read: one message beyond the high-water mark. */
  readonly #maxBufferedBytes: number;
  /** What came in before anybody listened; it may take as much room as one message. */
  #held: HeldFrames | undefined;
  #isViolated = false;

  /**
   * @param link The open socket; it is listened to from now on.
   * @param sink Who listens.
   * @param options Bounds, and which end this is.
   * @param frames What came in before.
   */
  constructor(
    link: Link,
    sink: ChannelSink,
    options: PlainChannelOptions,
    frames: readonly string[] = [],
  ) {
    this.#link = link;
    this.#sink = sink;
    this.#maxBufferedBytes = options.maxSendBytes + HIGH_WATER;
    this.#throttle = options.throttle;
    this.#held = new HeldFrames(options.maxReceiveBytes);
    this.#answers = new BatchAnswers({
      write: (text) => void this.#write(text),
      maxBytes: options.maxSendBytes,
      clock: options.clock,
    });
    this.#reader = new PlainReader(
      {
        message: (message) => {
          this.#terms.asked(message);
          if (this.#answers.heard(message)) sink.message(message);
        },
        batch: (items) => this.#takeBatch(items),
        fault: (error, reply) => {
          sink.fault(error);
          link.send(JSON.stringify(reply));
        },
        violation: (code, reason) => this.#violate(code, reason),
      },
      options.end,
      options.maxReceiveBytes,
      options.maxDepth,
      { terms: this.#terms, maxItems: options.maxBatchItems },
    );
    link.redirect({ frame: (data) => this.#take(data), closed: (info) => this.#closed(info) });
    for (const frame of frames) this.#held.hold(frame);
  }

  /** See {@linkcode Channel}. */
  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** See {@linkcode Channel}. */
  get isAttached(): boolean {
    return this.#link.isOpen;
  }

  /** See {@linkcode Channel}. */
  get bufferedAmount(): number {
    return this.#link.bufferedAmount;
  }

  /** See {@linkcode Channel}. */
  get heldBytes(): number {
    return this.#link.bufferedAmount + this.#answers.bytes;
  }

  /** See {@linkcode Channel}. */
  listen(): void {
    const held = this.#held?.release() ?? [];
    this.#held = undefined;
    for (const data of held) this.#read(data);
  }

  /** See {@linkcode Channel}. */
  send(text: string, message?: JsonRpcMessage, options?: SendOptions): void | Promise<void> {
    if (options?.delivered === true) throw unconfirmedError();
    if (message !== undefined) {
      this.#terms.answered(message);
      if (this.#answers.keep(message, text)) return;
    }
    return this.#write(text);
  }

  /** See {@linkcode Channel}. */
  retire(): boolean {
    return false;
  }

  /** See {@linkcode Channel}. */
  suspend(code: number, reason: string): void {
    this.close(code, reason);
  }

  /** See {@linkcode Channel}. */
  close(code: number, reason: string): void {
    this.#link.close(code, reason);
  }

  #write(text: string): void | Promise<void> {
    const link = this.#link;
    link.send(text);
    if (!link.isCongested) return;
    if (link.bufferedAmount <= this.#maxBufferedBytes) return link.drained();
    this.#violate(CLOSE_CODES.SLOW_CONSUMER, "The peer reads too slowly");
  }

  /** Takes a frame that comes in now. */
  #take(data: unknown): void {
    if (this.#throttle !== undefined && typeof data === "string") {
      const wait = this.#throttle.take(data, 1);
      if (wait > 0) return this.#slowDown(wait);
    }
    this.#read(data);
  }

  #read(data: unknown): void {
    if (this.#isViolated) return;
    // What is no text is a violation now as well as later.
    if (this.#held === undefined || typeof data !== "string") return this.#reader.read(data);
    if (this.#held.hold(data)) return;
    this.#violate(CLOSE_CODES.CLIENT_PROTOCOL_ERROR, "Too many messages before the start");
  }

  /** A batch counts with each of its messages. */
  #takeBatch(items: readonly BatchItem[]): void {
    const more = items.length - 1;
    const wait = more > 0 ? this.#throttle?.take("", more) ?? 0 : 0;
    if (wait > 0) return this.#slowDown(wait);
    const { message, fault } = this.#sink;
    this.#answers.read(items, message.bind(this.#sink), fault.bind(this.#sink));
  }

  #slowDown(wait: number): void {
    if (this.#isViolated) return;
    const seconds = Math.ceil(wait / 1_000);
    this.#violate(CLOSE_CODES.SLOW_CONSUMER, `Too much traffic; retry-after=${seconds}`);
  }

  /** From here on the peer is not listened to, although it may go on for a while. */
  #violate(code: number, reason: string): void {
    this.#isViolated = true;
    this.#held = undefined;
    this.#answers.clear();
    this.#sink.fault(
      new MCPConnectionError(reason, { kind: "protocol", code, retryable: false }),
    );
    this.#link.close(code, reason);
  }

  #closed(info: CloseInfo): void {
    this.#held = undefined;
    this.#answers.clear();
    this.#sink.closed(info);
  }
}

/** The error of who asks a plain peer to confirm. */
export function unconfirmedError(): MCPError {
  const text = 'Cannot confirm delivery: the peer speaks plain "mcp", which has no sessions';
  return new MCPError("session", text);
}
