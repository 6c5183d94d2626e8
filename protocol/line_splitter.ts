/** Where one line ends, in MCP's stdio transport. */
const NEWLINE = 0x0a;

/**
 * Splits bytes into lines of text: the framing of MCP's stdio transport. A
 * line that is too long or no UTF-8 is dropped, and the next one is read.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #onFault: (error: Error) => void;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #parts: Uint8Array[] = [];
  #size = 0;

  /**
   * Makes a splitter for one stream.
   *
   * @param maxBytes The longest line taken, in bytes.
   * @param onFault Told of each line that is dropped.
   */
  constructor(maxBytes: number, onFault: (error: Error) => void) {
    this.#maxBytes = maxBytes;
    this.#onFault = onFault;
  }

  /** The lines that are complete with this piece; blank ones are left out. */
  *push(piece: Uint8Array): Generator<string> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end === -1) break;
      this.#hold(piece.subarray(start, end));
      yield* this.end();
      start = end + 1;
    }
    this.#hold(piece.subarray(start));
  }

  /** The line that is left over when nothing more comes. */
  *end(): Generator<string> {
    const line = this.#take();
    if (line !== undefined && line.trim() !== "") yield line;
  }

  /** What is too long is counted, but not kept. */
  #hold(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #take(): string | undefined {
    const [parts, size] = [this.#parts, this.#size];
    this.#parts = [];
    this.#size = 0;
    if (size > this.#maxBytes) {
      const text = `Line of ${size} bytes was dropped as at most ${this.#maxBytes} are taken`;
      this.#onFault(new RangeError(text));
      return undefined;
    }
    try {
      return this.#decoder.decode(join(parts, size));
    } catch {
      this.#onFault(new TypeError(`Line of ${size} bytes was dropped as it is no UTF-8`));
      return undefined;
    }
  }
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first = new Uint8Array()] = parts;
  if (parts.length <= 1) return first;
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * The lines of a stream. The next piece is read only when the lines of the
 * last one were taken: a slow reader slows the writer down.
 *
 * @param reader Where bytes come from; cancelling it ends the lines.
 * @param splitter Splits them.
 */
export async function* readLines(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  splitter: LineSplitter,
): AsyncGenerator<string> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    yield* splitter.push(value);
  }
  yield* splitter.end();
}
