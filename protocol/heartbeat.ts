/** When to ask whether the peer still lives. */
export interface HeartbeatPolicy {
  /** Silence after which the peer is pinged, in milliseconds. */
  readonly interval: number;
  /** How long to wait for any sign of life after a ping, in milliseconds. */
  readonly timeout: number;
  /** How many pings in a row may stay unanswered. */
  readonly maxMissed: number;
}

/** What is known about the peer's liveness; changed in place, once per frame. */
export interface HeartbeatState {
  /** When the last frame came in. */
  lastSeen: number;
  /** When the last ping that is still unanswered went out. */
  pingedAt: number | undefined;
  /** How many pings in a row were not answered in time. */
  missed: number;
}

/** What to do about the peer: nothing until `at`, ping it and wait until `at`, or give it up. */
export type HeartbeatAction =
  | { readonly type: "wait" | "ping"; readonly at: number }
  | { readonly type: "dead" };

/** A timer that fires this much too late says that this side was asleep or busy. */
const STALL = 1_000;

/** The state of a connection that has just opened. */
export function startHeartbeat(now: number): HeartbeatState {
  return { lastSeen: now, pingedAt: undefined, missed: 0 };
}

/** Notes that a frame came in: whatever it says, the peer lives. */
export function recordLife(state: HeartbeatState, now: number): void {
  state.lastSeen = now;
  state.pingedAt = undefined;
  state.missed = 0;
}

/**
 * What to do now, asked on every timer. A timer that comes late is no evidence
 * against the peer: it is pinged, at once, and gets its full time.
 *
 * @param state What is known; a ping that is asked for is noted in it.
 * @param now The current time, in milliseconds.
 * @param policy The intervals.
 * @returns The action, with the time of the next look.
 */
export function nextHeartbeat(
  state: HeartbeatState,
  now: number,
  policy: HeartbeatPolicy,
): HeartbeatAction {
  if (state.pingedAt === undefined) {
    const due = state.lastSeen + policy.interval;
    return now < due ? { type: "wait", at: due } : ping(state, now, policy);
  }
  const due = state.pingedAt + policy.timeout;
  if (now < due) return { type: "wait", at: due };
  if (now < due + STALL) state.missed++;
  return state.missed >= policy.maxMissed ? { type: "dead" } : ping(state, now, policy);
}

function ping(
  state: HeartbeatState,
  now: number,
  policy: HeartbeatPolicy,
): HeartbeatAction {
  state.pingedAt = now;
  return { type: "ping", at: now + policy.timeout };
}
