/** What one end of a session takes and keeps. */
export interface SessionLimits {
  /** The largest message that it takes, in bytes of UTF-8. */
  readonly messageBytes: number;
  /** Bytes of messages that may be unacknowledged. One larger message may be, alone. */
  readonly bufferBytes: number;
  /** Messages that may be unacknowledged. */
  readonly bufferMessages: number;
}

/** What the end that dials takes for granted before it is told: so much may come behind the first hello. */
export const FIRST_LIMITS: SessionLimits = {
  messageBytes: 64 * 1024,
  bufferBytes: 64 * 1024,
  bufferMessages: 64,
};

/** A number and the range it is brought into. */
interface Range {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/** What the peer may tell: whatever it says is brought into the range. */
export const RANGES: {
  readonly messageBytes: Range;
  readonly bufferBytes: Range;
  readonly bufferMessages: Range;
  readonly windowMs: Range;
  readonly pingMs: Range;
  readonly afterMs: Range;
  readonly retryAfterMs: Range;
} = {
  messageBytes: { min: 1_024, max: 2 ** 30, fallback: 1024 * 1024 },
  bufferBytes: { min: 1_024, max: 2 ** 30, fallback: 1024 * 1024 },
  bufferMessages: { min: 1, max: 2 ** 20, fallback: 1_024 },
  windowMs: { min: 0, max: 24 * 60 * 60 * 1_000, fallback: 120_000 },
  pingMs: { min: 1_000, max: 300_000, fallback: 25_000 },
  afterMs: { min: 0, max: 600_000, fallback: 10_000 },
  retryAfterMs: { min: 0, max: 300_000, fallback: 0 },
};

/** A number of the peer's, brought into its range; what is no number is the fallback. */
export function clamp(value: unknown, { min, max, fallback }: Range): number {
  if (typeof value !== "number" || Number.isNaN(value)) return fallback;
  return Math.min(Math.max(value, min), max);
}

/** The limits in force towards a peer: the smaller of what both ends say. */
export function narrow(ours: SessionLimits, theirs: SessionLimits): SessionLimits {
  return {
    // What the peer takes is the peer's to say.
    messageBytes: theirs.messageBytes,
    bufferBytes: Math.min(ours.bufferBytes, theirs.bufferBytes),
    bufferMessages: Math.min(ours.bufferMessages, theirs.bufferMessages),
  };
}

/** Limits that let in whatever one or the other does. */
export function widen(one: SessionLimits, other: SessionLimits): SessionLimits {
  return {
    messageBytes: Math.max(one.messageBytes, other.messageBytes),
    bufferBytes: Math.max(one.bufferBytes, other.bufferBytes),
    bufferMessages: Math.max(one.bufferMessages, other.bufferMessages),
  };
}
