import type { Clock, Timer } from "../protocol/clock.ts";
import { MCPCapacityError, MCPConnectionError, MCPTimeoutError } from "../protocol/errors.ts";
import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import { countBytes } from "../protocol/utf8.ts";
import type { SendOptions } from "../protocol/transport.ts";
import type { OutboxOptions } from "./options.ts";
import type { ConnectionStats } from "./stats.ts";

/** How one message is sent. */
export interface WriteOptions extends SendOptions {
  /** Told once when the other application has the message, or why it never will. */
  readonly settled?: ((error?: Error) => void) | undefined;
  /** What it leaves together with, if it can. */
  readonly group?: object | undefined;
}

/** A message that waits for a connection. */
export interface Waiting {
  /** The message. */
  readonly message: JsonRpcMessage;
  /** Its text. */
  readonly text: string;
  /** How to send it. */
  readonly options: WriteOptions | undefined;
  /** Since when it waits, in milliseconds since 1970. */
  readonly queuedAt: number;
}

/** The room in an {@linkcode Outbox}, and what happens when there is none. */
export type OutboxBounds = Pick<OutboxOptions, "maxMessages" | "maxBytes" | "overflow">;

/** Numbers about an {@linkcode Outbox}. */
export type OutboxStats = Pick<
  ConnectionStats,
  "queuedMessages" | "queuedBytes" | "blockedMessages" | "queueAge"
>;

interface Entry extends Waiting {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  release: () => void;
}

