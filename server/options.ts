import { type Clock, systemClock } from "../protocol/clock.ts";
import { MAX_BATCH } from "../protocol/batch.ts";
import { DEEPEST, MAX_DEPTH } from "../protocol/nesting.ts";
import type { Logger } from "../protocol/transport.ts";
import type { AdmissionOptions } from "./admission.ts";
import type { AuthOptions } from "./auth/gate.ts";
import type { TrustedProxies } from "./client_address.ts";
import { type AllowedHosts, isHost } from "./host_check.ts";
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
import {
  resolveSubscriptionLimits,
  type SubscriptionBounds,
  type SubscriptionLimits,
} from "./topics.ts";
import type { RateOptions } from "./traffic_limit.ts";

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
   * Under which hosts the server may be reached: names or addresses, with a
   * port or for any port, or a function that is asked for each host. This
   * machine's own, and the address it listens on, always may. A request for
   * another host is refused with 403: a page whose name was made to point here
   * (DNS rebinding) is told apart by nothing else. A server behind a public
   * name lists that name.
   */
  allowedHosts?: AllowedHosts | undefined;
  /**
   * Who may connect. Without it everybody may who can reach the server, and
   * `start()` listens on this machine alone.
   */
  auth?: AuthOptions | undefined;
  /**
   * How many may come in from one address and in all, and how fast; `false`
   * does not count.
   */
  admission?: AdmissionOptions | false | undefined;
  /**
   * Proxies that are believed when they say for whom they connect. By default
   * none is: every header can be written by anybody.
   */
  trustedProxies?: TrustedProxies | undefined;
  /**
   * Opens the WebSocket also for clients that are refused, to tell them why by
   * a close code: web pages cannot see the status of a failed upgrade. It
   * concerns credentials and room; rates are told with the status alone.
   *
   * @default {false}
   */
  rejectAfterUpgrade?: boolean | undefined;
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
   * How many connections and sessions one principal may have, where clients
   * belong to principals. Resuming a session adds none.
   *
   * @default {5}
   */
  maxConnectionsPerPrincipal?: number | undefined;
  /**
   * How many requests of one connection may be in flight. Above that, they
   * are answered with -32603.
   *
   * @default {16_384}
   */
  maxInFlight?: number | undefined;
  /**
   * How deep arrays and objects may be nested in a message; at most 1,000. A
   * deeper one is answered with -32600, and nobody sees it.
   *
   * @default {64}
   */
  maxDepth?: number | undefined;
  /**
   * How many messages a batch may hold, which clients of revision 2025-03-26
   * may send over plain `mcp`. A larger one is answered with -32600.
   *
   * @default {100}
   */
  maxBatchItems?: number | undefined;
  /**
   * How much one client may send; by default as much as it likes. Above that
   * its connection is closed with 4429. A session goes on when its client comes
   * back, and finds its rates as they were.
   */
  rate?: RateOptions | undefined;
  /** How many topics and resources clients may be subscribed to. */
  subscriptions?: SubscriptionLimits | undefined;
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
   * and each may have a limited number of them. Not beside `auth`, which says
   * it itself.
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

/** Lets everybody in at any rate. */
const UNCOUNTED: AdmissionOptions = {
  maxConnectionsPerAddress: false,
  upgradesPerAddress: false,
  upgrades: false,
  maxUnauthenticated: false,
};

