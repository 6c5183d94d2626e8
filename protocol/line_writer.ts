/** Writes lines of text in order, and holds what its reader has not taken yet within a bound. */
export class LineWriter {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #maxBytes: number;
  readonly #onFault: (error: unknown) => void;
  readonly #encoder = new TextEncoder();
  #queuedBytes = 0;
  #closed: Promise<void> | undefined;

  /**
   * Takes over a stream.
   *
   * @param stream Where the lines go.
   * @param maxBytes What may wait, in bytes; one longer line may wait alone.
   * @param onFault Told why a line could not be written, once.
   */
  constructor(
    stream: WritableStream<Uint8Array>,
    maxBytes: number,
    onFault: (error: unknown) => void,
  ) {
    this.#writer = stream.getWriter();
    this.#maxBytes = maxBytes;
    this.#onFault = onFault;
    this.#writer.closed.catch((error) => this.#fail(error));
  }

  /** What waits, in bytes. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Writes a line.
   *
   * @param line Text without a newline.
   * @returns Whether there was room for it.
   */
  write(line: string): boolean {
    const bytes = this.#encoder.encode(`${line}\n`);
    const isTooMuch = this.#queuedBytes + bytes.length > this.#maxBytes;
    if (isTooMuch && this.#queuedBytes > 0) return false;
    this.#queuedBytes += bytes.length;
    this.#writer.write(bytes).then(
      () => this.#queuedBytes -= bytes.length,
      // The promise of the whole writer tells why.
      () => {},
    );
    return true;
  }

  /** Writes what waits, and ends the stream. Never rejects; closing twice is fine. */
  close(): Promise<void> {
    this.#closed ??= this.#writer.close().catch(() => {});
    return this.#closed;
  }

  #fail(error: unknown): void {
    this.#closed ??= Promise.resolve();
    this.#onFault(error);
  }
}