/**
 * Messages that wait for a connection or for room in it, first in, first out. Each settles its
 * sender once: sent, too old, aborted, no room, or given up.
 *
 * Senders that wait for room stand behind all of them: nobody is blocked while the queue is empty,
 * and the oldest message is always the first of the queue.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #clock: Clock;
  readonly #entries = new Set<Entry>();
  /** Messages of senders that wait for room. */
  readonly #blocked = new Set<Entry>();
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

  /** Messages that wait, without those of blocked senders. */
  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of UTF-8 that wait, without those of blocked senders. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Numbers about it, as they are now. */
  get stats(): OutboxStats {
    const [oldest] = this.#entries;
    return {
      queuedMessages: this.#entries.size,
      queuedBytes: this.#bytes,
      blockedMessages: this.#blocked.size,
      queueAge: oldest && this.#clock.now() - oldest.queuedAt,
    };
  }

  /**
   * Adds a message.
   *
   * @param message The message.
   * @param text Its text.
   * @param options How to send it; its signal takes the message out again.
   * @param bounds The room there is for this message, and what happens without.
   * @returns Resolves when it was sent.
   * @throws {MCPCapacityError} If there is no room, or it made room for a newer one.
   * @throws {MCPTimeoutError} If it waits for too long.
   */
  add(
    message: JsonRpcMessage,
    text: string,
    options?: WriteOptions,
    bounds: OutboxBounds = this.#options,
  ): Promise<void> {
    const signal = options?.signal;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const bytes = countBytes(text);
    // These bounds may be wider than those that somebody is blocked by.
    this.#admit(bounds);
    const refusal = this.#makeRoom(bytes, bounds);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        message,
        text,
        options,
        bytes,
        queuedAt: this.#clock.now(),
        resolve,
        reject,
        release: () => {},
      };
      if (signal !== undefined) entry.release = this.#follow(entry, signal);
      if (this.#hasRoom(bytes, bounds)) this.#enter(entry);
      else this.#blocked.add(entry);
      this.#timer ??= this.#clock.after(
        this.#options.maxAge,
        () => this.#expire(),
      );
    });
  }

  /** Takes out the request with this id, as it was cancelled before it left. */
  withdraw(id: unknown): boolean {
    for (const entry of [...this.#entries, ...this.#blocked]) {
      if (
        "method" in entry.message && "id" in entry.message &&
        entry.message.id === id
      ) {
        this.#remove(entry);
        entry.options?.settled?.(withdrawnError());
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

  /**
   * Gives up all that waits.
   *
   * @param cause Why.
   * @returns How many messages that were, those of blocked senders included.
   */
  clear(cause: Error): number {
    const entries = [...this.#entries, ...this.#blocked];
    // Those first: nobody is to be let in on the way.
    this.#blocked.clear();
    this.#entries.clear();
    this.#bytes = 0;
    this.#settleTimer();
    for (const entry of entries) {
      entry.release();
      entry.reject(
        new MCPConnectionError(`Message was not sent: ${cause.message}`, {
          cause,
          outcome: "not-sent",
        }),
      );
    }
    return entries.length;
  }

  /** Does what the policy says, as far as there is no room. Returns why the message is refused. */
  #makeRoom(bytes: number, bounds: OutboxBounds): MCPCapacityError | undefined {
    if (this.#hasRoom(bytes, bounds)) return undefined;
    const { overflow, maxMessages } = bounds;
    switch (overflow) {
      case "reject":
        return this.#refusal(bytes, bounds);
      case "drop-oldest":
        this.#dropOldest(bytes, bounds);
        return undefined;
      case "block": {
        if (this.#blocked.size < maxMessages) return undefined;
        const text = `Cannot queue message as ${maxMessages} senders wait for room already`;
        return new MCPCapacityError(text, maxMessages);
      }
    }
  }

  /** Whether a message may enter: nobody overtakes those who are blocked. */
  #hasRoom(bytes: number, bounds: OutboxBounds): boolean {
    return this.#blocked.size === 0 && this.#fits(bytes, bounds);
  }

  /** A message of any size is admitted alone: it was held to a bound of its own. */
  #fits(bytes: number, { maxMessages, maxBytes }: OutboxBounds): boolean {
    if (this.#entries.size === 0) return true;
    return this.#entries.size < maxMessages && this.#bytes + bytes <= maxBytes;
  }

  #refusal(bytes: number, { maxMessages, maxBytes }: OutboxBounds): MCPCapacityError {
    if (this.#entries.size >= maxMessages) {
      const text = `Cannot queue message as ${maxMessages} wait already`;
      return new MCPCapacityError(text, maxMessages);
    }
    const text = `Cannot queue message of ${bytes} bytes as at most ${maxBytes} may wait: ` +
      `${this.#bytes} do already`;
    return new MCPCapacityError(text, maxBytes);
  }

  #dropOldest(bytes: number, bounds: OutboxBounds): void {
    for (const entry of this.#entries) {
      if (this.#fits(bytes, bounds)) return;
      const isCount = this.#entries.size >= bounds.maxMessages;
      const limit = isCount ? bounds.maxMessages : bounds.maxBytes;
      this.#remove(entry);
      const text = "Message was not sent: it made room for a newer one as at most " +
        `${limit} ${isCount ? "messages" : "bytes"} may wait`;
      entry.reject(new MCPCapacityError(text, limit));
    }
  }

  #enter(entry: Entry): void {
    this.#entries.add(entry);
    this.#bytes += entry.bytes;
  }

  /** Lets blocked senders in, in their order, as far as there is room. */
  #admit(bounds: OutboxBounds): void {
    for (const entry of this.#blocked) {
      if (!this.#fits(entry.bytes, bounds)) return;
      this.#blocked.delete(entry);
      this.#enter(entry);
    }
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
    if (this.#entries.delete(entry)) this.#bytes -= entry.bytes;
    else if (!this.#blocked.delete(entry)) return;
    entry.release();
    this.#admit(this.#options);
    this.#settleTimer();
  }

  /** Nothing waits, nothing expires. */
  #settleTimer(): void {
    if (this.#entries.size > 0) return;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  /** The oldest is always the first; blocked senders enter while it goes on. */
  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const { maxAge } = this.#options;
    for (const entry of this.#entries) {
      const rest = entry.queuedAt + maxAge - now;
      if (rest > 0) {
        this.#timer = this.#clock.after(rest, () => this.#expire());
        return;
      }
      this.#remove(entry);
      const text = `Message was not sent: it waited ${maxAge} ms for a connection`;
      entry.reject(new MCPTimeoutError(text, maxAge, { retryable: true }));
    }
  }
}

/** The error of who waits until the server has a request that was cancelled before it left. */
function withdrawnError(): MCPConnectionError {
  return new MCPConnectionError("Message was not sent: the request was cancelled", {
    outcome: "not-sent",
    retryable: false,
  });
}
