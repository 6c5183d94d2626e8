import { countBytes, fitBytes, MAX_CHARACTER } from "../utf8.ts";

/** How large the frames are that one end sends, in bytes of UTF-8. */
export interface FrameSizes {
  /** The largest frame. */
  readonly max: number;
  /**
   * Sizes that wait 44 ms for a delayed acknowledgement, as Deno's client
   * writes a frame's header and payload apart with Nagle's algorithm on: larger
   * than `above`, smaller than `below`.
   */
  readonly gap?: { readonly above: number; readonly below: number } | undefined;
  /** What a frame that must not be cut is filled up to; nothing by default. */
  readonly padded?: number | undefined;
}

/** No frame is larger, so that a ping never waits long behind one. */
export const MAX_FRAME_BYTES: number = 128 * 1024;
/** Below this, frames are not made smaller for the sake of a proxy. */
export const MIN_FRAME_BYTES: number = 4 * 1024;

/** What every runtime sends well, but Deno as a client. */
export const OPEN_SIZES: FrameSizes = { max: MAX_FRAME_BYTES };
/** What Deno sends well as a client, on loopback and beyond. */
export const DENO_CLIENT_SIZES: FrameSizes = {
  max: MAX_FRAME_BYTES,
  gap: { above: 1_024, below: 64 * 1024 },
};

/** Whether this many bytes may be one frame. */
export function isFrameSize(bytes: number, { max, gap }: FrameSizes): boolean {
  if (bytes > max) return false;
  return gap === undefined || bytes <= gap.above || bytes >= gap.below;
}

/** How many bytes a frame may have that joins several messages. */
export function joinBytes({ max, gap }: FrameSizes): number {
  return gap === undefined ? max : gap.above;
}

/** How many bytes of a message the next piece carries, besides its first character. */
function pieceBytes(rest: number, { max, gap }: FrameSizes): number {
  const largest = Math.min(rest, max - 1);
  if (gap === undefined || largest < gap.above) return largest;
  // A piece may turn out shorter by less than a character.
  return largest + 1 >= gap.below + MAX_CHARACTER - 1 ? largest : gap.above - 1;
}

/** Cuts one message into frames that carry its pieces. */
export class PieceCutter {
  readonly #text: string;
  readonly #isAscii: boolean;
  #rest: number;
  #position = 0;

  /**
   * @param text The message.
   * @param bytes Its bytes of UTF-8, or more.
   */
  constructor(text: string, bytes: number) {
    this.#text = text;
    this.#isAscii = bytes === text.length;
    this.#rest = bytes;
  }

  /** Whether any piece was cut. */
  get hasBegun(): boolean {
    return this.#position > 0;
  }

  /** Whether all pieces were cut. */
  get isDone(): boolean {
    return this.#position >= this.#text.length;
  }

  /** The next frame: `+` and a piece, or `=` and the last one. */
  next(sizes: FrameSizes): string {
    const start = this.#position;
    const room = pieceBytes(this.#rest, sizes);
    const { read, written } = this.#isAscii
      ? { read: room, written: room }
      : fitBytes(this.#text, start, room);
    this.#position += read;
    this.#rest -= written;
    return (this.isDone ? "=" : "+") + this.#text.slice(start, start + read);
  }
}

/** Pieces smaller than this on average are taken for an attack. */
const MEAN_PIECE_BYTES = 256;
/** Pieces of any size that are taken all the same. */
const FREE_PIECES = 64;

/** Puts the pieces of one message together again. */
export class PieceAssembler {
  readonly #maxBytes: number;
  #text: string | undefined;
  #bytes = 0;
  #pieces = 0;

  /** @param maxBytes The largest message that is taken. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether a message is in pieces. */
  get isOpen(): boolean {
    return this.#text !== undefined;
  }

  /** What the pieces take so far, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes the next piece.
   *
   * @param frame The frame, with its first character.
   * @returns Why the piece is refused, or `undefined`.
   */
  add(frame: string): string | undefined {
    if (frame.length < 2) return "A piece is empty";
    const piece = frame.slice(1);
    this.#bytes += countBytes(piece);
    if (this.#bytes > this.#maxBytes) return `Message larger than ${this.#maxBytes} bytes`;
    const fair = FREE_PIECES + this.#bytes / MEAN_PIECE_BYTES;
    if (++this.#pieces > fair) return "Pieces are too small";
    this.#text = (this.#text ?? "") + piece;
    return undefined;
  }

  /** The whole message, which is forgotten here. */
  take(): string {
    const text = this.#text ?? "";
    this.reset();
    return text;
  }

  /** Forgets the pieces so far. */
  reset(): void {
    this.#text = undefined;
    this.#bytes = 0;
    this.#pieces = 0;
  }
}
