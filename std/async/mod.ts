/**
 * Stand-in for `jsr:@std/async`: the parts this repository imports.
 *
 * @module
 */
export { deadline, type DeadlineOptions } from "./deadline.ts";
export { delay, type DelayOptions } from "./delay.ts";
export { retry, RetryError, type RetryOptions } from "./retry.ts";
