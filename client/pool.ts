import type { RequestContext } from "../protocol/inbound.ts";
import type { JsonRpcNotification, JsonRpcParams } from "../protocol/jsonrpc.ts";
import type { McpClientMethods, McpMethods } from "../protocol/mcp_types.ts";
import type {
  CustomMethod,
  HandlerParams,
  MethodTable,
  RequestArguments,
  ResultOf,
} from "../protocol/methods.ts";
import type { NotifyOptions } from "../protocol/peer_options.ts";
import type { MessageExtra } from "../protocol/transport.ts";
import { MCPWebSocketClient } from "./client.ts";
import type { ConnectionState } from "./connection.ts";
import { type BaseEvents, TypedEventTarget } from "./events.ts";
import type { HealthCheckOptions } from "./health.ts";
import { downError, notConnectedError } from "./pool/errors.ts";
import { Fleet } from "./pool/fleet.ts";
import { membersOf } from "./pool/group.ts";
import { checkPoolHealth, type PoolHealthReport } from "./pool/health.ts";
import type { Member } from "./pool/member.ts";
import {
  checkCount,
  type DrainOptions,
  type MCPWebSocketPoolOptions,
  type PoolAddOptions,
  type PoolConnectOptions,
  type PoolLane,
  type PoolRequestOptions,
  type ResolvedPoolOptions,
  resolvePoolOptions,
} from "./pool/options.ts";
import { Router } from "./pool/router.ts";
import { isBound } from "./pool/safety.ts";
import { addTotals, emptyTotals, type PoolStats, summarizeStats } from "./pool/stats.ts";

/** The events of {@linkcode MCPWebSocketPool}. */
export interface PoolEvents extends BaseEvents {
  /** The state of one of its connections changed. */
  statechange: {
    /** What its endpoint is called: without credentials and query. */
    readonly endpoint: string;
    /** The requests that it takes. */
    readonly lane: PoolLane;
    /** Its state. */
    readonly state: ConnectionState;
    /** The state before. */
    readonly previous: ConnectionState;
  };
}

/**
 * Several connections to one or more endpoints, for callers with many requests
 * that do not depend on each other. Each connection is an MCP session of its own.
 *
 * @typeParam Methods The methods of the servers, by default MCP's.
 *
 * @example Spread requests over two servers
 * ```ts
 * import { MCPWebSocketPool } from "@bowline/mcp-websocket/client";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using east = new MCPWebSocketServer({ name: "east", version: "1.0.0" });
 * await using west = new MCPWebSocketServer({ name: "west", version: "1.0.0" });
 * for (const server of [east, west]) server.handle("tools/list", () => ({ tools: [] }));
 * const endpoints = [(await east.start({ port: 0 })).url, (await west.start({ port: 0 })).url];
 *
 * await using pool = new MCPWebSocketPool(endpoints, { size: 2 });
 * await pool.connect({ minConnections: 4 });
 * await Promise.all(Array.from({ length: 100 }, () => pool.request("tools/list")));
 * assertEquals(pool.getStats().requestsSettled, 100);
 * ```
 */
export class MCPWebSocketPool<
  Methods extends MethodTable<Methods> = McpMethods,
