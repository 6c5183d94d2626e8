/** What bytes are read from. */
export type Source = Pick<Deno.Conn, "read">;

/** Enough for the messages of a quiet connection. */
const SMALL = 4 * 1024;
/** What a busy one gets. */
const LARGE = 64 * 1024;
/** Short reads in a row after which a connection counts as quiet again. */
const QUIET_READS = 64;

/** Reads into one buffer, which is small until its connection is busy. */
export class Intake {
  #buffer = new Uint8Array(SMALL);
  #shortReads = 0;

  /**
   * Reads what is there.
   *
   * @param source Where it comes from.
   * @returns The bytes, valid until the next read; `null` at the end.
   */
  async read(source: Source): Promise<Uint8Array<ArrayBuffer> | null> {
    const buffer = this.#buffer;
    const count = await source.read(buffer);
    if (count === null) return null;
    this.#resize(count);
    return buffer.subarray(0, count);
  }

  #resize(count: number): void {
    this.#shortReads = count < SMALL ? this.#shortReads + 1 : 0;
    if (count === SMALL && this.#buffer.length === SMALL) {
      this.#buffer = new Uint8Array(LARGE);
    } else if (this.#shortReads >= QUIET_READS && this.#buffer.length === LARGE) {
      this.#buffer = new Uint8Array(SMALL);
    }
  }
}