/** {@linkcode WebSocketHandlerOptions} after validation, with the defaults filled in. */
export interface HandlerSettings {
  /** The path that is served. */
  readonly path: string;
  /** Which web pages may connect. */
  readonly allowedOrigins: AllowedOrigins | undefined;
  /** Under which hosts the server may be reached. */
  readonly allowedHosts: AllowedHosts | undefined;
  /** Who may connect. */
  readonly auth: AuthOptions | undefined;
  /** How many may come in, and how fast. */
  readonly admission: AdmissionOptions;
  /** Proxies that are believed. */
  readonly trustedProxies: TrustedProxies | undefined;
  /** Whether clients are told by a close code why they are refused. */
  readonly rejectAfterUpgrade: boolean;
  /** The largest message that is taken, in bytes. */
  readonly maxMessageBytes: number;
  /** The largest message that is sent, in bytes. */
  readonly maxSendBytes: number;
  /** How many connections there may be. */
  readonly maxConnections: number;
  /** How many of them one principal may have. */
  readonly maxConnectionsPerPrincipal: number;
  /** How many requests of one connection may be in flight. */
  readonly maxInFlight: number;
  /** How deep a message may nest. */
  readonly maxDepth: number;
  readonly maxBatchItems: number;
  /** How much one client may send. */
  readonly rate: RateOptions | undefined;
  /** How many topics and resources clients may be subscribed to. */
  readonly subscriptions: SubscriptionBounds;
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
    allowedHosts,
    auth,
    admission = {},
    trustedProxies,
    rejectAfterUpgrade = false,
    maxMessageBytes = 10 * 1024 * 1024,
    maxSendBytes = 64 * 1024 * 1024,
    maxConnections = 10_000,
    maxConnectionsPerPrincipal = 5,
    maxInFlight = 16_384,
    maxDepth = MAX_DEPTH,
    maxBatchItems = MAX_BATCH,
    rate,
    subscriptions = {},
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
  checkHosts(allowedHosts);
  checkCount("maxMessageBytes", maxMessageBytes);
  checkCount("maxSendBytes", maxSendBytes);
  checkCount("maxConnections", maxConnections);
  checkCount("maxConnectionsPerPrincipal", maxConnectionsPerPrincipal);
  checkCount("maxInFlight", maxInFlight);
  checkCount("maxDepth", maxDepth);
  if (maxDepth > DEEPEST) {
    throw new RangeError(fault("maxDepth", `at most ${DEEPEST}`, maxDepth));
  }
  checkCount("maxBatchItems", maxBatchItems);
  checkRate(rate);
  const bounds = resolveSubscriptionLimits(subscriptions);
  for (const name of ["maxPerSession", "maxInAll", "maxLength"] as const) {
    checkCount(`subscriptions.${name}`, bounds[name]);
  }
  checkHeartbeat(heartbeatTimeout);
  checkFunction("onError", onError);
  checkFunction("principalOf", principalOf);
  checkAuth(auth, principalOf);
  for (const method of ["add", "record"] as const) {
    if (metrics !== undefined) checkMethod(`metrics.${method}`, metrics[method]);
  }
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (logger !== undefined) checkMethod(`logger.${level}`, logger[level]);
  }
  return {
    path,
    allowedOrigins,
    allowedHosts,
    auth,
    admission: admission === false ? UNCOUNTED : admission,
    trustedProxies,
    rejectAfterUpgrade,
    maxMessageBytes,
    maxSendBytes,
    maxConnections,
    maxConnectionsPerPrincipal,
    maxInFlight,
    maxDepth,
    maxBatchItems,
    rate,
    subscriptions: bounds,
    heartbeatTimeout,
    session: session === false ? undefined : {
      ...resolveSessionOptions(session, maxMessageBytes, checkCount, checkPositive),
      maxDepth,
      rate,
    },
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

function checkHosts(allowed: AllowedHosts | undefined): void {
  if (allowed === undefined || typeof allowed === "function") return;
  if (!Array.isArray(allowed)) {
    const rule = "a list of hosts or a function";
    throw new TypeError(fault("allowedHosts", rule, JSON.stringify(allowed)));
  }
  for (const host of allowed) {
    if (typeof host === "string" && isHost(host)) continue;
    const rule = 'made of hosts such as "mcp.example.com" or "10.0.0.1:8787"';
    throw new TypeError(fault("allowedHosts", rule, JSON.stringify(host)));
  }
}

/** A connection has one owner: two sources could disagree. */
function checkAuth(auth: AuthOptions | undefined, principalOf: unknown): void {
  if (auth === undefined) return;
  checkMethod("auth.authenticate", auth.authenticate);
  if (principalOf === undefined) return;
  throw new TypeError(
    'Cannot create handler as "principalOf" and "auth" exclude each other: both are given',
  );
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

function checkRate(rate: RateOptions = {}): void {
  for (const name of ["messages", "bytes"] as const) {
    const options = rate[name];
    if (options === undefined) continue;
    checkPositive(`rate.${name}.perSecond`, options.perSecond ?? NaN);
    checkPositive(`rate.${name}.burst`, options.burst);
  }
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
