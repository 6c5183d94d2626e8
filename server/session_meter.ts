/** Why sessions end, in single words. */
export const SESSION_ENDINGS = [
  "done",
  "closed",
  "expired",
  "evicted",
  "lost",
  "overflow",
  "violation",
] as const;

/**
 * Why a session has ended: its client was done; this side closed it; its client
 * did not come back; there was no room for it; somebody else has it, or a part
 * of it was forgotten; too much waited for its client; its client broke the rules.
 */
export type SessionEnding = typeof SESSION_ENDINGS[number];

/** Why connections do not get the session they ask for, in single words. */
export const SESSION_REFUSALS = [
  "unknown",
  "elsewhere",
  "forgotten",
  "ended",
  "stale",
  "forbidden",
  "full",
  "crowded",
  "impossible",
  "protocol",
  "timeout",
  "failed",
  "closing",
  "unauthenticated",
] as const;

/**
 * Why a connection does not get the session it asks for: nobody knows the
 * session; another server has it; messages that the client lacks were
 * forgotten; it was ended; a later connection was accepted before; it is
 * somebody else's; there is no room for one more, or for one more of this
 * principal; the client counts wrong; it broke the rules; the session could not
 * be opened in time, or not at all; the server is shutting down; it is not known
 * whose it is.
 */
export type SessionRefusal = typeof SESSION_REFUSALS[number];

/** Told what a {@linkcode SessionHost} does. */
export interface SessionMeter {
  /** A connection was served. */
  connectionOpened(protocol: "plain" | "session"): void;
  /** A connection that was served has ended, or was given up. */
  connectionClosed(code: number): void;
  /** A connection did not get the session it asked for. */
  connectionRefused(reason: SessionRefusal): void;
  /** A session was opened. */
  sessionOpened(): void;
  /** A session went on over a new connection. */
  sessionResumed(): void;
  /** A session has ended. */
  sessionEnded(ending: SessionEnding): void;
}
