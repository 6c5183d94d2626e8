import { systemClock } from "../protocol/clock.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import type { JsonRpcMessage, JsonRpcNotification, JsonRpcParams } from "../protocol/jsonrpc.ts";
import type { RequestContext } from "../protocol/inbound.ts";
import { CANCELLED, type Era, PING, stampRequest } from "../protocol/mcp.ts";
import type {
  Capabilities,
  Implementation,
  McpClientMethods,
  McpMethods,
} from "../protocol/mcp_types.ts";
import type {
  CustomMethod,
  HandlerParams,
  MethodTable,
  RequestArguments,
  ResultOf,
} from "../protocol/methods.ts";
import { JsonRpcPeer } from "../protocol/peer.ts";
import type { NotifyOptions, RequestOptions } from "../protocol/peer_options.ts";
import type { MessageExtra, SendOptions } from "../protocol/transport.ts";
import { type Batch, type BatchedSendOptions, OpenBatch } from "./batch.ts";
import { BatchCollector } from "./batch_collector.ts";
import { type BatchOptions, resolveBatchOptions } from "./batch_options.ts";
import type {
  ClientEvents,
  ClientState,
  ClientStats,
  MCPWebSocketClientOptions,
  MCPWebSocketClientPatch,
} from "./client_options.ts";
import { type ConnectionEvent, TypedEventTarget } from "./events.ts";
import type { HealthCheckOptions, HealthReport } from "./health.ts";
import { openConversation, type Opening } from "./opening.ts";
import type { AuthenticateOptions, ConnectOptions } from "./options.ts";
import { checkTime } from "./resolved_options.ts";
import { WebSocketClientTransport } from "./transport.ts";
import type { TransportEvents } from "./transport_events.ts";

/**
 * An MCP client over WebSocket without an SDK: typed requests, handlers for
 * what the server asks, and a connection that comes back by itself.
 *
 * @typeParam Methods The methods of the server, by default MCP's.
 *
 * @example Call a tool
 * ```ts
 * import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new MCPWebSocketServer({ name: "adder", version: "1.0.0" });
 * server.handle("tools/call", ({ arguments: { a, b } = {} }) => ({
 *   content: [{ type: "text", text: String(Number(a) + Number(b)) }],
 * }));
 * const { url } = await server.start({ port: 0 });
 *
 * await using client = new MCPWebSocketClient(url);
 * await client.connect();
 * const { content } = await client.request("tools/call", {
 *   name: "add",
 *   arguments: { a: 2, b: 3 },
 * });
 * assertEquals(content, [{ type: "text", text: "5" }]);
 * ```
 */
export class MCPWebSocketClient<
  Methods extends MethodTable<Methods> = McpMethods,
