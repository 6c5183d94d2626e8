import { type Clock, systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/transport.ts";
import type { MetricsSink } from "./metrics_sink.ts";
import {
  type OperationsOptions,
  type OperationsSettings,
  resolveOperationsOptions,
} from "./operations.ts";
import { type AllowedOrigins, isOrigin } from "./origin.ts";
import type { EndName } from "../protocol/session/control.ts";
import type { RequestSnapshot } from "./request.ts";
import {
  resolveSessionOptions,
  type SessionOptions,
  type SessionSettings,
} from "./session_options.ts";

/** Options of {@linkcode createWebSocketHandler}. */
export interface WebSocketHandlerOptions {
  /**
   * The path that is served, as clients have to write it.
   *
   * @default {"/mcp"}
   */
  path?: string | undefined;
  /**
   * Which web pages may connect: exact origins such as
   * `"https://app.example.com"`, or a function that is asked for each origin.
   * Without it, pages from this machine may (`localhost`, `127.0.0.1` and
   * `[::1]`, any port). Clients that are no browsers send no origin and are
   * not concerned.
   */
  allowedOrigins?: AllowedOrigins | undefined;
  /**
   * The largest message that is taken, in bytes of UTF-8. A larger one closes
   * its connection with 1009.
   *
   * @default {10_485_760}
   */
  maxMessageBytes?: number | undefined;
  /**
   * The largest message that is sent, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  maxSendBytes?: number | undefined;
  /**
   * How many connections there may be. Above that, upgrades are refused with
   * 503 and `Retry-After`.
   *
   * @default {10_000}
   */
  maxConnections?: number | undefined;
  /**
   * How many requests of one connection may be in flight. Above that, they
   * are answered with -32603.
   *
   * @default {16_384}
   */
  maxInFlight?: number | undefined;
  /**
   * Silence after which a client counts as dead, in milliseconds; it is sent a
   * WebSocket ping after half of it. `false` switches the heartbeat off.
   * Sessions have their own, see `session.pingInterval`.
   *
   * @default {30_000}
   */
  heartbeatTimeout?: number | false | undefined;
  /**
   * How sessions are kept that outlive their connections (`bowline.v1`);
   * `false` keeps none, and every client is served with plain `mcp`.
   */
  session?: SessionOptions | false | undefined;
  /**
   * Whom a connection belongs to, by its upgrade request: for servers behind a
   * proxy that authenticates. A session is resumed by its own principal alone,
   * and each may have a limited number of them.
   */
  principalOf?: ((request: RequestSnapshot) => string | undefined) | undefined;
  /** Told what happens; it never sees a header or a message. */
  logger?: Logger | undefined;
  /** Told of every failure that is not somebody's answer. */
  onError?: ((error: Error) => void) | undefined;
  /** Told of everything that is counted or timed. */
  metrics?: MetricsSink | undefined;
  /**
   * What is answered besides WebSockets, for those who run the server:
   * `/healthz`, `/readyz` and `/metrics`. `{}` answers all three, `false` none.
   *
   * @default {false}
   */
  operations?: OperationsOptions | false | undefined;
  /** Where time comes from. */
  clock?: Clock | undefined;
}

/** {@linkcode WebSocketHandlerOptions} after validation, with the defaults filled in. */
export interface HandlerSettings {
  /** The path that is served. */
  readonly path: string;
  /** Which web pages may connect. */
  readonly allowedOrigins: AllowedOrigins | undefined;
  /** The largest message that is taken, in bytes. */
  readonly maxMessageBytes: number;
  /** The largest message that is sent, in bytes. */
  readonly maxSendBytes: number;
  /** How many connections there may be. */
  readonly maxConnections: number;
  /** How many requests of one connection may be in flight. */
  readonly maxInFlight: number;
  /** Silence after which a client counts as dead, in milliseconds. */
  readonly heartbeatTimeout: number | false;
  /** How sessions are kept; `undefined` keeps none. */
  readonly session: SessionSettings | undefined;
  /** Who the server is, for clients that keep sessions. */
  readonly server: EndName | undefined;
  /** Whom a connection belongs to. */
  readonly principalOf: ((request: RequestSnapshot) => string | undefined) | undefined;
  /** Told what happens. */
  readonly logger: Logger | undefined;
  /** Told of failures. */
  readonly onError: ((error: Error) => void) | undefined;
  /** Told of what is counted. */
  readonly metrics: MetricsSink | undefined;
  /** What is answered besides; `undefined` answers nothing. */
  readonly operations: OperationsSettings | undefined;
  /** Where time comes from. */
  readonly clock: Clock;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @param options What the caller asked for.
 * @param server Who the server is, where that is known.
 * @returns The settings.
 * @throws {TypeError} If an option is of the wrong type or shape.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveHandlerOptions(
  options: WebSocketHandlerOptions,
  server?: EndName,
): HandlerSettings {
  const {
    path = "/mcp",
    allowedOrigins,
    maxMessageBytes = 10 * 1024 * 1024,
    maxSendBytes = 64 * 1024 * 1024,
    maxConnections = 10_000,
    maxInFlight = 16_384,
    heartbeatTimeout = 30_000,
    session = {},
    principalOf,
    logger,
    onError,
    metrics,
    operations = false,
    clock = systemClock,
  } = options;
  checkPath("path", path);
  checkOrigins(allowedOrigins);
  checkCount("maxMessageBytes", maxMessageBytes);
  checkCount("maxSendBytes", maxSendBytes);
  checkCount("maxConnections", maxConnections);
  checkCount("maxInFlight", maxInFlight);
  checkHeartbeat(heartbeatTimeout);
  checkFunction("onError", onError);
  checkFunction("principalOf", principalOf);
  for (const method of ["add", "record"] as const) {
    if (metrics !== undefined) checkMethod(`metrics.${method}`, metrics[method]);
  }
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (logger !== undefined) checkMethod(`logger.${level}`, logger[level]);
  }
  return {
    path,
    allowedOrigins,
    maxMessageBytes,
    maxSendBytes,
    maxConnections,
    maxInFlight,
    heartbeatTimeout,
    session: session === false
      ? undefined
      : resolveSessionOptions(session, maxMessageBytes, checkCount, checkPositive),
    server,
    principalOf,
    logger,
    onError,
    metrics,
    operations: operations === false
      ? undefined
      : resolveOperationsOptions(operations, path, checkPath),
    clock,
  };
}

function fault(option: string, rule: string, value: unknown): string {
  return `Cannot create handler as "${option}" must be ${rule}: current value is ${value}`;
}

function checkPath(option: string, path: string): void {
  const isPath = typeof path === "string" &&
    URL.parse(path, "http://host")?.pathname === path;
  if (isPath) return;
  const rule = 'a path that starts with "/", without query and fragment';
  throw new TypeError(fault(option, rule, JSON.stringify(path)));
}

function checkOrigins(allowed: AllowedOrigins | undefined): void {
  if (allowed === undefined || typeof allowed === "function") return;
  if (!Array.isArray(allowed)) {
    const rule = "a list of origins or a function";
    throw new TypeError(fault("allowedOrigins", rule, JSON.stringify(allowed)));
  }
  for (const origin of allowed) {
    if (typeof origin === "string" && isOrigin(origin)) continue;
    const rule = 'made of origins such as "https://app.example.com"';
    throw new TypeError(fault("allowedOrigins", rule, JSON.stringify(origin)));
  }
}

function checkCount(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(fault(option, "a positive integer", value));
}

/**
 * Checks a duration that has a default.
 *
 * @param option The name of the option.
 * @param value A duration, in milliseconds.
 * @throws {RangeError} If it is given and not a positive number.
 */
export function checkPositive(option: string, value: number | undefined): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return;
  throw new RangeError(fault(option, "a positive number", value));
}

/** Deno closes every socket at once when it is given a negative timeout. */
function checkHeartbeat(value: number | false): void {
  if (value === false || (Number.isFinite(value) && value > 0)) return;
  throw new RangeError(
    fault("heartbeatTimeout", "a positive number or false", value),
  );
}

function checkFunction(option: string, value: unknown): void {
  if (value !== undefined) checkMethod(option, value);
}

function checkMethod(option: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new TypeError(fault(option, "a function", typeof value));
}
