import { RANGES, type SessionLimits } from "../protocol/session/limits.ts";
import type { SessionStore } from "./session_store.ts";
import type { RateOptions } from "./traffic_limit.ts";

/** When frames are compressed. */
export interface ServerCompressionOptions {
  /**
   * Frames below this many bytes of UTF-8 are sent as they are.
   *
   * @default {1_024}
   */
  readonly threshold?: number | undefined;
  /**
   * Whether clients may send compressed frames, too. A few bytes can become
   * 128 KiB that have to be parsed: it is for clients that are known, or held to
   * a `rate`, which counts what the frames are inflated to.
   *
   * @default {false}
   */
  readonly receive?: boolean | undefined;
}

/** {@linkcode ServerCompressionOptions} with the defaults filled in. */
export type CompressionSettings = {
  readonly [Name in keyof ServerCompressionOptions]-?: NonNullable<ServerCompressionOptions[Name]>;
};

/** How sessions are kept that outlive their connections. */
export interface SessionOptions {
  /**
   * How long a session waits for its client to come back, in milliseconds; at
   * most a day. Its handlers keep running.
   *
   * @default {120_000}
   */
  readonly window?: number | undefined;
  /**
   * Messages that may be unacknowledged, in each direction.
   *
   * @default {4_096}
   */
  readonly bufferMessages?: number | undefined;
  /**
   * Bytes of messages that may be unacknowledged, in each direction; at least
   * 1,024. One larger message may be, alone.
   *
   * @default {4_194_304}
   */
  readonly bufferBytes?: number | undefined;
  /**
   * Messages that may wait beyond that for a client that does not read or is
   * not there; one more ends the session.
   *
   * @default {16_384}
   */
  readonly maxWaitingMessages?: number | undefined;
  /**
   * The same in bytes.
   *
   * @default {67_108_864}
   */
  readonly maxWaitingBytes?: number | undefined;
  /**
   * Bytes that the server may hold for all its clients together, in sessions and
   * in sockets. From seven eighths on, sessions without a connection are ended,
   * the one that lost it first first, and senders wait. Above all of it, whoever
   * holds most is sent away with 4429.
   *
   * @default {268_435_456}
   */
  readonly maxTotalBytes?: number | undefined;
  /**
   * The same for the sessions of one principal, where connections belong to
   * somebody.
   *
   * @default {67_108_864}
   */
  readonly maxBytesPerPrincipal?: number | undefined;
  /**
   * Silence after which a client is pinged, in milliseconds; it is dead when it
   * does not answer three pings in five seconds each.
   *
   * @default {25_000}
   */
  readonly pingInterval?: number | undefined;
  /**
   * Compresses what is sent to clients that ask for it, as those of this library
   * do when they are told to; `false` compresses nothing.
   *
   * @default {{}}
   */
  readonly compression?: ServerCompressionOptions | false | undefined;
  /** Which sessions there are; by default those in memory. */
  readonly store?: SessionStore | undefined;
}

/** {@linkcode SessionOptions} after validation, with the defaults filled in. */
export interface SessionSettings {
  /** How long a session waits for its client, in milliseconds. */
  readonly windowMs: number;
  /** What this end takes and keeps. */
  readonly limits: SessionLimits;
  /** Messages that may wait for the wire. */
  readonly maxWaitingMessages: number;
  /** The same in bytes. */
  readonly maxWaitingBytes: number;
  /** Bytes that all sessions may hold. */
  readonly maxTotalBytes: number;
  /** Bytes that the sessions of one principal may hold. */
  readonly maxBytesPerPrincipal: number;
  /** Silence after which a client is pinged, in milliseconds. */
  readonly pingMs: number;
  /** When frames are compressed; `undefined` is never. */
  readonly compression?: CompressionSettings | undefined;
  /** How deep a message may nest; 64 by default. */
  readonly maxDepth?: number | undefined;
  /** How much one client may send, over all connections of its session. */
  readonly rate?: RateOptions | undefined;
  /** Which sessions there are; one is made if there is none. */
  readonly store: SessionStore | undefined;
}

/** Checks a number; throws if it is out of range. */
export type CheckNumber = (option: string, value: number) => void;

/**
 * Checks the options and fills in the defaults.
 *
 * @param options What the caller asked for.
 * @param maxMessageBytes The largest message that is taken.
 * @param checkCount Checks a count.
 * @param checkPositive Checks a duration.
 * @throws {RangeError} If a number is out of range.
 * @throws {TypeError} If the store is none.
 */
export function resolveSessionOptions(
  options: SessionOptions,
  maxMessageBytes: number,
  checkCount: CheckNumber,
  checkPositive: CheckNumber,
): SessionSettings {
  const {
    window = 120_000,
    bufferMessages = 4_096,
    bufferBytes = 4 * 1024 * 1024,
    maxWaitingMessages = 16_384,
    maxWaitingBytes = 64 * 1024 * 1024,
    maxTotalBytes = 256 * 1024 * 1024,
    maxBytesPerPrincipal = 64 * 1024 * 1024,
    pingInterval = 25_000,
    compression = {},
    store,
  } = options;
  const counts = {
    bufferMessages,
    bufferBytes,
    maxWaitingMessages,
    maxWaitingBytes,
    maxTotalBytes,
    maxBytesPerPrincipal,
  };
  for (const [name, value] of Object.entries(counts)) checkCount(`session.${name}`, value);
  checkPositive("session.window", window);
  checkRanges(window, bufferBytes);
  if (store !== undefined && typeof store.claim !== "function") {
    throw new TypeError('Cannot create handler as "session.store" must have a "claim"');
  }
  checkPositive("session.pingInterval", pingInterval);
  const { threshold = 1_024, receive = false } = compression || {};
  checkCount("session.compression.threshold", threshold);
  return {
    windowMs: window,
    limits: { messageBytes: maxMessageBytes, bufferBytes, bufferMessages },
    maxWaitingMessages,
    maxWaitingBytes,
    maxTotalBytes,
    maxBytesPerPrincipal,
    pingMs: pingInterval,
    compression: compression === false ? undefined : { threshold, receive },
    store,
  };
}

/** What clients would not believe: they bring what they are told into these ranges. */
function checkRanges(window: number, bufferBytes: number): void {
  const { windowMs: { max }, bufferBytes: { min } } = RANGES;
  if (window > max) throw rangeError("window", `at most ${max}`, window);
  if (bufferBytes < min) throw rangeError("bufferBytes", `at least ${min}`, bufferBytes);
}

function rangeError(option: string, rule: string, value: number): RangeError {
  return new RangeError(
    `Cannot create handler as "session.${option}" must be ${rule}: current value is ${value}`,
  );
}