> extends TypedEventTarget<PoolEvents> implements AsyncDisposable {
  readonly #options: ResolvedPoolOptions;
  readonly #fleet: Fleet;
  readonly #router: Router;
  /** What was registered, by what it is for. */
  readonly #handlers = new Map<string, (client: MCPWebSocketClient) => void>();
  readonly #retired = emptyTotals();

  /**
   * Makes a pool that is not connected yet.
   *
   * @param endpoints Where to, `ws:` or `wss:`, one or several.
   * @param options Sizes, bounds, and the options of each connection.
   * @throws {SyntaxError} If a URL is malformed.
   * @throws {TypeError} If one is no WebSocket URL, holds credentials, or is there twice.
   * @throws {RangeError} If an option is outside its range.
   * @throws {UrlPolicyError} If a URL may not be dialled.
   */
  constructor(
    endpoints: string | URL | readonly (string | URL)[],
    options: MCPWebSocketPoolOptions = {},
  ) {
    super();
    this.#options = resolvePoolOptions(options);
    this.#fleet = new Fleet({
      options: this.#options,
      createClient: (...where) => this.#createClient(...where),
      onUsable: (member) => this.#router.usable(member),
      onStranded: (member) => this.#router.rescue(member),
      onNoLarge: (reason) => this.#router.failLarge(reason),
      onRetired: ({ client }) => addTotals(this.#retired, client.getStats()),
    });
    this.#router = new Router(this.#options, this.#fleet);
    for (const endpoint of isList(endpoints) ? endpoints : [endpoints]) {
      this.#fleet.enlist(endpoint);
    }
  }

  /** Whether a request would find a usable connection. */
  get isUsable(): boolean {
    return this.#fleet.isOpen && this.#fleet.isUp;
  }

  /** The endpoints in rotation: without credentials and query. */
  get endpoints(): string[] {
    return this.#fleet.endpoints;
  }

  /**
   * The connections, without those for large requests: for what belongs to one
   * session, such as subscriptions.
   */
  get clients(): MCPWebSocketClient<Methods>[] {
    // The table of methods is a matter of types alone.
    return this.#fleet.lanes.small.members.map(({ client }) => {
      return client as unknown as MCPWebSocketClient<Methods>;
    });
  }

  /**
   * Opens the connections, and MCP on each. After `close()` it can be called again.
   *
   * @param options How many are enough, and a signal that gives up.
   * @throws {TypeError} If the pool is connected.
   * @throws {RangeError} If `minConnections` is more than there are.
   * @throws {MCPConnectionError} If too few can be opened; all are closed then.
   * @throws The signal's reason, if it aborts.
   */
  async connect(options: PoolConnectOptions = {}): Promise<void> {
    const { minConnections = 1, signal } = options;
    if (this.#fleet.isOpen) throw new TypeError("Cannot connect pool: it is connected");
    checkCount("minConnections", minConnections);
    const { length } = this.#fleet.lanes.small.members;
    if (minConnections > length) {
      const text = `must be at most ${length}: current value is ${minConnections}`;
      throw new RangeError(`Option "minConnections" ${text}`);
    }
    signal?.throwIfAborted();
    try {
      await this.#fleet.open(minConnections, signal);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Sends a request over the connection with the fewest requests in flight, and
   * waits for its answer. If that connection is lost, it is sent over another
   * one, unless it may have been carried out and must not be twice.
   *
   * @typeParam Name The method.
   * @param method The method.
   * @param args Its parameters, and limits, a signal, a listener for progress, a lane.
   * @returns The result.
   * @throws {TypeError} If the method belongs to one session: `resources/subscribe`,
   * `resources/unsubscribe`, `logging/setLevel`, `initialize`.
   * @throws {MCPRpcError} If the server answered with an error.
   * @throws {MCPTimeoutError} If it did not answer in time; the server is told to stop.
   * @throws {MCPConnectionError} If no connection is usable, or it was lost; `outcome`
   * says whether the request may have been carried out.
   * @throws {MCPCapacityError} If all connections are full, or too many requests wait for one.
   */
  request<Name extends keyof Methods & string>(
    method: Name,
    ...args: RequestArguments<Methods[Name], PoolRequestOptions>
  ): Promise<ResultOf<Methods[Name]>>;
  /**
   * Sends a request of a method that is not in the table.
   *
   * @typeParam Result What it gives; it is not checked.
   * @param method The method.
   * @param params Its parameters.
   * @param options Limits, a signal, a listener for progress, a lane.
   */
  request<Result = unknown, Name extends string = string>(
    method: Name & CustomMethod<Name, Methods>,
    params?: object,
    options?: PoolRequestOptions,
  ): Promise<Result>;
  request(method: string, ...args: unknown[]): Promise<unknown> {
    const [params, options] = args as [JsonRpcParams?, PoolRequestOptions?];
    if (isBound(method)) return Promise.reject(boundError(method));
    return this.#router.request(method, params, options);
  }

  /**
   * Sends a notification over every usable connection: each is a session that
   * has to hear it. Those that are opened or opened again later do not.
   *
   * @param method The method.
   * @param params Its parameters.
   * @param options A signal that stops waiting, and whether to wait until the
   * servers' applications have it, for how long.
   * @throws {MCPConnectionError} If no connection is usable.
   * @throws What one of the connections throws.
   */
  async notify(method: string, params?: JsonRpcParams, options?: NotifyOptions): Promise<void> {
    const what = `notification "${method}"`;
    if (!this.#fleet.isOpen) throw notConnectedError(what);
    const usable = this.#fleet.members.filter(({ client }) => client.isInitialized);
    if (usable.length === 0) throw downError(what, this.#fleet);
    await Promise.all(usable.map(({ client }) => client.notify(method, params, options)));
  }

  /**
   * Answers what any server asks; a second handler of a method replaces the
   * first. The answer goes back over the connection that the request came over.
   *
   * @typeParam Name The method.
   * @param method The method.
   * @param handler Returns the result, or throws {@linkcode MCPRpcError}.
   */
  handle<Name extends keyof McpClientMethods>(
    method: Name,
    handler: (
      params: HandlerParams<McpClientMethods[Name]>,
      context: RequestContext,
    ) =>
      | ResultOf<McpClientMethods[Name]>
      | Promise<ResultOf<McpClientMethods[Name]>>,
  ): void;
  /**
   * Answers a method that is not in the table.
   *
   * @param method The method.
   * @param handler Returns the result, an object, or throws {@linkcode MCPRpcError}.
   */
  handle<Name extends string>(
    method: Name & CustomMethod<Name, McpClientMethods>,
    handler: (params: JsonRpcParams, context: RequestContext) => unknown,
  ): void;
  handle(method: string, handler: (params: never, context: RequestContext) => unknown): void {
    const answer = handler as (params: JsonRpcParams, context: RequestContext) => unknown;
    this.#register(`request ${method}`, (client) => client.handle(method, answer));
  }

  /**
   * Hears one kind of notification from every connection, so the same news may
   * come from each; a second handler replaces the first.
   */
  onNotification(
    method: string,
    handler: (params: JsonRpcParams, extra?: MessageExtra) => unknown,
  ): void {
    this.#register(`notification ${method}`, (client) => client.onNotification(method, handler));
  }

  /** Hears every notification that has no handler of its own, from every connection. */
  onAnyNotification(handler: (notification: JsonRpcNotification) => unknown): void {
    this.#register("any notification", (client) => client.onAnyNotification(handler));
  }

  /**
   * Takes an endpoint in. If the pool is connected, its connections are opened.
   *
   * @param endpoint Where to, `ws:` or `wss:`.
   * @param options A signal that gives up.
   * @returns Resolves when one of its connections is usable.
   * @throws {TypeError} If it is there already, or no WebSocket URL.
   * @throws {MCPConnectionError} If none can be opened; it is taken out again.
   * @throws The signal's reason, if it aborts.
   */
  async add(endpoint: string | URL, options: PoolAddOptions = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    const group = this.#fleet.enlist(endpoint);
    if (!this.#fleet.isOpen) return;
    try {
      await this.#fleet.openGroup(group, signal);
    } catch (error) {
      this.#fleet.withdraw(group);
      await this.#fleet.retire(group);
      throw error;
    }
  }

  /**
   * Takes an endpoint out: it gets no requests any more, what is in flight is
   * waited for, then its connections are closed.
   *
   * @param endpoint Which; by default all, and the pool is closed.
   * @param options A signal that stops waiting.
   * @throws {TypeError} If the endpoint is not there.
   * @throws The signal's reason, if it aborts; the connections are closed nevertheless.
   */
  async drain(endpoint?: string | URL, options: DrainOptions = {}): Promise<void> {
    const { signal } = options;
    if (endpoint === undefined) return await this.#drainAll(signal);
    const group = this.#fleet.find(endpoint);
    this.#fleet.withdraw(group);
    try {
      await this.#empty(membersOf(group), signal);
    } finally {
      await this.#fleet.retire(group);
    }
  }

  /** Ends all connections; requests in flight are rejected. Closing twice is fine. */
  async close(): Promise<void> {
    this.#fleet.seal();
    this.#router.close();
    await this.#fleet.close();
  }

  /** Ends all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The numbers as they are now: of all connections together, and of each. */
  getStats(): PoolStats {
    const { members, lanes } = this.#fleet;
    const usable = lanes.small.usable + lanes.large.usable;
    return summarizeStats(members, this.#retired, this.#router.stats, usable);
  }

  /**
   * Asks every connection how it does, all at once, see
   * {@linkcode MCPWebSocketClient.healthCheck}.
   *
   * @param options How long the servers may take, and a signal.
   * @throws {RangeError} If `timeout` is none.
   * @throws The signal's reason, if it aborts.
   */
  async healthCheck(options: HealthCheckOptions = {}): Promise<PoolHealthReport> {
    return await checkPoolHealth(this.#fleet.members, options);
  }

  async #drainAll(signal: AbortSignal | undefined): Promise<void> {
    this.#fleet.seal();
    this.#router.close();
    try {
      await this.#empty(this.#fleet.members, signal);
    } finally {
      await this.close();
    }
  }

  /** Waits until nothing is in flight over these connections. */
  async #empty(members: readonly Member[], signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    for (const member of members) this.#router.dismiss(member);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#fleet.idle(members), aborted.promise]);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #register(what: string, apply: (client: MCPWebSocketClient) => void): void {
    this.#handlers.set(what, apply);
    for (const { client } of this.#fleet.members) apply(client);
  }

  #createClient(url: string, endpoint: string, lane: PoolLane): MCPWebSocketClient {
    // What may be repeated is not for a lost connection to wait with.
    const options = { ...this.#options.clientOptions, resend: () => false };
    const client = new MCPWebSocketClient(url, options);
    for (const apply of this.#handlers.values()) apply(client);
    client.addEventListener("statechange", ({ detail }) => {
      this.emit("statechange", { endpoint, lane, ...detail });
    });
    client.addEventListener("error", ({ detail: { error, context } }) => {
      this.emit("error", { error, context: `${endpoint}: ${context}` });
    });
    return client;
  }
}

function isList(
  endpoints: string | URL | readonly (string | URL)[],
): endpoints is readonly (string | URL)[] {
  return Array.isArray(endpoints);
}

function boundError(method: string): TypeError {
  return new TypeError(
    `Cannot send "${method}" through a pool as it belongs to one session: use one of "clients"`,
  );
}
