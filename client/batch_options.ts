import { MAX_BATCH } from "../protocol/batch.ts";
import { checkInteger, checkRange, MAX_TIME } from "./resolved_options.ts";

/** Why what a batch had collected left. */
export type FlushReason = "count" | "bytes" | "age" | "end";

/** How often each reason made a batch leave. */
export type FlushCounts = { readonly [Reason in FlushReason]: number };

/** Options of {@linkcode MCPWebSocketClient.batch}. */
export interface BatchOptions {
  /**
   * How many messages one frame holds at most. With one more, the first ones leave.
   *
   * @default {100}
   */
  readonly maxItems?: number | undefined;
  /**
   * How many bytes of UTF-8 one frame holds at most; 131,072 is the most there
   * can be. What does not fit leaves in another one.
   *
   * @default {131_072}
   */
  readonly maxBytes?: number | undefined;
  /**
   * How long a callback that is not done may go on collecting, in milliseconds.
   * With 0 what it has collected leaves at the end of this turn of the event
   * loop: enough for a callback that waits for nothing but the answers.
   *
   * @default {0}
   */
  readonly maxAge?: number | undefined;
}

/** The options with everything filled in. */
export type BatchLimits = { readonly [Name in keyof BatchOptions]-?: number };

/** A batch's largest frame, in bytes: no ping waits long behind one. */
export const MAX_BATCH_BYTES: number = 128 * 1024;

/**
 * The options with defaults, checked.
 *
 * @throws {RangeError} If a number is outside its range.
 */
export function resolveBatchOptions(options: BatchOptions): BatchLimits {
  const { maxItems = MAX_BATCH, maxBytes = MAX_BATCH_BYTES, maxAge = 0 } = options;
  checkInteger("maxItems", maxItems);
  checkRange("maxBytes", maxBytes, 1, MAX_BATCH_BYTES);
  checkRange("maxAge", maxAge, 0, MAX_TIME);
  return { maxItems, maxBytes, maxAge };
}
