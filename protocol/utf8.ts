const ENCODER = new TextEncoder();
/** Texts are encoded piece by piece: what is counted is never held, however long it is. */
const SCRATCH = new Uint8Array(128 * 1024);

/** How much of a text was encoded. */
export interface Encoded {
  /** UTF-16 units. */
  readonly read: number;
  /** Their bytes of UTF-8. */
  readonly written: number;
}

/**
 * How many bytes of UTF-8 a text takes; a lone surrogate counts as the three
 * of U+FFFD. Ten times as fast as looking at each unit, and makes no buffer.
 */
export function countBytes(text: string): number {
  let bytes = 0;
  for (let start = 0; start < text.length;) {
    const { read, written } = encode(text, start, SCRATCH);
    start += read;
    bytes += written;
  }
  return bytes;
}

/**
 * How many whole characters fit, from a position on: at least one.
 *
 * @param text The text.
 * @param start The position, in UTF-16 units; not within a character.
 * @param room Bytes there are, 128 KiB at most.
 */
export function fitBytes(text: string, start: number, room: number): Encoded {
  return encode(text, start, SCRATCH.subarray(0, Math.max(room, MAX_CHARACTER)));
}

/** A character takes up to this many bytes. */
export const MAX_CHARACTER = 4;

/** A slice has no more units than there are bytes: half a pair at its end never fits. */
function encode(text: string, start: number, into: Uint8Array<ArrayBuffer>): Encoded {
  return ENCODER.encodeInto(text.slice(start, start + into.length), into);
}
