import {
  isSubprotocol,
  parseSubprotocols,
  selectSubprotocol,
  SESSION_SUBPROTOCOL,
} from "../protocol/subprotocol.ts";
import { type HostPolicy, isHostAllowed } from "./host_check.ts";
import { type AllowedOrigins, isOriginAllowed } from "./origin.ts";
import type { RequestSnapshot } from "./request.ts";

/** What a handshake is judged by. */
export interface HandshakePolicy extends HostPolicy {
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
  | "host"
  | "url"
  | "path"
  | "method"
  | "options"
  | "upgrade"
  | "headers"
  | "origin"
  | "rate"
  | "auth"
  | "closing"
  | "full"
  | "crowded";

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

/** What is asked of every request, in this order. */
const REQUEST_CHECKS: readonly Check[] = [
  checkDuplicates,
  checkHost,
  checkPath,
  checkMethod,
  checkOrigin,
];
/** What is asked of those that are to become a WebSocket. */
const HEADER_CHECKS: readonly ((request: RequestSnapshot) => Refusal | undefined)[] = [
  checkUpgrade,
  checkVersion,
  checkKey,
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
  return checkRequest(request, policy) ?? checkHeaders(request) ?? checkRoom(request, policy) ??
    { type: "accept", protocol: chooseProtocol(request, policy) };
}

/** Why the request is refused, whatever it is for; `undefined` if it is not. */
export function checkRequest(
  request: RequestSnapshot,
  policy: HandshakePolicy,
): Refusal | undefined {
  for (const check of REQUEST_CHECKS) {
    const refusal = check(request, policy);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Why the request cannot become a WebSocket; `undefined` if it can. */
export function checkHeaders(request: RequestSnapshot): Refusal | undefined {
  for (const check of HEADER_CHECKS) {
    const refusal = check(request);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/**
 * Why there is no room for one more connection; `undefined` if there is.
 *
 * @param request The request.
 * @param policy How full the server is.
 * @param isCrowded Whether its owner has as many connections as one may have.
 * @default {false} isCrowded
 */
export function checkRoom(
  request: RequestSnapshot,
  policy: HandshakePolicy,
  isCrowded = false,
): Refusal | undefined {
  const { isClosing, activeConnections, maxConnections, takesSessions } = policy;
  // A session that exists already may come back, however many there are.
  const isSession = chooseProtocol(request, policy) === SESSION_SUBPROTOCOL;
  const isTaken = isSession ? takesSessions : !isClosing && activeConnections < maxConnections;
  if (isTaken && (isSession || !isCrowded)) return undefined;
  const [cause, reason]: [HandshakeRefusal, string] = isClosing
    ? ["closing", "The server is shutting down"]
    : isTaken
    ? ["crowded", "Too many connections of this principal"]
    : ["full", "The server is at capacity"];
  return refuse(cause, 503, reason, { "Retry-After": RETRY_AFTER });
}

/** The subprotocol that such a request is answered with. */
export function chooseProtocol(
  { headers }: RequestSnapshot,
  { hasSessions }: Pick<HandshakePolicy, "hasSessions">,
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

/** A refusal. */
export function refuse(
  cause: HandshakeRefusal,
  status: number,
  reason: string,
  headers: { readonly [name: string]: string } = {},
): Refusal {
  return { type: "refuse", cause, status, headers, reason };
}

/** A page whose name was made to point here (DNS rebinding) is told apart by nothing else. */
function checkHost(request: RequestSnapshot, policy: HandshakePolicy): Refusal | undefined {
  // Without a readable URL there is no host either, and that is the clearer answer.
  if (request.path === undefined || isHostAllowed(request, policy)) return undefined;
  return refuse("host", 403, "This host is not served here");
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

function listsToken(header: string | null, token: string): boolean {
  return header !== null &&
    header.split(",").some((entry) => entry.trim().toLowerCase() === token);
}
