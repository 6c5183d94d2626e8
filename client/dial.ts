import type { Clock } from "../protocol/clock.ts";
import { statusVerdict, type Verdict } from "../protocol/close_codes.ts";
import { MCPConnectionError, MCPTimeoutError } from "../protocol/errors.ts";
import { errorText, Link, type LinkEvents } from "../protocol/link.ts";
import { findSubprotocolFault } from "../protocol/subprotocol.ts";
import { kindOf } from "./recovery.ts";
import { openSocket, type SocketRequest } from "./runtime.ts";

/** How long a dial may take. */
export interface DialBounds {
  /** What the endpoint is called in errors. */
  readonly name: string;
  /** Time to open, in milliseconds. */
  readonly timeout: number;
  /** Gives up. */
  readonly signal: AbortSignal;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** What a dial needs. */
export interface DialRequest<T> extends SocketRequest, DialBounds {
  /**
   * Takes over the link as soon as it is open, before anything can come in on
   * it; what it throws is what the dial fails with.
   */
  readonly take: (link: Link) => T;
}

/** What a socket tells of its opening. */
const EVENTS = ["open", "error", "close"] as const;

/** A link tells nobody anything until it is taken over, in the turn in which it opens. */
export const NOBODY: LinkEvents = { frame() {}, closed() {} };

/**
 * Waits for what a dial needs, as long as the dial itself may take.
 *
 * @param needed What it needs.
 * @param request The dial's bounds.
 * @throws {MCPTimeoutError} If it does not come in time.
 */
export async function prepare<T>(
  needed: Promise<T>,
  request: DialBounds,
): Promise<T> {
  return await within(needed, request, () => timeoutError(request));
}

/**
 * Waits for something, but not for long.
 *
 * @param needed What is waited for.
 * @param bounds How long, and what gives up.
 * @param late What is thrown if it does not come in time.
 */
export async function within<T>(
  needed: Promise<T>,
  bounds: Omit<DialBounds, "name">,
  late: () => Error,
): Promise<T> {
  const { signal, timeout, clock } = bounds;
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after(timeout, () => reject(late()));
  try {
    return await Promise.race([givenUp, needed]);
  } finally {
    timer.clear();
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Opens one WebSocket.
 *
 * @typeParam T What the open link becomes.
 * @param request Where to, and what with.
 * @returns What has taken over the open link.
 * @throws {MCPConnectionError} If it cannot be opened; `verdict` says what that means.
 * @throws {MCPTimeoutError} If it is not open in time.
 */
export function dial<T>(request: DialRequest<T>): Promise<T> {
  const { signal, timeout, clock, take } = request;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let socket: WebSocket;
    const settle = () => {
      timer.clear();
      signal.removeEventListener("abort", onAbort);
      for (const type of EVENTS) socket.removeEventListener(type, onEvent);
    };
    const fail = (error: unknown) => {
      settle();
      hangUp(socket);
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    try {
      socket = openSocket(request);
    } catch (cause) {
      return reject(failure(request, "", cause));
    }
    const timer = clock.after(timeout, () => fail(timeoutError(request)));
    signal.addEventListener("abort", onAbort, { once: true });
    for (const type of EVENTS) socket.addEventListener(type, onEvent);

    function onEvent(event: Event): void {
      // Node 22 tells of a failed upgrade with `error` alone, browsers say more with `close`.
      if (event.type !== "open") return fail(failure(request, reasonOf(event)));
      const fault = findSubprotocolFault(socket.protocol, request.protocols);
      if (fault !== undefined) return fail(protocolError(request, fault));
      settle();
      try {
        resolve(take(new Link(socket, NOBODY, clock)));
      } catch (error) {
        reject(error);
      }
    }
  });
}

function reasonOf(event: Event): string {
  return "reason" in event && typeof event.reason === "string" ? event.reason : errorText(event);
}

/** Forgets a socket; a listener stays, since an unheard `error` may end the process. */
function hangUp(socket: WebSocket): void {
  socket.addEventListener("open", () => socket.close());
  socket.addEventListener("error", () => {});
  // In CONNECTING this cancels at once, on every runtime.
  if (socket.readyState <= WebSocket.OPEN) socket.close();
}

function timeoutError(request: DialBounds): MCPTimeoutError {
  const text = `Cannot connect to "${request.name}": not open within ` +
    `${request.timeout} ms`;
  return new MCPTimeoutError(text, request.timeout, { retryable: true });
}

function protocolError(
  request: DialBounds,
  fault: string,
): MCPConnectionError {
  return new MCPConnectionError(
    `Cannot connect to "${request.name}": ${fault}`,
    {
      kind: "protocol",
      verdict: { cause: "protocol", pace: "never" },
      retryable: false,
    },
  );
}

function failure(
  request: DialBounds & Pick<SocketRequest, "url">,
  text: string,
  cause?: unknown,
): MCPConnectionError {
  const status = readStatus(text);
  const verdict = cause === undefined ? dialVerdict(text, status) : MISUSE;
  const words = cause instanceof Error ? cause.message : text || "no reason given";
  // A runtime may repeat the URL, and with it what its query holds.
  const isQuoted = words.includes(request.url);
  const detail = words.replaceAll(request.url, request.name);
  return new MCPConnectionError(
    `Cannot connect to "${request.name}": ${detail}`,
    {
      kind: kindOf(verdict),
      status,
      verdict,
      retryable: verdict.pace !== "never",
      ...(cause === undefined || isQuoted ? {} : { cause }),
    },
  );
}

/** The constructor refused: the same arguments will be refused again. */
const MISUSE: Verdict = { cause: "protocol", pace: "never" };

/** Deno says "Invalid status code: 401", Bun "Expected 101 status code: 401"; others say nothing. */
const STATUS_REGEXP = /status code: ([1-5]\d\d)/;
/** As rustls and Bun word what is wrong with a certificate or a handshake. */
const TLS_REGEXP = /certificate|InvalidContentType|fatal alert|SELF_SIGNED|UNABLE_TO_VERIFY/i;

function readStatus(text: string): number | undefined {
  const match = STATUS_REGEXP.exec(text);
  return match === null ? undefined : Number(match[1]);
}

function dialVerdict(text: string, status: number | undefined): Verdict {
  if (status !== undefined) return statusVerdict(status);
  if (TLS_REGEXP.test(text)) return { cause: "tls", pace: "never" };
  return { cause: "unreachable", pace: "backoff" };
}
