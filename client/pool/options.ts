import type { RequestOptions } from "../../protocol/peer_options.ts";
import type { MCPWebSocketClientOptions } from "../client_options.ts";
import { checkTime, type ResolvedOptions, resolveOptions } from "../resolved_options.ts";

/**
 * Which connections a request may take: those for all, or those for large
 * requests only, where it delays no small one.
 */
export type PoolLane = "small" | "large";

/** What a request meets when no connection is usable: an error at once, or a wait. */
export type WhenDown = "reject" | "wait";

/** Options of each connection of a pool: it answers nothing without a server. */
export type PoolClientOptions = Omit<MCPWebSocketClientOptions, "offlineResponse">;

/** Options of {@linkcode MCPWebSocketPool}. */
export interface MCPWebSocketPoolOptions {
  /**
   * Connections to each endpoint; the one for large requests comes on top.
   * A server may allow one principal only a few: ours five by default.
   *
   * @default {2}
   */
  readonly size?: number | undefined;
  /**
   * Options of each connection. `resend` decides what may move to another
   * connection after a loss; a `token` function is asked for each.
   */
  readonly clientOptions?: PoolClientOptions | undefined;
  /**
   * Requests that one connection may have in flight.
   *
   * @default {1_024}
   */
  readonly maxPendingPerConnection?: number | undefined;
  /**
   * Requests whose parameters are larger go over a connection of their own,
   * which each endpoint gets on demand. About bytes: the lengths of strings are
   * added up, as to measure exactly is to serialise twice. `false` sends all
   * over the same connections.
   *
   * @default {65_536}
   */
  readonly largeRequestBytes?: number | false | undefined;
  /**
   * How long a connection for large requests may have nothing to do before it is
   * closed, in milliseconds.
   *
   * @default {30_000}
   */
  readonly largeIdleTimeout?: number | undefined;
  /**
   * How long a lost session may take to go on before requests in flight in it
   * that may run twice are sent to another connection, in milliseconds.
   *
   * @default {1_000}
   */
  readonly failoverDelay?: number | undefined;
  /**
   * What a request meets when no connection is usable.
   *
   * @default {"reject"}
   */
  readonly whenDown?: WhenDown | undefined;
  /**
   * Requests that may wait for a connection.
   *
   * @default {1_000}
   */
  readonly maxWaiting?: number | undefined;
  /**
   * How long a request may wait for a connection, in milliseconds.
   *
   * @default {10_000}
   */
  readonly maxWait?: number | undefined;
}

/** Options of one request of a pool. */
export interface PoolRequestOptions extends RequestOptions {
  /**
   * Which connections it may take. By default the size of its parameters
   * decides; only the caller knows that its result will be large.
   */
  lane?: PoolLane | undefined;
}

/** Options of {@linkcode MCPWebSocketPool.connect}. */
export interface PoolConnectOptions {
  /**
   * How many connections must be usable; the others go on opening.
   *
   * @default {1}
   */
  readonly minConnections?: number | undefined;
  /** Gives up connecting, and closes the pool. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode MCPWebSocketPool.add}. */
export interface PoolAddOptions {
  /** Gives up, and takes the endpoint out again. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode MCPWebSocketPool.drain}. */
export interface DrainOptions {
  /** Waits no longer: what is in flight is rejected, or moves where that is safe. */
  readonly signal?: AbortSignal | undefined;
}

/** Options with everything filled in. */
export interface ResolvedPoolOptions {
  readonly size: number;
  readonly clientOptions: PoolClientOptions;
  /** The options of each connection, with everything filled in. */
  readonly client: ResolvedOptions;
  readonly maxPending: number;
  readonly largeRequestBytes: number;
  readonly largeIdleTimeout: number;
  readonly failoverDelay: number;
  readonly whenDown: WhenDown;
  readonly maxWaiting: number;
  readonly maxWait: number;
}

/**
 * The options with defaults, checked.
 *
 * @throws {RangeError} If a number is outside its range.
 * @throws {TypeError} If a value has the wrong type or shape.
 */
export function resolvePoolOptions(options: MCPWebSocketPoolOptions): ResolvedPoolOptions {
  const { size = 2, maxPendingPerConnection = 1_024, maxWaiting = 1_000 } = options;
  const { clientOptions = {}, largeRequestBytes = 65_536, whenDown = "reject" } = options;
  const { largeIdleTimeout = 30_000, failoverDelay = 1_000, maxWait = 10_000 } = options;
  checkCount("size", size);
  checkCount("maxPendingPerConnection", maxPendingPerConnection);
  checkCount("maxWaiting", maxWaiting);
  if (largeRequestBytes !== false) checkCount("largeRequestBytes", largeRequestBytes);
  checkTime("largeIdleTimeout", largeIdleTimeout);
  checkTime("failoverDelay", failoverDelay);
  checkTime("maxWait", maxWait);
  if (whenDown !== "reject" && whenDown !== "wait") {
    const text = `must be "reject" or "wait": current value is ${JSON.stringify(whenDown)}`;
    throw new TypeError(`Option "whenDown" ${text}`);
  }
  return {
    size,
    clientOptions,
    client: resolveOptions(clientOptions),
    maxPending: maxPendingPerConnection,
    largeRequestBytes: largeRequestBytes === false ? Infinity : largeRequestBytes,
    largeIdleTimeout,
    failoverDelay,
    whenDown,
    maxWaiting,
    maxWait,
  };
}

/**
 * Checks an option that holds a number of things.
 *
 * @throws {RangeError} If it is no positive integer.
 */
export function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(`Option "${name}" must be a positive integer: current value is ${value}`);
}
