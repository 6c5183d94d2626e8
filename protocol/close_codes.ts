/** Close codes (RFC 6455, 7.4, and this protocol's own from 4400). */
export const CLOSE_CODES: {
  /** Done on purpose. */
  readonly DONE: 1000;
  /** The endpoint goes away. */
  readonly GOING_AWAY: 1001;
  /** Plain MCP was violated, as a server says it. */
  readonly PROTOCOL_ERROR: 1002;
  /** A binary frame where text is expected, as a server says it. */
  readonly UNSUPPORTED_DATA: 1003;
  /** A message larger than the server takes. */
  readonly TOO_BIG: 1009;
  /** The server failed. */
  readonly INTERNAL_ERROR: 1011;
  /** The server restarts. */
  readonly RESTARTING: 1012;
  /** The server is at capacity. */
  readonly TRY_AGAIN_LATER: 1013;
  /** Plain MCP was violated, as a client says it. */
  readonly CLIENT_PROTOCOL_ERROR: 4002;
  /** A binary frame where text is expected, as a client says it. */
  readonly CLIENT_UNSUPPORTED_DATA: 4003;
  /** The session protocol was violated. */
  readonly BAD_CONTROL: 4400;
  /** The client is not, or no longer, authenticated. */
  readonly UNAUTHENTICATED: 4401;
  /** The session belongs to somebody else. */
  readonly FORBIDDEN: 4403;
  /** The peer was silent for too long. */
  readonly HEARTBEAT_TIMEOUT: 4408;
  /** A newer connection has taken the session over. */
  readonly REPLACED: 4409;
  /** A message larger than the client takes. */
  readonly CLIENT_TOO_BIG: 4413;
  /** A peer that reads too slowly. */
  readonly SLOW_CONSUMER: 4429;
  /** The server is at capacity, said after the upgrade. */
  readonly AT_CAPACITY: 4503;
} = {
  DONE: 1000,
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  UNSUPPORTED_DATA: 1003,
  TOO_BIG: 1009,
  INTERNAL_ERROR: 1011,
  RESTARTING: 1012,
  TRY_AGAIN_LATER: 1013,
  CLIENT_PROTOCOL_ERROR: 4002,
  CLIENT_UNSUPPORTED_DATA: 4003,
  BAD_CONTROL: 4400,
  UNAUTHENTICATED: 4401,
  FORBIDDEN: 4403,
  HEARTBEAT_TIMEOUT: 4408,
  REPLACED: 4409,
  CLIENT_TOO_BIG: 4413,
  SLOW_CONSUMER: 4429,
  AT_CAPACITY: 4503,
};

/** Why a connection ended, in words that are the same on every runtime. */
export type LossCause =
  | "done"
  | "gone"
  | "reset"
  | "protocol"
  | "forbidden"
  | "too-big"
  | "internal"
  | "restarting"
  | "capacity"
  | "unauthenticated"
  | "heartbeat"
  | "replaced"
  | "rate"
  | "timeout"
  | "unreachable"
  | "not-found"
  | "tls";

/**
 * How soon to try again: `never`; `now` (within the first quarter of a
 * second); `soon` (spread over a second, as many clients were told the same);
 * `backoff`; `later` (the peer has too much to do already); `refresh` (with a
 * fresh credential, once).
 */
export type Pace = "never" | "now" | "soon" | "backoff" | "later" | "refresh";

/** What the end of a connection means. */
export interface Verdict {
  /** Why it ended. */
  readonly cause: LossCause;
  /** How soon to try again. */
  readonly pace: Pace;
}

/** The normal answer to each close code; what is not listed counts as `gone`. */
const VERDICTS: ReadonlyMap<number, Verdict> = new Map<number, Verdict>([
  // Deno tells 0 where other runtimes tell 1006.
  [0, { cause: "reset", pace: "backoff" }],
  [1006, { cause: "reset", pace: "backoff" }],
  [1000, { cause: "done", pace: "never" }],
  [1001, { cause: "gone", pace: "backoff" }],
  [1005, { cause: "gone", pace: "backoff" }],
  [1002, { cause: "protocol", pace: "never" }],
  [1003, { cause: "protocol", pace: "never" }],
  [1007, { cause: "protocol", pace: "never" }],
  [4002, { cause: "protocol", pace: "never" }],
  [4003, { cause: "protocol", pace: "never" }],
  [4400, { cause: "protocol", pace: "never" }],
  [1008, { cause: "forbidden", pace: "never" }],
  [4403, { cause: "forbidden", pace: "never" }],
  [1009, { cause: "too-big", pace: "backoff" }],
  [4413, { cause: "too-big", pace: "backoff" }],
  [1011, { cause: "internal", pace: "backoff" }],
  [1012, { cause: "restarting", pace: "soon" }],
  [1013, { cause: "capacity", pace: "later" }],
  [4503, { cause: "capacity", pace: "later" }],
  [4401, { cause: "unauthenticated", pace: "refresh" }],
  [4408, { cause: "heartbeat", pace: "backoff" }],
  [4409, { cause: "replaced", pace: "never" }],
  [4429, { cause: "rate", pace: "later" }],
]);

/**
 * What a close code means for somebody who wants the connection back.
 *
 * @example Usage
 * ```ts
 * import { closeVerdict } from "@bowline/mcp-websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(closeVerdict(1006), closeVerdict(0));
 * assertEquals(closeVerdict(1008).pace, "never");
 * ```
 *
 * @param code The code, 0 where the runtime knows none.
 * @returns Why the connection ended and how soon to try again.
 */
export function closeVerdict(code: number): Verdict {
  return VERDICTS.get(code) ?? { cause: "gone", pace: "backoff" };
}

/**
 * What an HTTP status that refused the upgrade means.
 *
 * @param status The status, for example 401.
 * @returns Why it was refused and how soon to try again.
 */
export function statusVerdict(status: number): Verdict {
  switch (status) {
    case 401:
      return { cause: "unauthenticated", pace: "refresh" };
    case 403:
      return { cause: "forbidden", pace: "never" };
    case 408:
      return { cause: "timeout", pace: "backoff" };
    case 429:
      return { cause: "rate", pace: "later" };
    case 503:
      return { cause: "capacity", pace: "later" };
    default:
      return status >= 500
        ? { cause: "internal", pace: "backoff" }
        : { cause: "not-found", pace: "never" };
  }
}

/** The most bytes of UTF-8 a close reason may take (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/**
 * A close reason that fits into a close frame.
 *
 * @param reason Any text.
 * @returns As much of it as fits, without splitting a character.
 */
export function closeReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  let end = MAX_REASON_BYTES;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(0, end));
}
