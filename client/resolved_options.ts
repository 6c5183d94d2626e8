import { MAX_BATCH } from "../protocol/batch.ts";
import { type Clock, systemClock } from "../protocol/clock.ts";
import type { JsonRpcRequest } from "../protocol/jsonrpc.ts";
import { DEEPEST, MAX_DEPTH } from "../protocol/nesting.ts";
import { MAX_PADDING } from "../protocol/padding.ts";
import { isSubprotocol, PLAIN_SUBPROTOCOL, SESSION_SUBPROTOCOL } from "../protocol/subprotocol.ts";
import type { Logger } from "../protocol/transport.ts";
import { type DialLimitOptions, resolveDialLimit } from "./dial_limit.ts";
import { readEnvironment } from "./env.ts";
import type {
  CompressionOptions,
  HeartbeatOptions,
  MutableOptions,
  OfflineAnswer,
  OutboxOptions,
  OverflowPolicy,
  PerformanceHooks,
  Provided,
  ReconnectOptions,
  SessionBufferOptions,
  TokenVia,
  WebSocketClientOptions,
} from "./options.ts";
import type { Padding } from "./padding.ts";
import { resolveUrlPolicy, type UrlPolicy } from "./url_policy_options.ts";

/** Options with everything filled in. */
export interface ResolvedOptions {
  readonly connectTimeout: number;
  readonly reconnect: ReconnectOptions | false;
  readonly heartbeat: HeartbeatOptions | false;
  readonly headers: Provided<Record<string, string>> | undefined;
  readonly token: Provided<string> | undefined;
  readonly tokenVia: TokenVia;
  readonly urlPolicy: UrlPolicy;
  readonly dialLimit: DialLimitOptions | false;
  readonly protocols: readonly string[];
  readonly require: "bowline.v1" | undefined;
  readonly session: SessionBufferOptions;
  readonly compression: CompressionOptions | false;
  readonly maxSendBytes: number;
  readonly maxReceiveBytes: number;
  readonly maxDepth: number;
  readonly maxBatchItems: number;
  readonly padding: Padding;
  readonly maxInFlight: number;
  readonly outbox: OutboxOptions;
  /** What may wait for room in a connection: what is in flight already, more or less. */
  readonly congestion: Omit<OutboxOptions, "maxAge">;
  readonly resend:
    | ((request: JsonRpcRequest, isSafe: boolean) => boolean)
    | undefined;
  readonly offlineResponse: ((request: JsonRpcRequest) => OfflineAnswer | undefined) | undefined;
  readonly statsInterval: number | false;
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

const SESSION: SessionBufferOptions = {
  bufferMessages: 4_096,
  bufferBytes: 4 * 1024 * 1024,
};

const COMPRESSION: CompressionOptions = {
  threshold: 1_024,
  loopback: false,
};

const OUTBOX: OutboxOptions = {
  maxMessages: 1_000,
  maxBytes: 4 * 1024 * 1024,
  maxAge: 60_000,
  overflow: "reject",
};

/** What may wait for room in a connection, in bytes of UTF-8. */
const MAX_CONGESTION = 64 * 1024 * 1024;

const OVERFLOWS: readonly OverflowPolicy[] = ["reject", "drop-oldest", "block"];
const TOKEN_PLACES: readonly TokenVia[] = ["auto", "header", "subprotocol", "message", "ticket"];

/** What other libraries call the switch that must not exist. */
const UNSAFE_OPTIONS: readonly string[] = [
  "rejectUnauthorized",
  "checkServerIdentity",
  "insecure",
  "insecureSkipVerify",
  "verify",
  "strictSSL",
  "unsafelyIgnoreCertificateErrors",
];

/**
 * The options with defaults, checked.
 *
 * @throws {RangeError} If a number is outside its range.
 * @throws {TypeError} If a value has the wrong type or shape.
 */
export function resolveOptions(
  options: WebSocketClientOptions,
): ResolvedOptions {
  checkCertificateOptions(options);
  const { maxInFlight = 16_384, dialLimit = {} } = options;
  const resolved: ResolvedOptions = {
    connectTimeout: options.connectTimeout ?? 30_000,
    reconnect: group(RECONNECT, options.reconnect),
    heartbeat: group(HEARTBEAT, options.heartbeat),
    headers: options.headers,
    token: options.token,
    tokenVia: options.tokenVia ?? "auto",
    urlPolicy: resolveUrlPolicy(options.urlPolicy ?? {}, readEnvironment().mode),
    dialLimit: dialLimit && resolveDialLimit(dialLimit),
    protocols: options.protocols ?? [PLAIN_SUBPROTOCOL, SESSION_SUBPROTOCOL],
    require: options.require,
    session: { ...SESSION, ...options.session },
    compression: group(COMPRESSION, options.compression ?? false),
    maxSendBytes: options.maxSendBytes ?? 1024 * 1024,
    maxReceiveBytes: options.maxReceiveBytes ?? 64 * 1024 * 1024,
    maxDepth: options.maxDepth ?? MAX_DEPTH,
    maxBatchItems: options.maxBatchItems ?? MAX_BATCH,
    padding: options.padding ?? "auto",
    maxInFlight,
    outbox: { ...OUTBOX, ...options.outbox },
    congestion: { maxMessages: maxInFlight, maxBytes: MAX_CONGESTION, overflow: "reject" },
    resend: options.resend,
    offlineResponse: options.offlineResponse,
    statsInterval: options.statsInterval ?? 60_000,
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
    tokenVia: patch.tokenVia ?? options.tokenVia,
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
export const MAX_TIME: number = 2 ** 31 - 1;

function checkOptions(options: ResolvedOptions): void {
  const { reconnect, heartbeat, outbox, compression } = options;
  checkRange("connectTimeout", options.connectTimeout, 1, MAX_TIME);
  checkInteger("maxSendBytes", options.maxSendBytes);
  checkInteger("maxReceiveBytes", options.maxReceiveBytes);
  checkInteger("maxDepth", options.maxDepth);
  checkRange("maxDepth", options.maxDepth, 1, DEEPEST);
  checkInteger("maxInFlight", options.maxInFlight);
  checkInteger("maxBatchItems", options.maxBatchItems);
  if (options.padding !== false && options.padding !== "auto") {
    checkRange("padding", options.padding, 1, MAX_PADDING);
  }
  checkInteger("outbox.maxMessages", outbox.maxMessages);
  checkInteger("outbox.maxBytes", outbox.maxBytes);
  checkRange("outbox.maxAge", outbox.maxAge, 1, MAX_TIME);
  if (!OVERFLOWS.includes(outbox.overflow)) {
    const names = OVERFLOWS.map((name) => `"${name}"`).join(", ");
    const text = `must be one of ${names}: current value is ${JSON.stringify(outbox.overflow)}`;
    throw new TypeError(`Option "outbox.overflow" ${text}`);
  }
  if (options.statsInterval !== false) {
    checkRange("statsInterval", options.statsInterval, 1, MAX_TIME);
  }
  checkInteger("session.bufferMessages", options.session.bufferMessages);
  checkInteger("session.bufferBytes", options.session.bufferBytes);
  if (compression !== false) checkInteger("compression.threshold", compression.threshold);
  checkProtocols(options.protocols);
  checkRequire(options);
  checkToken(options);
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

function checkToken({ token, tokenVia }: ResolvedOptions): void {
  if (!TOKEN_PLACES.includes(tokenVia)) {
    const names = TOKEN_PLACES.map((name) => `"${name}"`).join(", ");
    const text = `must be one of ${names}: current value is ${JSON.stringify(tokenVia)}`;
    throw new TypeError(`Option "tokenVia" ${text}`);
  }
  if (tokenVia !== "ticket" || token === undefined || typeof token === "function") return;
  throw new TypeError(
    'Option "token" must be a function where "tokenVia" is "ticket", as a ticket is used once: ' +
      `current value is a ${typeof token}`,
  );
}

function checkCertificateOptions(options: object): void {
  const name = UNSAFE_OPTIONS.find((name) => Object.hasOwn(options, name));
  if (name === undefined) return;
  throw new TypeError(
    `Cannot use option "${name}" as certificates are always checked: to trust an authority of ` +
      'your own, set option "httpClient" to Deno.createHttpClient({ caCerts: [...] })',
  );
}

function checkRequire({ protocols, require }: ResolvedOptions): void {
  if (require === undefined || protocols.includes(require)) return;
  throw new TypeError(`Cannot require subprotocol "${require}": it is not offered`);
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

/**
 * Checks an option that holds a count.
 *
 * @throws {RangeError} If it is no positive integer.
 */
export function checkInteger(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(
    `Option "${name}" must be a positive integer: current value is ${value}`,
  );
}

/**
 * Checks an option that holds a number.
 *
 * @throws {RangeError} If it is outside its range.
 */
export function checkRange(
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
