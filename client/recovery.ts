import { RetryError } from "@std/async/retry";
import {
  CLOSE_CODES,
  closeVerdict,
  type LossCause,
  type Verdict,
} from "../protocol/close_codes.ts";
import {
  type ErrorKind,
  MCPConnectionError,
  MCPError,
  MCPTimeoutError,
  toError,
} from "../protocol/errors.ts";
import type { CloseInfo } from "../protocol/link.ts";
import type { ReconnectOptions } from "./options.ts";

/** How a connection was lost, and what that means. */
export interface Loss extends CloseInfo, Verdict {
  /** The shortest pause the peer asks for, in milliseconds. */
  readonly retryAfter: number;
}

/** The first dial after an immediate cause comes within this time, at random, in milliseconds. */
const IMMEDIATE_SPREAD = 250;
/** Clients that were told to come back soon are spread over this time, in milliseconds. */
const SOON_SPREAD = 1_000;
/** A peer with too much to do is left alone at least this long, in milliseconds. */
const LATER_PAUSE = 5_000;
/** The longest pause a peer may ask for, in milliseconds. */
const MAX_RETRY_AFTER = 300_000;

/** `retry-after=30`, in seconds, in the reason of a close: sockets have no headers. */
const RETRY_AFTER_REGEXP = /retry-after=(\d{1,6})/i;

/** What a close means. */
export function lossOf(info: CloseInfo): Loss {
  const seconds = Number(RETRY_AFTER_REGEXP.exec(info.reason)?.[1] ?? 0);
  const retryAfter = Math.min(seconds * 1_000, MAX_RETRY_AFTER);
  return { ...info, ...closeVerdict(info.code), retryAfter };
}

/** What is known when a session's connection has ended. */
export interface SessionLossContext {
  /** Whether the server has ever said welcome. */
  readonly wasWelcomed: boolean;
  /** Whether a server that does not know the protocol may be spoken to in plain `mcp`. */
  readonly mayBePlain: boolean;
  /**
   * The shortest pause that the server's last word asks for, in milliseconds;
   * `undefined` if there was none.
   */
  readonly retryAfter?: number | undefined;
}

/**
 * What the end of a session's connection means.
 *
 * @param info How it ended.
 * @param context What is known besides.
 */
export function sessionLossOf(info: CloseInfo, context: SessionLossContext): Loss {
  const { wasWelcomed, mayBePlain, retryAfter } = context;
  const loss = lossOf(info);
  // Who does not know the protocol may know plain MCP.
  const isUnspoken = !wasWelcomed && mayBePlain && info.code === CLOSE_CODES.BAD_CONTROL;
  if (isUnspoken) return { ...loss, pace: "now" };
  if (retryAfter !== undefined) return { ...loss, retryAfter };
  if (!wasWelcomed || info.code >= 4_000) return loss;
  // Whatever a proxy closes with, the session is still there.
  const isReset = info.code === 0 || info.code === 1_006;
  return { ...info, cause: isReset ? "reset" : "gone", pace: "backoff", retryAfter: 0 };
}

/**
 * How long to wait before the first dial after a loss; `retry()` waits before
 * those that follow.
 *
 * @param loss How the connection was lost.
 * @param policy Which causes are immediate, and the shortest delay.
 * @param random A number from 0 up to 1.
 * @returns The pause, in milliseconds.
 */
export function firstPause(
  loss: Loss,
  policy: ReconnectOptions,
  random: number,
): number {
  return Math.max(loss.retryAfter, spread(loss, policy, random));
}

function spread(loss: Loss, policy: ReconnectOptions, random: number): number {
  if (policy.immediate.includes(loss.cause)) return random * IMMEDIATE_SPREAD;
  switch (loss.pace) {
    case "never":
    case "now":
    case "refresh":
      return random * IMMEDIATE_SPREAD;
    case "soon":
      return random * SOON_SPREAD;
    case "backoff":
      return random * policy.minDelay;
    case "later":
      return LATER_PAUSE + random * policy.minDelay;
  }
}

/** How long to wait, in milliseconds, on top of `retry()`'s delay after a dial that failed. */
export function extraPause(error: unknown): number {
  const verdict: Partial<Loss> | undefined = error instanceof MCPConnectionError
    ? error.verdict
    : undefined;
  return Math.max(verdict?.retryAfter ?? 0, verdict?.pace === "later" ? LATER_PAUSE : 0);
}

/**
 * Whether another dial can help after one that failed.
 *
 * @param error Why it failed.
 * @param mayRefresh Whether a fresh credential was not tried yet.
 */
export function isRetriable(error: unknown, mayRefresh: boolean): boolean {
  if (error instanceof MCPTimeoutError) return true;
  if (!(error instanceof MCPConnectionError)) {
    return error instanceof MCPError && error.retryable;
  }
  const pace = error.verdict?.pace ?? "backoff";
  return pace === "refresh" ? mayRefresh : pace !== "never";
}

/**
 * Whether a dial that failed was made at all: one that was refused here, or for
 * which there was no credential, was not.
 */
export function wasDialled(error: unknown): boolean {
  return error instanceof MCPConnectionError || error instanceof MCPTimeoutError;
}

const KINDS: { readonly [Cause in LossCause]?: ErrorKind } = {
  "protocol": "protocol",
  "forbidden": "authentication",
  "unauthenticated": "authentication",
  "capacity": "capacity",
  "rate": "capacity",
  "too-big": "capacity",
  "heartbeat": "timeout",
  "timeout": "timeout",
  "not-found": "policy",
};

/** What an error with this verdict is about. */
export function kindOf(verdict: Verdict): ErrorKind {
  return KINDS[verdict.cause] ?? "network";
}

/** The error that a loss stands for. */
export function lossError(loss: Loss): MCPConnectionError {
  // The peer's words, made fit for a log.
  const words = loss.reason === "" ? "" : `, ${JSON.stringify(loss.reason)}`;
  return new MCPConnectionError(
    `Connection lost: ${loss.cause} (code ${loss.code}${words})`,
    {
      kind: kindOf(loss),
      code: loss.code,
      verdict: loss,
      retryable: loss.pace !== "never",
    },
  );
}

/** Why a dial failed, in one word. */
export function causeOf(error: unknown): LossCause {
  if (error instanceof MCPTimeoutError) return "timeout";
  return (error instanceof MCPConnectionError ? error.verdict?.cause : undefined) ?? "unreachable";
}

/** The error of whoever waits for a transport that was closed. */
export function closedError(): MCPConnectionError {
  return new MCPConnectionError("The transport was closed", {
    retryable: false,
  });
}

/** The error that ended it, in the words of the last dial. */
export function endError(thrown: unknown): Error {
  if (!(thrown instanceof RetryError)) return toError(thrown);
  const last = toError(thrown.cause);
  const verdict = last instanceof MCPConnectionError ? last.verdict : undefined;
  return new MCPConnectionError(`Gave up reconnecting: ${last.message}`, {
    cause: last,
    kind: verdict === undefined ? "network" : kindOf(verdict),
    verdict,
    retryable: true,
  });
}
