import { type Clock, systemClock } from "../protocol/clock.ts";
import type { LossCause } from "../protocol/close_codes.ts";
import type { JsonRpcRequest } from "../protocol/jsonrpc.ts";
import { isSubprotocol, PLAIN_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import type { Logger } from "../protocol/transport.ts";

/** How a lost connection is opened again. */
export interface ReconnectOptions {
  /**
   * Dials in a row that may fail. For ever is `Number.MAX_SAFE_INTEGER`.
   *
   * @default {10}
   */
  readonly attempts: number;
  /**
   * The longest pause after the first failed dial, in milliseconds; the pause
   * itself is random.
   *
   * @default {1_000}
   */
  readonly minDelay: number;
  /**
   * The longest pause after any failed dial, in milliseconds.
   *
   * @default {30_000}
   */
  readonly maxDelay: number;
  /**
   * By how much the pause may grow from dial to dial.
   *
   * @default {2}
   */
  readonly multiplier: number;
  /**
   * How long a connection has to stay up to count as a success, in milliseconds.
   *
   * @default {5_000}
   */
  readonly minUptime: number;
  /**
   * Causes after which the first dial comes within 250 ms.
   *
   * @default {["reset", "timeout", "heartbeat"]}
   */
  readonly immediate: readonly LossCause[];
  /**
   * Whether the very first connection is tried more than once, too.
   *
   * @default {false}
   */
  readonly initial: boolean;
}

/** How a silent peer is found out. */
export interface HeartbeatOptions {
  /**
   * Silence after which the peer is pinged, in milliseconds. The default is
   * below the minute after which common proxies hang up.
   *
   * @default {25_000}
   */
  readonly interval: number;
  /**
   * How long to wait for any sign of life after a ping, in milliseconds.
   *
   * @default {5_000}
   */
  readonly timeout: number;
  /**
   * How many pings in a row may stay unanswered.
   *
   * @default {3}
   */
  readonly maxMissed: number;
  /**
   * Whether a peer of revision 2026-07-28, which knows no `ping`, is asked
   * `server/discover` instead.
   *
   * @default {false}
   */
  readonly discover: boolean;
}

/** What may wait while there is no connection. */
export interface OutboxOptions {
  /**
   * Messages that may wait.
   *
   * @default {1_000}
   */
  readonly maxMessages: number;
  /**
   * Bytes of UTF-8 that may wait.
   *
   * @default {4_194_304}
   */
  readonly maxBytes: number;
  /**
   * How long a message may wait, in milliseconds.
   *
   * @default {60_000}
   */
  readonly maxAge: number;
}

/** What happened to one message, for measuring. */
export interface MessageRecord {
  /** Which way it went. */
  readonly direction: "in" | "out";
  /** Its size, in UTF-16 units of its text. */
  readonly length: number;
}

/** What happened on one dial, for measuring. */
export interface DialRecord {
  /** Whether it led to a usable connection. */
  readonly ok: boolean;
  /** How long it took, in milliseconds. */
  readonly duration: number;
  /** 1 for the first since the connection was lost. */
  readonly attempt: number;
}

/** Called for every message and dial; must not throw, and is reported as an error if it does. */
export interface PerformanceHooks {
  /** Called for every message. */
  readonly onMessage?: ((record: MessageRecord) => void) | undefined;
  /** Called for every dial. */
  readonly onDial?: ((record: DialRecord) => void) | undefined;
}

/** A value, or what gives it before every dial. */
export type Provided<T> = T | (() => T | Promise<T>);

/** Options that may change while the transport runs. */
export interface MutableOptions {
  /**
   * Time to open a connection, in milliseconds.
   *
   * @default {30_000}
   */
  connectTimeout?: number | undefined;
  /** How a lost connection is opened again; `false` never does. */
  reconnect?: Partial<ReconnectOptions> | false | undefined;
  /** How a silent peer is found out; `false` never does. */
  heartbeat?: Partial<HeartbeatOptions> | false | undefined;
  /** Headers to send with every dial. Browsers cannot. */
  headers?: Provided<Record<string, string>> | undefined;
  /**
   * A bearer token: sent as `Authorization` header, where the runtime can, else
   * as subprotocol `mcp.auth.<token>`.
   */
  token?: Provided<string> | undefined;
}

/** Options of {@linkcode WebSocketClientTransport}. */
export interface WebSocketClientOptions extends MutableOptions {
  /**
   * Subprotocols to offer, the preferred one first. `[]` offers none, which
   * some servers need.
   *
   * @default {["mcp"]}
   */
  readonly protocols?: readonly string[] | undefined;
  /**
   * The largest message that is sent, in bytes of UTF-8.
   *
   * @default {1_048_576}
   */
  readonly maxSendBytes?: number | undefined;
  /**
   * The largest message that is taken, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  readonly maxReceiveBytes?: number | undefined;
  /**
   * Requests that may be in flight.
   *
   * @default {16_384}
   */
  readonly maxInFlight?: number | undefined;
  /** What may wait while there is no connection. */
  readonly outbox?: Partial<OutboxOptions> | undefined;
  /**
   * Decides whether a request that may have been acted on is sent again after
   * its connection was lost. By default what only reads is, and what says
   * `retry: true`.
   *
   * @param request The request.
   * @param isSafe What the default says.
   */
  readonly resend?:
    | ((request: JsonRpcRequest, isSafe: boolean) => boolean)
    | undefined;
  /** A `Deno.HttpClient` with certificates or a proxy. Deno only. */
  readonly httpClient?: unknown;
  /** Told what happens; never told a secret or a message. */
  readonly logger?: Logger | undefined;
  /** Called for every message and dial. */
  readonly hooks?: PerformanceHooks | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly connectTimeout: number;
  readonly reconnect: ReconnectOptions | false;
  readonly heartbeat: HeartbeatOptions | false;
  readonly headers: Provided<Record<string, string>> | undefined;
  readonly token: Provided<string> | undefined;
  readonly protocols: readonly string[];
  readonly maxSendBytes: number;
  readonly maxReceiveBytes: number;
  readonly maxInFlight: number;
  readonly outbox: OutboxOptions;
  readonly resend:
    | ((request: JsonRpcRequest, isSafe: boolean) => boolean)
    | undefined;
  readonly httpClient: unknown;
  readonly logger: Logger | undefined;
  readonly hooks: PerformanceHooks;
  readonly clock: Clock;
}

const RECONNECT: ReconnectOptions = {
  attempts: 10,
  minDelay: 1_000,
  maxDelay: 30_000,
  multiplier: 2,
  minUptime: 5_000,
  immediate: ["reset", "timeout", "heartbeat"],
  initial: false,
};

const HEARTBEAT: HeartbeatOptions = {
  interval: 25_000,
  timeout: 5_000,
  maxMissed: 3,
  discover: false,
};

const OUTBOX: OutboxOptions = {
  maxMessages: 1_000,
  maxBytes: 4 * 1024 * 1024,
  maxAge: 60_000,
};

/**
 * The options with defaults, checked.
 *
 * @throws {RangeError} If a number is outside its range.
 * @throws {TypeError} If a value has the wrong type or shape.
 */
export function resolveOptions(
  options: WebSocketClientOptions,
): ResolvedOptions {
  const resolved: ResolvedOptions = {
    connectTimeout: options.connectTimeout ?? 30_000,
    reconnect: group(RECONNECT, options.reconnect),
    heartbeat: group(HEARTBEAT, options.heartbeat),
    headers: options.headers,
    token: options.token,
    protocols: options.protocols ?? [PLAIN_SUBPROTOCOL],
    maxSendBytes: options.maxSendBytes ?? 1024 * 1024,
    maxReceiveBytes: options.maxReceiveBytes ?? 64 * 1024 * 1024,
    maxInFlight: options.maxInFlight ?? 16_384,
    outbox: { ...OUTBOX, ...options.outbox },
    resend: options.resend,
    httpClient: options.httpClient,
    logger: options.logger,
    hooks: options.hooks ?? {},
    clock: options.clock ?? systemClock,
  };
  checkOptions(resolved);
  return resolved;
}

/** The options after a change; groups are merged, the rest is replaced. */
export function patchOptions(
  options: ResolvedOptions,
  patch: MutableOptions,
): ResolvedOptions {
  const { connectTimeout, reconnect, heartbeat } = patch;
  const patched: ResolvedOptions = {
    ...options,
    connectTimeout: connectTimeout ?? options.connectTimeout,
    reconnect: group(
      options.reconnect || RECONNECT,
      reconnect ?? options.reconnect,
    ),
    heartbeat: group(
      options.heartbeat || HEARTBEAT,
      heartbeat ?? options.heartbeat,
    ),
    headers: "headers" in patch ? patch.headers : options.headers,
    token: "token" in patch ? patch.token : options.token,
  };
  checkOptions(patched);
  return patched;
}

function group<T extends object>(
  defaults: T,
  given: Partial<T> | false | undefined,
): T | false {
  return given === false ? false : { ...defaults, ...given };
}

/** The longest time a timer can hold, in milliseconds. */
const MAX_TIME = 2 ** 31 - 1;

function checkOptions(options: ResolvedOptions): void {
  const { reconnect, heartbeat, outbox } = options;
  checkRange("connectTimeout", options.connectTimeout, 1, MAX_TIME);
  checkInteger("maxSendBytes", options.maxSendBytes);
  checkInteger("maxReceiveBytes", options.maxReceiveBytes);
  checkInteger("maxInFlight", options.maxInFlight);
  checkInteger("outbox.maxMessages", outbox.maxMessages);
  checkInteger("outbox.maxBytes", outbox.maxBytes);
  checkRange("outbox.maxAge", outbox.maxAge, 1, MAX_TIME);
  checkProtocols(options.protocols);
  if (reconnect !== false) {
    checkInteger("reconnect.attempts", reconnect.attempts);
    checkRange("reconnect.maxDelay", reconnect.maxDelay, 1, MAX_TIME);
    checkRange("reconnect.minDelay", reconnect.minDelay, 0, reconnect.maxDelay);
    checkRange("reconnect.multiplier", reconnect.multiplier, 1, 1_000);
    checkRange("reconnect.minUptime", reconnect.minUptime, 0, MAX_TIME);
  }
  if (heartbeat !== false) {
    checkRange("heartbeat.interval", heartbeat.interval, 1, MAX_TIME);
    checkRange("heartbeat.timeout", heartbeat.timeout, 1, MAX_TIME);
    checkInteger("heartbeat.maxMissed", heartbeat.maxMissed);
  }
}

function checkProtocols(protocols: readonly string[]): void {
  for (const [index, entry] of protocols.entries()) {
    const isToken = isSubprotocol(entry);
    if (isToken && protocols.indexOf(entry) === index) continue;
    const fault = isToken ? "it is offered twice" : "it is no token";
    throw new TypeError(`Cannot offer subprotocol "${entry}": ${fault}`);
  }
}

/**
 * Checks an option that holds a time.
 *
 * @throws {RangeError} If it is given, and no timer can hold it.
 */
export function checkTime(name: string, value: number | undefined): void {
  if (value !== undefined) checkRange(name, value, 1, MAX_TIME);
}

function checkInteger(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(
    `Option "${name}" must be a positive integer: current value is ${value}`,
  );
}

function checkRange(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (value >= min && value <= max) return;
  throw new RangeError(
    `Option "${name}" must be between ${min} and ${max}: current value is ${value}`,
  );
}
