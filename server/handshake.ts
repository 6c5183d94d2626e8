import {
  isSubprotocol,
  parseSubprotocols,
  selectSubprotocol,
  SESSION_SUBPROTOCOL,
} from "../protocol/subprotocol.ts";
import { type AllowedOrigins, isOriginAllowed } from "./origin.ts";
import type { RequestSnapshot } from "./request.ts";

/** What a handshake is judged by. */
export interface HandshakePolicy {
  /** The path that is served. */
  readonly path: string;
  /** Which web pages may connect; by default those from this machine. */
  readonly allowedOrigins?: AllowedOrigins | undefined;
  /** How many connections there may be. */
  readonly maxConnections: number;
  /** How many there are, with those that are being opened. */
  readonly activeConnections: number;
  /** Whether the server is shutting down. */
  readonly isClosing: boolean;
  /** Whether the server keeps sessions. */
  readonly hasSessions: boolean;
  /** Whether it takes connections for them, which are counted when they say hello. */
  readonly takesSessions: boolean;
}

/** Why a request is refused, in a single word: something to count by. */
export type HandshakeRefusal =
  | "url"
  | "path"
  | "method"
  | "options"
  | "upgrade"
  | "headers"
  | "origin"
  | "closing"
  | "full";

/** The answer to a request that does not become a WebSocket. */
export interface Refusal {
  /** Says that the request is refused. */
  readonly type: "refuse";
  /** Why, in a single word. */
  readonly cause: HandshakeRefusal;
  /** The HTTP status. */
  readonly status: number;
  /** Headers that belong to the status. */
  readonly headers: { readonly [name: string]: string };
  /** Why, in words fit for the peer. */
  readonly reason: string;
}

/** What to do about a request. */
export type HandshakeDecision =
  | {
    /** Says that the request becomes a WebSocket. */
    readonly type: "accept";
    /** The subprotocol to answer with, if any. */
    readonly protocol: string | undefined;
  }
  | Refusal;

/** One reason to refuse. */
type Check = (
  request: RequestSnapshot,
  policy: HandshakePolicy,
) => Refusal | undefined;

/** In this order: what is cheap and says nothing about the server comes first. */
const CHECKS: readonly Check[] = [
  checkPath,
  checkMethod,
  checkUpgrade,
  checkDuplicates,
  checkVersion,
  checkKey,
  checkOrigin,
  checkCapacity,
];

/** Methods that get an answer on the path. */
const ALLOWED_METHODS = "GET, HEAD, OPTIONS";
/** Goes with every 426 (RFC 9110, 15.5.22). */
const UPGRADE_HEADERS = { "Connection": "Upgrade", "Upgrade": "websocket" };
/** When to come back to a server that is full or going away, in seconds. */
const RETRY_AFTER = "5";
/** Headers that count once; a proxy or a runtime joins repeated ones with a comma. */
const SINGLE_HEADERS = ["Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"];
/** RFC 6455, 4.1: 16 bytes in base64. */
const KEY_REGEXP = /^[A-Za-z0-9+/]{22}==$/;

/**
 * Whether a request becomes a WebSocket, and if not, why. Deno checks next to
 * nothing by itself: it upgrades POST requests, version 8 and keys of three
 * letters.
 *
 * @param request The request.
 * @param policy What it is judged by.
 * @returns The decision.
 */
export function decideHandshake(
  request: RequestSnapshot,
  policy: HandshakePolicy,
): HandshakeDecision {
  for (const check of CHECKS) {
    const refusal = check(request, policy);
    if (refusal !== undefined) return refusal;
  }
  return { type: "accept", protocol: chooseProtocol(request, policy) };
}

function chooseProtocol(
  { headers }: RequestSnapshot,
  { hasSessions }: HandshakePolicy,
): string | undefined {
  const offers = parseSubprotocols(headers.get("Sec-WebSocket-Protocol"));
  return selectSubprotocol(offers.filter(isSubprotocol), hasSessions);
}

/**
 * The response that tells a refusal.
 *
 * @param refusal The refusal.
 * @returns The response; its body is the reason.
 */
export function refusalResponse(refusal: Refusal): Response {
  const { status, headers, reason } = refusal;
  if (status === 204) return new Response(null, { status, headers });
  return new Response(`${reason}\n`, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
  });
}

function refuse(
  cause: HandshakeRefusal,
  status: number,
  reason: string,
  headers: { readonly [name: string]: string } = {},
): Refusal {
  return { type: "refuse", cause, status, headers, reason };
}

function checkPath(
  request: RequestSnapshot,
  policy: HandshakePolicy,
): Refusal | undefined {
  if (request.path === undefined) {
    return refuse("url", 400, "The URL of the request cannot be read");
  }
  return request.path === policy.path ? undefined : refuse("path", 404, "Nothing is served here");
}

function checkMethod({ method }: RequestSnapshot): Refusal | undefined {
  switch (method) {
    case "GET":
    case "HEAD":
      return undefined;
    case "OPTIONS":
      return refuse("options", 204, "", { "Allow": ALLOWED_METHODS });
    default:
      return refuse("method", 405, "A WebSocket is opened with GET", {
        "Allow": ALLOWED_METHODS,
      });
  }
}

function checkUpgrade(
  { method, headers }: RequestSnapshot,
): Refusal | undefined {
  const isUpgrade = method === "GET" &&
    listsToken(headers.get("Upgrade"), "websocket") &&
    listsToken(headers.get("Connection"), "upgrade");
  return isUpgrade ? undefined : refuse(
    "upgrade",
    426,
    "This endpoint speaks MCP over WebSocket: connect with a WebSocket client",
    UPGRADE_HEADERS,
  );
}

function checkDuplicates({ headers }: RequestSnapshot): Refusal | undefined {
  const name = SINGLE_HEADERS.find((name) => headers.get(name)?.includes(","));
  return name === undefined
    ? undefined
    : refuse("headers", 400, `Header "${name}" must be sent once`);
}

function checkVersion({ headers }: RequestSnapshot): Refusal | undefined {
  if (headers.get("Sec-WebSocket-Version") === "13") return undefined;
  return refuse("headers", 426, 'Header "Sec-WebSocket-Version" must be 13', {
    ...UPGRADE_HEADERS,
    "Sec-WebSocket-Version": "13",
  });
}

function checkKey({ headers }: RequestSnapshot): Refusal | undefined {
  return KEY_REGEXP.test(headers.get("Sec-WebSocket-Key") ?? "")
    ? undefined
    : refuse("headers", 400, 'Header "Sec-WebSocket-Key" must be 16 bytes in base64');
}

function checkOrigin(
  { headers }: RequestSnapshot,
  { allowedOrigins }: HandshakePolicy,
): Refusal | undefined {
  return isOriginAllowed(headers.get("Origin"), allowedOrigins)
    ? undefined
    : refuse("origin", 403, "Pages of this origin may not connect");
}

function checkCapacity(request: RequestSnapshot, policy: HandshakePolicy): Refusal | undefined {
  const { isClosing, activeConnections, maxConnections, takesSessions } = policy;
  // A session that exists already may come back, however many there are.
  const isTaken = chooseProtocol(request, policy) === SESSION_SUBPROTOCOL
    ? takesSessions
    : !isClosing && activeConnections < maxConnections;
  if (isTaken) return undefined;
  const reason = isClosing ? "The server is shutting down" : "The server is at capacity";
  return refuse(isClosing ? "closing" : "full", 503, reason, { "Retry-After": RETRY_AFTER });
}

function listsToken(header: string | null, token: string): boolean {
  return header !== null &&
    header.split(",").some((entry) => entry.trim().toLowerCase() === token);
}
