import { isPromiseLike } from "../guard.ts";
import type { Bytes, Codec } from "./codec.ts";
import type { CompressionTotals } from "./compression_totals.ts";
import { countBytes } from "../utf8.ts";

/** A deflated frame as it is sent, or `undefined` if the text is better sent as it is. */
export type Deflated = Bytes | undefined;

/** A frame and what became of it. */
interface Remembered {
  readonly text: string;
  readonly deflated: Deflated | Promise<Deflated>;
  readonly bytes: number;
}

/** The first byte of a binary frame: deflated text follows. */
export const DEFLATE_KIND = 1;
/** What says in `accept` that such frames can be read. */
export const DEFLATE = "deflate";

/** The least that has to be saved, as a share: the peer has to inflate it. */
const MIN_SAVING = 0.1;
/** Frames that are remembered: a message that many get is deflated once, in pieces, too. */
const MAX_REMEMBERED = 8;
/** How much of a frame is looked at to guess whether it pays, in UTF-16 units. */
const SAMPLE_UNITS = 512;
/**
 * Of the pairs of characters in base64 of random bytes 94 of 100 are new, in text,
 * code, JSON and hexadecimal numbers fewer than 70.
 */
const DENSE = 0.85;

/** Deflates frames where it pays, for all connections of a process or of a part of it. */
export class Deflater {
  readonly #codec: Codec;
  readonly #threshold: number;
  /** The frames that were last seen, the oldest one at `#oldest`. */
  readonly #remembered: Remembered[] = [];
  readonly #totals: CompressionTotals;
  #oldest = 0;

  /**
   * @param codec What does the work.
   * @param threshold Frames below this many bytes are sent as they are.
   * @param totals Counts what is sent.
   */
  constructor(codec: Codec, threshold: number, totals: CompressionTotals) {
    this.#codec = codec;
    this.#threshold = threshold;
    this.#totals = totals;
  }

  /**
   * Deflates a frame that is about to be sent.
   *
   * @param text The frame.
   */
  deflate(text: string): Deflated | Promise<Deflated> {
    if (text.length * 3 < this.#threshold) return undefined;
    if (text.length < this.#threshold && countBytes(text) < this.#threshold) return undefined;
    if (isDense(text)) return undefined;
    const frame = this.#recall(text) ?? this.#work(text);
    const { deflated } = frame;
    if (!isPromiseLike(deflated)) return this.#count(frame, deflated);
    return deflated.then((deflated) => this.#count(frame, deflated));
  }

  #recall(text: string): Remembered | undefined {
    return this.#remembered.find((frame) => frame.text === text);
  }

  #work(text: string): Remembered {
    const bytes = countBytes(text);
    const deflated = this.#codec.deflate(text);
    const frame: Remembered = {
      text,
      bytes,
      deflated: isPromiseLike(deflated)
        // What cannot be deflated is sent as it is.
        ? deflated.then((data) => wrap(data, bytes), () => undefined)
        : wrap(deflated, bytes),
    };
    this.#remember(frame);
    return frame;
  }

  #remember(frame: Remembered): void {
    this.#remembered[this.#oldest] = frame;
    this.#oldest = (this.#oldest + 1) % MAX_REMEMBERED;
  }

  #count({ bytes }: Remembered, deflated: Deflated): Deflated {
    if (deflated === undefined) return undefined;
    this.#totals.framesSent++;
    this.#totals.bytesSavedSending += bytes - deflated.length;
    return deflated;
  }
}

/** The frame, if it is enough smaller than its text. */
function wrap(data: Uint8Array, bytes: number): Deflated {
  const size = data.length + 1;
  if (size > bytes * (1 - MIN_SAVING)) return undefined;
  const frame = new Uint8Array(size);
  frame[0] = DEFLATE_KIND;
  frame.set(data, 1);
  return frame;
}

/**
 * Whether a text looks as if it could not be made much smaller, by a sample from
 * its middle: an image in base64 does.
 *
 * @param text The text.
 */
export function isDense(text: string): boolean {
  const start = Math.max((text.length - SAMPLE_UNITS) >> 1, 0);
  const end = Math.min(start + SAMPLE_UNITS, text.length);
  const pairs = new Set<number>();
  for (let index = start + 1; index < end; index++) {
    pairs.add(text.charCodeAt(index - 1) << 16 | text.charCodeAt(index));
  }
  return pairs.size > DENSE * (end - start - 1);
}
