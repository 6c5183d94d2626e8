import type { Clock, Timer } from "../protocol/clock.ts";
import { isRequestId, type JsonRpcMessage, serializeMessage } from "../protocol/jsonrpc.ts";
import { inMicrotask } from "../protocol/microtask.ts";
import { countBytes } from "../protocol/utf8.ts";
import type { SendOptions } from "../protocol/transport.ts";
import type { BatchLimits, FlushReason } from "./batch_options.ts";
import type { BatchedMessage } from "./traffic.ts";

/** What a {@linkcode BatchCollector} needs. */
export interface BatchCollectorOptions extends BatchLimits {
  /** The largest message that is sent, in bytes of UTF-8. */
  readonly maxSendBytes: number;
  /** Sends messages in one frame. */
  readonly send: (batch: readonly BatchedMessage[]) => Promise<void>[];
  /** Told that messages have left, and why. */
  readonly flushed: (reason: FlushReason) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

interface Entry extends BatchedMessage {
  readonly resolve: (sent: void | Promise<void>) => void;
  readonly reject: (reason: unknown) => void;
}

/** Microtasks without another message after which a turn counts as over. */
const PATIENCE = 16;

/** Collects messages until they are to leave in one frame. */
export class BatchCollector {
  readonly #options: BatchCollectorOptions;
  #entries: Entry[] = [];
  /** What settles with what did not leave yet. */
  #followed: Promise<unknown>[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #patience = 0;
  #isWaiting = false;
  #isEnded = false;

  /** @param options The bounds, and how to send. */
  constructor(options: BatchCollectorOptions) {
    this.#options = options;
  }

  /**
   * Adds a message.
   *
   * @returns Resolves when the socket has taken it.
   * @throws {TypeError} If the batch has ended, or this is no message.
   * @throws {RangeError} If it is too large.
   */
  add(message: JsonRpcMessage, options: SendOptions | undefined): Promise<void> {
    if (this.#isEnded) throw new TypeError("Cannot add message: the batch has ended");
    const { maxSendBytes, maxBytes, maxItems } = this.#options;
    const text = serializeMessage(message, maxSendBytes);
    // With a separator, and the brackets of an array.
    const bytes = countBytes(text) + 1;
    if (this.#bytes + bytes + 1 > maxBytes) this.flush("bytes");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#entries.push({ message, text, options, resolve, reject });
    this.#bytes += bytes;
    if (this.#entries.length >= maxItems) this.flush("count");
    else this.#age();
    return promise;
  }

  /** Notes what depends on the message that was added last. */
  follow<T>(outcome: Promise<T>): Promise<T> {
    if (this.#entries.length > 0) this.#followed.push(outcome);
    return outcome;
  }

  /** Takes out the request with this id, as it was cancelled before it left. */
  withdraw(id: unknown): boolean {
    const index = this.#entries.findIndex(({ message }) => {
      return "method" in message && "id" in message && message.id === id;
    });
    const [entry] = isRequestId(id) && index >= 0 ? this.#entries.splice(index, 1) : [];
    if (entry === undefined) return false;
    this.#bytes -= countBytes(entry.text) + 1;
    entry.resolve();
    return true;
  }

  /** Sends what was collected so far. */
  flush(reason: FlushReason): void {
    this.#timer?.clear();
    this.#timer = undefined;
    const entries = this.#entries;
    if (entries.length === 0) return;
    this.#entries = [];
    this.#followed = [];
    this.#bytes = 0;
    this.#options.flushed(reason);
    const sent = this.#options.send(entries);
    for (const [index, { resolve }] of entries.entries()) resolve(sent[index]);
  }

  /** Sends the rest; nothing can be added any more. */
  end(): void {
    this.#isEnded = true;
    this.flush("end");
  }

  /** Gives up what did not leave; nothing can be added any more. */
  discard(reason: unknown): void {
    this.#isEnded = true;
    this.#timer?.clear();
    this.#timer = undefined;
    const entries = this.#entries;
    this.#entries = [];
    // Who made them has failed, and looks at none of them any more.
    for (const outcome of this.#followed) outcome.catch(() => {});
    this.#followed = [];
    for (const { reject } of entries) reject(reason);
  }

  /** What was collected does not wait longer than this for the callback. */
  #age(): void {
    const { maxAge, clock } = this.#options;
    if (maxAge > 0) this.#timer ??= clock.after(maxAge, () => this.flush("age"));
    else this.#awaitTurn();
  }

  #awaitTurn(): void {
    this.#patience = PATIENCE;
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    inMicrotask(this.#look);
  }

  readonly #look = (): void => {
    if (this.#entries.length > 0 && --this.#patience > 0) return inMicrotask(this.#look);
    this.#isWaiting = false;
    this.flush("age");
  };
}
