/** Where a head ends (RFC 9112, 2.2); a bare line feed does not end it. */
const END = [13, 10, 13, 10] as const;

/** Collects the head of a request or response, however it is cut. */
export class HeadBuffer {
  readonly #maxBytes: number;
  #bytes = new Uint8Array(512);
  #length = 0;
  /** How much of {@linkcode END} the last bytes are. */
  #matched = 0;

  /** @param maxBytes The longest head that is taken. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing has come. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Adds a chunk. What follows the head in it is left alone.
   *
   * @param chunk The bytes that have come.
   * @returns How many of them belong to the head: all until it is complete.
   * `"complete"` and `"tooLarge"` are final.
   */
  push(chunk: Uint8Array): { readonly status: HeadStatus; readonly taken: number } {
    const end = this.#findEnd(chunk);
    const taken = end ?? chunk.length;
    if (this.#length + taken > this.#maxBytes) return { status: "tooLarge", taken: 0 };
    this.#append(chunk.subarray(0, taken));
    return { status: end === undefined ? "incomplete" : "complete", taken };
  }

  /** The head as text, a character for each byte, without the empty line. */
  text(): string {
    let text = "";
    for (let i = 0; i < this.#length - END.length; i++) {
      text += String.fromCharCode(this.#bytes[i] ?? 0);
    }
    return text;
  }

  #findEnd(chunk: Uint8Array): number | undefined {
    for (const [i, byte] of chunk.entries()) {
      if (byte === END[this.#matched]) this.#matched++;
      else this.#matched = byte === END[0] ? 1 : 0;
      if (this.#matched === END.length) return i + 1;
    }
    return undefined;
  }

  #append(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(part, this.#length);
    this.#length = length;
  }
}

/** How far a head has come. */
export type HeadStatus = "incomplete" | "complete" | "tooLarge";

/**
 * Turns text into bytes, one for each character.
 *
 * @param text Characters up to U+00FF.
 * @returns The bytes.
 */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
