import type { SessionLimits } from "./limits.ts";
import type { Outgoing } from "./outgoing.ts";
import { Queue } from "./queue.ts";

/** What became of a count that the peer told. */
export type Acknowledgement = "advanced" | "known" | "impossible";

/**
 * The messages of one end that its peer may not have. They are numbered in the
 * order in which they become complete on the present wire; a number means
 * nothing on another one.
 */
export class Ledger {
  /** Complete on the present wire; the first one's number is `#acknowledged + 1`. */
  readonly #sent: Queue<Outgoing> = new Queue<Outgoing>();
  /** Not written on the present wire, or not completely. */
  readonly #waiting: Queue<Outgoing> = new Queue<Outgoing>();
  /** The one of them that is larger than the window's share. */
  #wide: Outgoing | undefined;
  #acknowledged = 0;
  #sentBytes = 0;
  #waitingBytes = 0;

  /** Messages that the peer may not have. */
  get size(): number {
    return this.#sent.size + this.#waiting.size;
  }

  /** The same in bytes. */
  get bytes(): number {
    return this.#sentBytes + this.#waitingBytes;
  }

  /** Messages that are not complete on the present wire. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The same in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** The number of the last message that the peer has told it has. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The number of the last message that is complete on the present wire. */
  get last(): number {
    return this.#acknowledged + this.#sent.size;
  }

  /** The first message that waits. */
  get next(): Outgoing | undefined {
    return this.#waiting.first;
  }

  /** Whether so many messages fit into the window together. */
  hasRoomForAll(
    messages: readonly Outgoing[],
    { bufferMessages, bufferBytes }: SessionLimits,
  ): boolean {
    const bytes = messages.reduce((sum, message) => sum + message.bytes, this.#narrowBytes);
    return this.#sent.size + messages.length <= bufferMessages && bytes <= bufferBytes;
  }

  /** Whether one more message of this size fits into the window; one wide one fits beside it. */
  hasRoom(bytes: number, window: SessionLimits): boolean {
    if (this.#sent.size >= window.bufferMessages) return false;
    if (isWide(bytes, window)) return this.#wide === undefined;
    return this.#narrowBytes + bytes <= window.bufferBytes;
  }

  /** Whether one more message fits beside one that is in pieces: room is kept for that one. */
  hasRoomBeside(open: number, bytes: number, window: SessionLimits): boolean {
    if (this.#sent.size + 2 > window.bufferMessages || isWide(bytes, window)) return false;
    const kept = isWide(open, window) ? 0 : open;
    return this.#narrowBytes + bytes + kept <= window.bufferBytes;
  }

  /** What the window counts. */
  get #narrowBytes(): number {
    return this.#sentBytes - (this.#wide?.bytes ?? 0);
  }

  /** Adds a message that waits. */
  add(message: Outgoing): void {
    this.#waiting.push(message);
    this.#waitingBytes += message.bytes;
  }

  /** Takes the first message that waits. */
  take(): Outgoing | undefined {
    const message = this.#waiting.shift();
    if (message !== undefined) this.#waitingBytes -= message.bytes;
    return message;
  }

  /** Puts a message back in front of those that wait. */
  putBack(message: Outgoing): void {
    this.#waiting.prepend([message]);
    this.#waitingBytes += message.bytes;
  }

  /** Numbers a message: it is complete on the wire now. */
  complete(message: Outgoing, window: SessionLimits): void {
    message.wasComplete = true;
    if (isWide(message.bytes, window)) this.#wide = message;
    this.#sent.push(message);
    this.#sentBytes += message.bytes;
  }

  /** Takes out messages that wait and were never complete on any wire. Returns them. */
  withdraw(matches: (message: Outgoing) => boolean): Outgoing[] {
    const removed = this.#waiting.remove((message) => !message.wasComplete && matches(message));
    for (const { bytes } of removed) this.#waitingBytes -= bytes;
    return removed;
  }

  /** Forgets what the peer says it has: everything up to this number. */
  acknowledge(count: number): Acknowledgement {
    if (count > this.last) return "impossible";
    if (count <= this.#acknowledged) return "known";
    const known: Outgoing[] = [];
    for (; this.#acknowledged < count; this.#acknowledged++) {
      const message = this.#sent.shift();
      if (message === undefined) break;
      this.#sentBytes -= message.bytes;
      if (message === this.#wide) this.#wide = undefined;
      if (message.settled !== undefined) known.push(message);
    }
    // Whoever is told may send, or end it all.
    for (const { settled } of known) settled?.();
    return "advanced";
  }

  /** Starts over on a new wire: all that the peer does not have waits again, in its order. */
  rewind(): void {
    this.#waiting.prepend(this.#sent.drain());
    this.#waitingBytes += this.#sentBytes;
    this.#sentBytes = 0;
    this.#wide = undefined;
  }

  /** Gives up all messages; the reason is asked for if somebody waits for one. */
  clear(reason: () => Error): void {
    const messages = [...this.#sent.drain(), ...this.#waiting.drain()];
    this.#sentBytes = this.#waitingBytes = 0;
    this.#wide = undefined;
    if (messages.length === 0) return;
    const error = reason();
    for (const message of messages) message.settled?.(error);
  }
}

/**
 * Whether a message is too large to share the window with others: it would wait
 * for acknowledgements that nobody is in a hurry to send, as the peer has had
 * less than a quarter of it. One such message may be unacknowledged beside it.
 */
function isWide(bytes: number, { bufferBytes }: SessionLimits): boolean {
  return bytes > bufferBytes * 3 / 4;
}
