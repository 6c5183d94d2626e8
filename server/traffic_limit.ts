import { Buffer } from "node:buffer";
import type { Throttle } from "../protocol/channel.ts";
import type { Clock } from "../protocol/clock.ts";
import { TokenBucket, type TokenBucketOptions } from "./token_bucket.ts";

/** How much one client may send; what is left out has no bound. */
export interface RateOptions {
  /** Messages; a control frame of a session counts as one, too. */
  readonly messages?: TokenBucketOptions | undefined;
  /** Bytes of UTF-8, in frames of text. */
  readonly bytes?: TokenBucketOptions | undefined;
}

/** Bounds how much one client sends, over one connection or over all of a session's. */
export class TrafficLimit implements Throttle {
  readonly #clock: Clock;
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  /**
   * @param options How much passes.
   * @param clock Where time comes from.
   * @throws {RangeError} If a rate or a burst is not positive and finite.
   */
  constructor({ messages, bytes }: RateOptions, clock: Clock) {
    const now = clock.now();
    this.#clock = clock;
    this.#messages = messages && new TokenBucket(messages, now);
    this.#bytes = bytes && new TokenBucket(bytes, now);
  }

  /** See {@linkcode Throttle}. What does not pass costs nothing. */
  take(frame: string, messages: number): number {
    const now = this.#clock.now();
    const bytes = this.#bytes === undefined ? 0 : Buffer.byteLength(frame);
    const wait = Math.max(
      this.#messages?.wait(now, messages) ?? 0,
      this.#bytes?.wait(now, bytes) ?? 0,
    );
    if (wait > 0) return wait;
    this.#messages?.take(now, messages);
    this.#bytes?.take(now, bytes);
    return 0;
  }
}

/**
 * How many messages a frame of a session is or completes. All but the last piece
 * of a message are none; their bytes count.
 *
 * @param frame The frame.
 */
export function countMessages(frame: string): number {
  if (frame.startsWith("+")) return 0;
  let count = 1;
  if (!frame.startsWith("{")) return count;
  for (let i = frame.indexOf("\n"); i >= 0; i = frame.indexOf("\n", i + 1)) count++;
  return count;
}
