import { isPromiseLike } from "../guard.ts";
import type { Bytes } from "./codec.ts";
import { DEFLATE, type Deflated, type Deflater } from "./deflater.ts";
import type { Wire } from "./wire.ts";

/** A wire that takes bytes, too; a `Link` is one. */
export interface BinaryWire extends Wire {
  /** Sends one frame. */
  send(frame: string | Bytes): void;
}

/** More than this that waits to be deflated is too much, in UTF-16 units. */
const MAX_WAITING_UNITS = 1024 * 1024;

/**
 * Sends frames deflated where it pays and the peer can read them. While one is
 * being deflated the others wait behind it.
 */
export class DeflatingWire implements Wire {
  readonly #wire: BinaryWire;
  readonly #deflater: Deflater;
  /** What waits, the frame that is being deflated first. */
  readonly #queue: string[] = [];
  #waiting = 0;
  #isAccepted = false;

  /**
   * @param wire Where frames go.
   * @param deflater Deflates them.
   */
  constructor(wire: BinaryWire, deflater: Deflater) {
    this.#wire = wire;
    this.#deflater = deflater;
  }

  /** See {@linkcode Wire}. What waits here counts. */
  get bufferedAmount(): number {
    return this.#wire.bufferedAmount + this.#waiting;
  }

  /** See {@linkcode Wire}. */
  get isCongested(): boolean {
    return this.#waiting > MAX_WAITING_UNITS || this.#wire.isCongested;
  }

  /** See {@linkcode Wire}. */
  agree(accept: readonly string[]): void {
    this.#isAccepted = accept.includes(DEFLATE);
  }

  /** See {@linkcode Wire}. */
  send(text: string): void {
    if (this.#queue.length > 0) return this.#wait(text);
    const deflated = this.#deflate(text);
    if (!isPromiseLike(deflated)) return this.#wire.send(deflated ?? text);
    this.#wait(text);
    this.#sendLater(text, deflated);
  }

  #deflate(text: string): Deflated | Promise<Deflated> {
    return this.#isAccepted ? this.#deflater.deflate(text) : undefined;
  }

  #wait(text: string): void {
    this.#queue.push(text);
    this.#waiting += text.length;
  }

  async #sendLater(text: string, deflating: Promise<Deflated>): Promise<void> {
    let next: string | undefined = text;
    let deflated = await deflating;
    while (next !== undefined) {
      this.#wire.send(deflated ?? next);
      this.#waiting -= next.length;
      this.#queue.shift();
      next = this.#queue[0];
      if (next !== undefined) deflated = await this.#deflate(next);
    }
  }
}