> extends TypedEventTarget<ClientEvents> implements AsyncDisposable {
  /** The transport underneath. */
  readonly transport: WebSocketClientTransport;

  readonly #options: MCPWebSocketClientOptions;
  readonly #peer: JsonRpcPeer;
  /** Batches that are being collected. */
  readonly #batches = new Set<BatchCollector>();
  readonly #flushes = { count: 0, bytes: 0, age: 0, end: 0 };
  #opening: Opening | undefined;

  /**
   * Makes a client that is not connected yet.
   *
   * @param endpoint Where to, `ws:` or `wss:`; or an open socket that the server dialled.
   * @param options Who this client is, timeouts, bounds, credentials.
   * @throws {SyntaxError} If the URL is malformed.
   * @throws {TypeError} If it is no WebSocket URL, or holds credentials.
   * @throws {RangeError} If an option is outside its range.
   * @throws {UrlPolicyError} If the URL may not be dialled.
   */
  constructor(
    endpoint: string | URL | WebSocket,
    options: MCPWebSocketClientOptions = {},
  ) {
    super();
    checkTimeouts(options);
    checkTime("probeTimeout", options.probeTimeout);
    this.#options = options;
    this.transport = new WebSocketClientTransport(endpoint, options);
    this.#peer = new JsonRpcPeer({
      ...options,
      send: (message, sendOptions) => this.#post(message, sendOptions),
      stamp: (params) => this.#stamp(params),
      onError: (error) => this.emit("error", { error, context: "peer" }),
    });
    this.#peer.handle(PING, () => ({}));
    this.transport.onmessage = (message, extra) => this.#peer.receive(message, extra);
    this.transport.onclose = () => this.#closed();
    this.#forward("statechange");
    this.#forward("lost");
    this.#forward("recovered");
    this.#forward("resumed");
    this.#forward("sessionlost");
    this.#forward("moved");
    this.#forward("heartbeat");
    this.#forward("error");
  }

  /** Where the client stands. */
  get state(): ClientState {
    const { state } = this.transport;
    if (state.status !== "connected" || this.#opening === undefined) {
      return state;
    }
    return { ...state, status: "initialized" };
  }

  /** Whether there is a connection. */
  get isConnected(): boolean {
    return this.transport.state.status === "connected";
  }

  /** Whether there is a connection on which MCP has been opened. */
  get isInitialized(): boolean {
    return this.isConnected && this.#opening !== undefined;
  }

  /** Whether it waits for the network. */
  get isOffline(): boolean {
    return this.transport.state.status === "offline";
  }

  /** The family of revisions that is spoken; `undefined` before it is settled. */
  get era(): Era | undefined {
    return this.#opening?.era;
  }

  /** The revision that is spoken; `undefined` before it is settled. */
  get protocolVersion(): string | undefined {
    return this.#opening?.version;
  }

  /** Who the server is, as soon as it has said so. */
  get serverInfo(): Implementation | undefined {
    return this.#opening?.serverInfo;
  }

  /** What the server can do, as soon as it has said so. */
  get serverCapabilities(): Capabilities | undefined {
    return this.#opening?.capabilities;
  }

  /** How to use the server, if it says so. */
  get instructions(): string | undefined {
    return this.#opening?.instructions;
  }

  /**
   * Connects and opens MCP. After `disconnect()` it can be called again.
   *
   * @param options A signal that gives up.
   * @throws {MCPConnectionError} If the connection cannot be opened; `verdict` tells why.
   * @throws {MCPTimeoutError} If it is not open in time.
   * @throws {DialLimitError} If too many dials have failed of late.
   * @throws {UrlPolicyError} If the name leads to an address that may not be dialled.
   * @throws {MCPError} If no revision is spoken by both.
   */
  async connect(options: ConnectOptions = {}): Promise<void> {
    // Before the first message can come in.
    this.#peer.reopen();
    await this.transport.start(options);
    try {
      this.#opening = await openConversation(this.#peer, {
        identity: this.#identity,
        era: this.#options.era ?? "auto",
        probeTimeout: this.#options.probeTimeout ?? 5_000,
        signal: options.signal,
      });
    } catch (error) {
      await this.transport.close();
      throw error;
    }
    this.emit("initialized", this.#opening);
  }

  /** Ends the connection; requests in flight are rejected. Calling it twice is fine. */
  async disconnect(): Promise<void> {
    await this.transport.close();
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @typeParam Name The method.
   * @param method The method.
   * @param args Its parameters, and limits, a signal, a listener for progress.
   * @returns The result.
   * @throws {MCPRpcError} If the server answered with an error.
   * @throws {MCPTimeoutError} If it did not answer in time; the server is told to stop.
   * @throws {MCPConnectionError} If the connection was lost; `outcome` says whether
   * the request may have been carried out.
   */
  request<Name extends keyof Methods & string>(
    method: Name,
    ...args: RequestArguments<Methods[Name]>
  ): Promise<ResultOf<Methods[Name]>>;
  /**
   * Sends a request of a method that is not in the table.
   *
   * @typeParam Result What it gives; it is not checked.
   * @param method The method.
   * @param params Its parameters.
   * @param options Limits, a signal, a listener for progress.
   */
  request<Result = unknown, Name extends string = string>(
    method: Name & CustomMethod<Name, Methods>,
    params?: object,
    options?: RequestOptions,
  ): Promise<Result>;
  request(method: string, ...args: unknown[]): Promise<unknown> {
    const [params, options] = args as [JsonRpcParams?, RequestOptions?];
    return this.#peer.request(method, params, options);
  }

  /**
   * Sends a notification.
   *
   * @param method The method.
   * @param params Its parameters.
   * @param options A signal that stops waiting, and whether to wait until the
   * server's application has it, for how long.
   * @returns Resolves when the socket has taken it, or with `delivered` when the
   * server's application has it.
   * @throws {MCPError} With `kind: "session"` if the server speaks plain `mcp`,
   * which cannot confirm; nothing was sent.
   * @throws {MCPConnectionError} If there is no connection and none is coming,
   * or the session was lost before the server has confirmed.
   * @throws {MCPTimeoutError} If delivery is not confirmed in time.
   */
  notify(method: string, params?: JsonRpcParams, options?: NotifyOptions): Promise<void> {
    return this.#peer.notify(method, params, options);
  }

  /**
   * Collects requests and notifications, and sends them in one frame: in a
   * session, and in plain `mcp` of revision 2025-03-26, as a JSON-RPC batch.
   * Servers of other revisions can read one message a frame; to them they leave
   * one after the other, at once.
   *
   * The frame leaves when the callback is done, or waits for the answers. What
   * it does not hold leaves in more of them.
   *
   * @example Two calls in one frame
   * ```ts
   * import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
   *
   * async function listAll(client: MCPWebSocketClient) {
   *   const [tools, prompts] = await client.batch((batch) =>
   *     Promise.allSettled([batch.request("tools/list"), batch.request("prompts/list")])
   *   );
   *   return { tools, prompts };
   * }
   * ```
   *
   * @typeParam Result What the callback gives.
   * @param collect Adds requests and notifications. If it fails, what did not leave is not sent.
   * @param options How much one frame holds, and how long it may be waited for.
   * @returns What the callback gives.
   * @throws {RangeError} If an option is outside its range.
   */
  async batch<Result>(
    collect: (batch: Batch<Methods>) => Result | Promise<Result>,
    options: BatchOptions = {},
  ): Promise<Result> {
    const collector = this.#createCollector(options);
    this.#batches.add(collector);
    try {
      const result = await collect(new OpenBatch<Methods>(this.#peer, collector));
      collector.end();
      return result;
    } catch (error) {
      collector.discard(error);
      throw error;
    } finally {
      this.#batches.delete(collector);
    }
  }

  /**
   * Sends a message as it is.
   *
   * @param message The message.
   * @param options Whether it may be sent again, whether to wait until the server
   * has it, and a signal that stops waiting.
   * @returns Resolves when the socket has taken it, or with `delivered` when the
   * server's application has it.
   */
  async send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    await this.transport.send(message, options);
  }

  /**
   * Answers what the server asks; a second handler of a method replaces the first.
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
  handle(
    method: string,
    handler: (params: never, context: RequestContext) => unknown,
  ): void {
    this.#peer.handle(
      method,
      handler as (params: JsonRpcParams, context: RequestContext) => unknown,
    );
  }

  /** Hears one kind of notification; a second handler replaces the first. */
  onNotification(
    method: string,
    handler: (params: JsonRpcParams, extra?: MessageExtra) => unknown,
  ): void {
    this.#peer.onNotification(method, handler);
  }

  /** Hears every notification that has no handler of its own. */
  onAnyNotification(
    handler: (notification: JsonRpcNotification) => unknown,
  ): void {
    this.#peer.onAnyNotification(handler);
  }

  /** Dials at once, where the next dial is being waited for. */
  reconnect(): void {
    this.transport.reconnect();
  }

  /**
   * Changes options from now on.
   *
   * @param patch What changes.
   * @throws {RangeError} If an option is outside its range; then nothing changes.
   */
  updateOptions(patch: MCPWebSocketClientPatch): void {
    checkTimeouts(patch);
    this.transport.updateOptions(patch);
    this.#peer.setTimeouts(patch.requestTimeout, patch.maxRequestTimeout);
  }

  /**
   * Shows the server a fresh token over the connection as it is, see
   * {@linkcode WebSocketClientTransport.authenticate}.
   *
   * @param options How long it may take, and a signal.
   * @throws {TypeError} If there is no option `token`.
   * @throws {MCPError} With `kind: "authentication"` if the server refuses the
   * token, or none can be gathered; the connection stays as it is.
   * @throws {MCPConnectionError} If there is no connection, or it is lost before the answer.
   * @throws {MCPTimeoutError} If it takes too long.
   */
  async authenticate(options: AuthenticateOptions = {}): Promise<void> {
    await this.transport.authenticate(options);
  }

  /** The numbers as they are now. */
  getStats(): ClientStats {
    return Object.freeze({
      ...this.transport.getStats(),
      requests: this.#peer.stats,
      batchFlushes: Object.freeze({ ...this.#flushes }),
    });
  }

  /**
   * Tells how the connection does, and asks the server to answer at once where
   * it can be asked. That it is down is a report, too.
   *
   * @param options How long the server may take, and a signal.
   * @throws {RangeError} If `timeout` is none.
   * @throws The signal's reason, if it aborts.
   */
  async healthCheck(options: HealthCheckOptions = {}): Promise<HealthReport> {
    return await this.transport.healthCheck(options);
  }

  /** The transport's timer runs only while somebody listens here. */
  protected override listenersChanged(type: keyof ClientEvents & string): void {
    if (type !== "stats") return;
    if (this.listenerCount(type) > 0) this.transport.addEventListener(type, this.#emitStats);
    else this.transport.removeEventListener(type, this.#emitStats);
  }

  readonly #emitStats = (): void => this.emit("stats", this.getStats());

  #createCollector(options: BatchOptions): BatchCollector {
    const { maxSendBytes = 1024 * 1024, clock = systemClock } = this.#options;
    return new BatchCollector({
      ...resolveBatchOptions(options),
      maxSendBytes,
      clock,
      send: (batch) => this.transport.sendTogether(batch),
      flushed: (reason) => void this.#flushes[reason]++,
    });
  }

  #post(message: JsonRpcMessage, options?: BatchedSendOptions): void | Promise<void> {
    if (options?.batch !== undefined) return options.batch.add(message, options);
    if (this.#batches.size > 0 && this.#withdraw(message)) return;
    return this.transport.post(message, options);
  }

  /** Whether the message cancels a request that is being collected, and has not left. */
  #withdraw(message: JsonRpcMessage): boolean {
    if (!("method" in message) || message.method !== CANCELLED) return false;
    const id = message.params?.requestId;
    return [...this.#batches].some((batch) => batch.withdraw(id));
  }

  get #identity(): { info: Implementation; capabilities: Capabilities } {
    const { clientInfo, capabilities = {} } = this.#options;
    return {
      info: clientInfo ?? { name: "bowline", version: "0.1.0" },
      capabilities,
    };
  }

  #stamp(params: JsonRpcParams | undefined): JsonRpcParams | undefined {
    if (this.#opening?.era !== "modern") return params;
    return stampRequest(params, this.#identity, this.#opening.version);
  }

  #closed(): void {
    this.#opening = undefined;
    const { state } = this.transport;
    const reason = state.status === "failed" ? state.error : disconnectedError();
    this.#peer.close(reason);
    for (const batch of this.#batches) batch.discard(reason);
  }

  #forward<Type extends keyof TransportEvents>(type: Type): void {
    this.transport.addEventListener(
      type,
      (event: ConnectionEvent<TransportEvents[Type]>) => {
        this.emit(type, event.detail as ClientEvents[Type]);
      },
    );
  }
}

function disconnectedError(): MCPConnectionError {
  const text = "The client was disconnected before the answer";
  return new MCPConnectionError(text, { outcome: "unknown", retryable: false });
}

function checkTimeouts(options: MCPWebSocketClientPatch): void {
  checkTime("requestTimeout", options.requestTimeout);
  checkTime("maxRequestTimeout", options.maxRequestTimeout);
}
