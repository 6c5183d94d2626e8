import type { Clock } from "../protocol/clock.ts";
import type { CloseInfo, Link } from "../protocol/link.ts";
import { type End, endFrame } from "../protocol/session/control.ts";

/** How long a client has to close its connection, in milliseconds. */
const LEAVE_TIMEOUT = 1_000;

/**
 * Sends a client away for good. It is the client that closes the connection: a
 * close that a server starts is lost when the client is sending.
 *
 * @param link The connection; nothing more is read from it.
 * @param end Why.
 * @param clock Where time comes from.
 * @param left Called once when the connection is closed, within a second.
 */
export function dismiss(link: Link, end: End, clock: Clock, left: () => void): void {
  link.send(endFrame(end));
  awaitLeave(link, end, clock, left);
}

/**
 * Gives a client that was told everything a second to close its connection.
 *
 * @param link The connection; nothing more is read from it.
 * @param info How it is closed then.
 * @param clock Where time comes from.
 * @param left Called once when the connection is closed, within a second.
 */
export function awaitLeave(
  link: Link,
  { code, reason }: CloseInfo,
  clock: Clock,
  left: () => void,
): void {
  const timer = clock.after(LEAVE_TIMEOUT, () => {
    link.abandon(code, reason);
    left();
  });
  const closed = () => {
    timer.clear();
    left();
  };
  link.redirect({ frame: () => {}, closed });
}
