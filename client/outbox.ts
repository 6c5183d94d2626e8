import type { Clock, Timer } from "../protocol/clock.ts";
import { MCPCapacityError, MCPConnectionError, MCPTimeoutError } from "../protocol/errors.ts";
import { byteLength, type JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { SendOptions } from "../protocol/transport.ts";
import type { OutboxOptions } from "./options.ts";

/** A message that waits for a connection. */
export interface Waiting {
  /** The message. */
  readonly message: JsonRpcMessage;
  /** Its text. */
  readonly text: string;
  /** How to send it. */
  readonly options: SendOptions | undefined;
}

/** The room in an {@linkcode Outbox}. */
export type OutboxBounds = Pick<OutboxOptions, "maxMessages" | "maxBytes">;

interface Entry extends Waiting {
  readonly bytes: number;
  readonly expiresAt: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  release: () => void;
}

/**
 * Messages that wait for a connection or for room in it, first in, first out. Each settles its
 * sender: sent, too old, aborted, no room, or given up.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #clock: Clock;
  readonly #entries = new Set<Entry>();
  #bytes = 0;
  #timer: Timer | undefined;

  /**
   * @param options The bounds.
   * @param clock Where time comes from.
   */
  constructor(options: OutboxOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of UTF-8 that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a message.
   *
   * @param message The message.
   * @param text Its text.
   * @param options How to send it; its signal takes the message out again.
   * @param bounds The room there is for this message.
   * @returns Resolves when it was sent.
   * @throws {MCPCapacityError} If there is no room.
   * @throws {MCPTimeoutError} If it waits for too long.
   */
  add(
    message: JsonRpcMessage,
    text: string,
    options?: SendOptions,
    bounds: OutboxBounds = this.#options,
  ): Promise<void> {
    const signal = options?.signal;
    const bytes = byteLength(text);
    const refusal = signal?.aborted ? signal.reason : this.#findRefusal(bytes, bounds);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const expiresAt = this.#clock.now() + this.#options.maxAge;
      const entry = {
        message,
        text,
        options,
        bytes,
        expiresAt,
        resolve,
        reject,
        release: () => {},
      };
      if (signal !== undefined) entry.release = this.#follow(entry, signal);
      this.#entries.add(entry);
      this.#bytes += bytes;
      this.#timer ??= this.#clock.after(
        this.#options.maxAge,
        () => this.#expire(),
      );
    });
  }

  /** Takes out the request with this id, as it was cancelled before it left. */
  withdraw(id: unknown): boolean {
    for (const entry of this.#entries) {
      if (
        "method" in entry.message && "id" in entry.message &&
        entry.message.id === id
      ) {
        this.#remove(entry);
        entry.resolve();
        return true;
      }
    }
    return false;
  }

  /**
   * Sends what waits, in order.
   *
   * @param send Sends one message; its sender hears of what it throws.
   * @param mayGoOn Asked before each.
   */
  flush(send: (waiting: Waiting) => void, mayGoOn: () => boolean): void {
    for (const entry of this.#entries) {
      if (!mayGoOn()) return;
      this.#remove(entry);
      try {
        send(entry);
        entry.resolve();
      } catch (error) {
        entry.reject(error);
      }
    }
  }

  /** Gives up all that waits. */
  clear(cause: Error): void {
    for (const entry of this.#entries) {
      this.#remove(entry);
      entry.reject(
        new MCPConnectionError(`Message was not sent: ${cause.message}`, {
          cause,
          outcome: "not-sent",
        }),
      );
    }
  }

  #findRefusal(bytes: number, bounds: OutboxBounds): MCPCapacityError | undefined {
    const { maxMessages, maxBytes } = bounds;
    if (this.#entries.size >= maxMessages) {
      const text = `Cannot queue message as ${maxMessages} wait already`;
      return new MCPCapacityError(text, maxMessages);
    }
    // A message of any size is admitted alone: it was held to a bound of its own.
    if (this.#bytes + bytes <= maxBytes || this.#entries.size === 0) return undefined;
    const text = `Cannot queue message of ${bytes} bytes as at most ${maxBytes} may wait: ` +
      `${this.#bytes} do already`;
    return new MCPCapacityError(text, maxBytes);
  }

  #follow(entry: Entry, signal: AbortSignal): () => void {
    const abort = () => {
      this.#remove(entry);
      entry.reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    return () => signal.removeEventListener("abort", abort);
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    this.#bytes -= entry.bytes;
    entry.release();
    if (this.#entries.size > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  /** The oldest is always the first. */
  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const { maxAge } = this.#options;
    for (const entry of this.#entries) {
      if (entry.expiresAt > now) {
        this.#timer = this.#clock.after(
          entry.expiresAt - now,
          () => this.#expire(),
        );
        return;
      }
      this.#remove(entry);
      const text = `Message was not sent: it waited ${maxAge} ms for a connection`;
      entry.reject(new MCPTimeoutError(text, maxAge, { retryable: true }));
    }
  }
}
