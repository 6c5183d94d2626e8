/** The method that is measured: it gives back its parameters. */
export const ECHO = "bench/echo";
/** The notification that is measured: nobody does anything about it. */
export const NOTE = "bench/note";

/** Parameters of both. */
export interface Filler {
  /** As many letters as make the frame the size it should have. */
  readonly data: string;
  /** Parameters are objects of any members. */
  readonly [key: string]: unknown;
}

/** As wide as an id gets: a frame is never larger than its name says. */
const WIDEST_ID = 9_999_999;

/**
 * Parameters that make the whole text frame of a request so large. With an id
 * of seven digits the size is exact; shorter ids make it up to six bytes
 * smaller. Never larger, because Deno's client stalls above 1,024 bytes.
 *
 * @param bytes The size of the frame's payload: all ASCII, a byte a letter.
 * @returns The parameters.
 * @throws {RangeError} If no request is that small.
 */
export function echoParams(bytes: number): Filler {
  return fill({ jsonrpc: "2.0", id: WIDEST_ID, method: ECHO }, bytes);
}

/**
 * Parameters that make the whole text frame of a notification so large.
 *
 * @param bytes The size of the frame's payload.
 * @returns The parameters.
 * @throws {RangeError} If no notification is that small.
 */
export function noteParams(bytes: number): Filler {
  return fill({ jsonrpc: "2.0", method: NOTE }, bytes);
}

function fill(message: object, bytes: number): Filler {
  const bare = JSON.stringify({ ...message, params: { data: "" } }).length;
  if (bytes < bare) {
    throw new RangeError(`Cannot fill frame as its size must be >= ${bare}: it is ${bytes}`);
  }
  return { data: "x".repeat(bytes - bare) };
}
