import { isPromiseLike } from "../guard.ts";
import type { Bytes, Codec } from "./codec.ts";
import type { CompressionTotals } from "./compression_totals.ts";
import { DEFLATE_KIND } from "./deflater.ts";
import { MAX_FRAME_BYTES } from "./frames.ts";

/** Who listens to an {@linkcode Inflater}. */
export interface InflaterEvents {
  /** A text frame came in, whatever way. */
  frame(text: string): void;
  /** The peer broke the protocol; nothing more is told. */
  violation(reason: string): void;
}

/** More than this that waits behind a frame that is being inflated is an attack, in UTF-16 units. */
const MAX_WAITING_UNITS = 16 * 1024 * 1024;
/** What a frame counts at least: an empty one takes room, too. */
const FRAME_UNITS = 256;

/** Makes text frames of the binary frames that come in, and keeps all in order. */
export class Inflater {
  readonly #codec: Codec;
  readonly #totals: CompressionTotals;
  readonly #events: InflaterEvents;
  /** What waits behind a frame that is being inflated. */
  readonly #queue: (() => void | Promise<void>)[] = [];
  #waiting = 0;
  #isBusy = false;
  #isOver = false;

  /**
   * @param codec Inflates.
   * @param totals Counts what comes in.
   * @param events Who listens.
   */
  constructor(codec: Codec, totals: CompressionTotals, events: InflaterEvents) {
    this.#codec = codec;
    this.#totals = totals;
    this.#events = events;
  }

  /** Takes a frame that came in. */
  take(data: string | ArrayBuffer): void {
    if (this.#isOver) return;
    const size = FRAME_UNITS + (typeof data === "string" ? data.length : data.byteLength);
    this.#waiting += size;
    if (this.#waiting > MAX_WAITING_UNITS) return this.#violate("Too much waits to be inflated");
    this.after(() => {
      this.#waiting -= size;
      return typeof data === "string" ? this.#tell(data) : this.#inflate(data);
    });
  }

  /** Does something when all that came in was told: now, as long as nothing is being inflated. */
  after(task: () => void | Promise<void>): void {
    if (this.#isBusy) return void this.#queue.push(task);
    const done = task();
    if (!isPromiseLike(done)) return;
    this.#isBusy = true;
    this.#goOn(done);
  }

  async #goOn(done: PromiseLike<void>): Promise<void> {
    await done;
    // Tasks may add others, which wait as long as this goes on.
    for (let task = this.#queue.shift(); task !== undefined; task = this.#queue.shift()) {
      await task();
    }
    this.#isBusy = false;
  }

  #inflate(data: ArrayBuffer): void | Promise<void> {
    if (this.#isOver) return;
    const bytes: Bytes = new Uint8Array(data);
    if (bytes[0] !== DEFLATE_KIND) return this.#violate("Unknown kind of frame");
    if (bytes.length > MAX_FRAME_BYTES) return this.#violate("A deflated frame is too large");
    const text = this.#read(bytes.subarray(1));
    const take = (text: string | undefined) => this.#inflated(text, bytes.length);
    return isPromiseLike(text) ? text.then(take) : take(text);
  }

  /** The text of deflated bytes; `undefined` if they are none, or too many. */
  #read(data: Bytes): string | undefined | Promise<string | undefined> {
    try {
      const text = this.#codec.inflate(data, MAX_FRAME_BYTES);
      return isPromiseLike(text) ? text.catch(() => undefined) : text;
    } catch {
      return undefined;
    }
  }

  #inflated(text: string | undefined, size: number): void {
    if (text === undefined) return this.#violate("A deflated frame is malformed or too large");
    this.#totals.framesReceived++;
    this.#totals.bytesSavedReceiving += text.length - size;
    this.#tell(text);
  }

  #tell(text: string): void {
    if (!this.#isOver) this.#events.frame(text);
  }

  #violate(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.violation(reason);
  }
}
