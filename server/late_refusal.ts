import type { Clock } from "../protocol/clock.ts";
import type { CloseInfo, Link } from "../protocol/link.ts";
import { SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import { dismiss } from "./farewell.ts";

/** How long a client that may not stay is waited for, in milliseconds. */
const PATIENCE = 1_000;

/**
 * Tells a client behind the upgrade why it may not stay: when it has said
 * something, as what a server closes while the client begins to send is lost.
 *
 * @param link The connection, open; nothing is read from it but the first frame.
 * @param info Why.
 * @param protocol The subprotocol that was negotiated.
 * @param clock Where time comes from.
 */
export function refuseLate(
  link: Link,
  info: CloseInfo,
  protocol: string | undefined,
  clock: Clock,
): void {
  const timer = clock.after(PATIENCE, tell);
  link.redirect({ frame: tell, closed: () => timer.clear() });

  function tell(): void {
    timer.clear();
    if (protocol === SESSION_SUBPROTOCOL) return dismiss(link, info, clock, () => {});
    link.redirect({ frame: () => {}, closed: () => {} });
    link.close(info.code, info.reason);
  }
}
