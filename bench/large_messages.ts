/** The method whose parameters are large, and its result small. */
export const UP = "bench/up";
/** The method whose result is large, and its parameters small. */
export const DOWN = "bench/down";
/** The method of which neither is large. */
export const SMALL = "bench/small";

/** What both ends allow, in bytes. */
export const ROOM: number = 2 ** 30;

/** Where the server process listens. */
export interface LargeAddresses {
  /** This package's server, with limits that let large messages through. */
  readonly ours: string;
  /** A bare socket that answers the same. */
  readonly floor: string;
}
