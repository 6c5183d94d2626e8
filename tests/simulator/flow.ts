import type { SessionLimits } from "../../protocol/session/limits.ts";
import { measure } from "../../protocol/session/outgoing.ts";
import { countBytes } from "../../protocol/utf8.ts";

/** What one end has sent on a connection, and what it knows to have arrived. */
export class Flow {
  /** The number of the last message that the sender knows to have arrived, once that is settled. */
  acknowledged: number | undefined;
  /** What binds the sender, once it knows. */
  limits: SessionLimits | undefined;
  #bytes = 0;
  /** How large the messages are that may not have arrived. */
  readonly #sizes: number[] = [];
  /** Set within a message in pieces. */
  #open: { units: number; bytes: number } | undefined;

  /** Both ends know how many messages came before. */
  start(acknowledged: number): void {
    this.acknowledged = acknowledged;
  }

  /** The sender hears how many have arrived. */
  acknowledge(count: number): void {
    if (this.acknowledged === undefined) return;
    for (; this.acknowledged < count; this.acknowledged++) this.#bytes -= this.#sizes.shift() ?? 0;
  }

  /** The sender writes a frame with messages. Returns why it breaks a bound, if it does. */
  write(text: string): string | undefined {
    if (text.startsWith("{")) {
      for (const line of text.split("\n")) {
        const fault = this.#complete(measure(line));
        if (fault !== undefined) return fault;
      }
      return undefined;
    }
    const open = this.#open ??= { units: 0, bytes: 0 };
    open.units += text.length - 1;
    open.bytes += countBytes(text) - 1;
    if (text.startsWith("+")) return undefined;
    this.#open = undefined;
    return this.#complete(open.units <= 256 ? open.units * 3 : open.bytes);
  }

  /** The message in pieces is given up. */
  drop(): void {
    this.#open = undefined;
  }

  #complete(bytes: number): string | undefined {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    const count = this.#sizes.length;
    if (this.limits === undefined || count === 1) return undefined;
    const { bufferMessages, bufferBytes } = this.limits;
    if (count > bufferMessages) return `${count} messages of ${bufferMessages}`;
    // One that is larger than its share may be beside the others.
    const largest = Math.max(...this.#sizes);
    const counted = this.#bytes - (largest > bufferBytes * 3 / 4 ? largest : 0);
    return counted <= bufferBytes ? undefined : `${counted} bytes of ${bufferBytes}`;
  }
}
