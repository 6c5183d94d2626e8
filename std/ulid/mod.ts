/**
 * Stand-in for `jsr:@std/ulid`.
 *
 * @module
 */
export { decodeTime } from "./decode_time.ts";
export { monotonicUlid } from "./monotonic_ulid.ts";
export { ulid } from "./ulid.ts";
