import type { Clock } from "../protocol/clock.ts";

/** What bytes are written to. */
export type Sink = Pick<Deno.Conn, "write">;

/** A write that takes longer had to wait for the peer, in milliseconds. */
const WAITED = 10;

/** Writes one chunk after the other, and knows how long the peer lets it wait. */
export class Outlet {
  readonly #sink: Sink;
  readonly #clock: Clock;
  #waitingSince: number | undefined;
  #yieldedAt = 0;

  /**
   * @param sink Where it goes.
   * @param clock Where time comes from.
   */
  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Since when no byte was taken, in milliseconds; `undefined` if nothing waits. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /**
   * When the peer last made room for a write that waited: only a peer that
   * reads does so. A write that did not wait says nothing about the peer.
   */
  get yieldedAt(): number {
    return this.#yieldedAt;
  }

  /**
   * Writes a chunk; resolves when the kernel has all of it.
   *
   * @param bytes The chunk.
   */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        const since = this.#waitingSince = this.#clock.now();
        done += await this.#sink.write(done === 0 ? bytes : bytes.subarray(done));
        const now = this.#clock.now();
        if (now - since > WAITED) this.#yieldedAt = now;
      }
    } finally {
      this.#waitingSince = undefined;
    }
  }
}
