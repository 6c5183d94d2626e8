import { type Clock, systemClock } from "../protocol/clock.ts";

/**
 * What tells how long something takes, in milliseconds. The wall clock counts
 * whole ones only, and may be set; a clock that was given is taken as it is.
 *
 * @param clock Where time comes from.
 * @returns The time since some moment.
 */
export function stopwatch(clock: Clock): () => number {
  return clock === systemClock ? () => performance.now() : () => clock.now();
}
