import { MCPConnectionError, toError } from "../protocol/errors.ts";
import { guard, isPromiseLike } from "../protocol/guard.ts";
import { isRequest, type JsonRpcMessage, serializeMessage } from "../protocol/jsonrpc.ts";
import { CANCELLED } from "../protocol/mcp.ts";
import type { MessageExtra, SendOptions, Transport } from "../protocol/transport.ts";
import { type ConnectionState, isStarted } from "./connection.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { TypedEventTarget } from "./events.ts";
import { Exchange, isInitialized, type Notice } from "./exchange.ts";
import { checkHealth, type HealthCheckOptions, type HealthReport } from "./health.ts";
import { answerOffline, isCutOff } from "./offline.ts";
import type { ConnectOptions, MutableOptions, WebSocketClientOptions } from "./options.ts";
import { patchOptions, type ResolvedOptions, resolveOptions } from "./resolved_options.ts";
import { Outbox } from "./outbox.ts";
import { type AskLimits, PlainConnection } from "./plain_connection.ts";
import { Pump } from "./pump.ts";
import type { Loss } from "./recovery.ts";
import { reopen } from "./reopening.ts";
import type { ConnectionStats } from "./stats.ts";
import { Supervisor } from "./supervisor.ts";
import { Telemetry } from "./telemetry.ts";
import { Ticker } from "./ticker.ts";
import type { TransportEvents } from "./transport_events.ts";

/**
 * An MCP client's transport over WebSocket. It gives the official SDKs' `Client`
 * a connection that comes back by itself: after a loss it dials again, opens
 * the session again, repeats what is safe, and settles the rest.
 *
 * @example With the official SDK
 * ```ts
 * import { Client } from "@modelcontextprotocol/client";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 * import { WebSocketClientTransport } from "@bowline/mcp-websocket/client";
 *
 * await using server = new MCPWebSocketServer({ name: "example", version: "1.0.0" });
 * const { url } = await server.start({ port: 0 });
 *
 * const client = new Client({ name: "example", version: "1.0.0" });
 * await client.connect(new WebSocketClientTransport(url));
 * await client.close();
 * ```
 */
export class WebSocketClientTransport extends TypedEventTarget<TransportEvents>
  implements Transport, AsyncDisposable {
  /** Called once, when the transport is closed for good or has given up. */
  onclose?: (() => void) | undefined;
  /** Called for what goes wrong without ending the transport. */
  onerror?: ((error: Error) => void) | undefined;
  /** Called for each message. */
  onmessage?:
    | ((message: JsonRpcMessage, extra?: MessageExtra) => void)
    | undefined;
  /** Stays `undefined`: the SDKs take anything else for a session that is resumed. */
  sessionId?: string | undefined;
  /** Makes SDK v2 fall back to `initialize` on this connection when its probe is not answered. */
  readonly stderr: null = null;
  /** See {@linkcode WebSocketClientTransport.stderr}. */
  readonly pid: null = null;

  readonly #endpoint: Endpoint;
  readonly #telemetry: Telemetry;
  readonly #outbox: Outbox;
  readonly #supervisor: Supervisor;
  readonly #ticker: Ticker;
  #options: ResolvedOptions;
  #exchange: Exchange;
  /** Set while the application's messages may go out. */
  #connection: PlainConnection | undefined;
  /** Whether a connection has been lost since the start. */
  #wasLost = false;
  /** Requests that the present connection was told again. */
  #repeated = 0;
  readonly #pump: Pump;
  /** The last error that was reported. */
  #reported: Error | undefined;
  #ended: Promise<void> = Promise.resolve();

  /**
   * Makes a transport that is not connected yet.
   *
   * @param endpoint Where to, `ws:` or `wss:`; or an open socket that the other
   * side dialled, which is never dialled again.
   * @param options Timeouts, bounds, credentials.
   * @throws {SyntaxError} If the URL is malformed.
   * @throws {TypeError} If it is no WebSocket URL, or holds credentials.
   * @throws {RangeError} If an option is outside its range.
   */
  constructor(
    endpoint: string | URL | WebSocket,
    options: WebSocketClientOptions = {},
  ) {
    super();
    this.#endpoint = parseEndpoint(endpoint);
    this.#options = resolveOptions(options);
    const { clock, outbox, statsInterval } = this.#options;
    this.#outbox = new Outbox(outbox, clock);
    this.#pump = new Pump(
      this.#outbox,
      () => this.#connection,
      ({ message, text, options }) => this.#write(message, text, options),
    );
    this.#telemetry = new Telemetry({
      ...this.#options,
      name: this.#endpoint.name,
      report: (error, context) => this.#report(error, context),
      onHeartbeat: (detail) => this.emit("heartbeat", detail),
    });
    this.#exchange = this.#newExchange();
    this.#supervisor = new Supervisor({
      open: (signal) => {
        return this.#telemetry.measure(() => this.#connect(signal), this.state.attempt, signal);
      },
      policy: () => this.#endpoint.socket === undefined && this.#options.reconnect,
      onState: (state, previous) => this.#changed(state, previous),
      onLoss: (loss, willRetry) => this.#lose(loss, willRetry),
      onEnd: (reason) => this.#end(reason),
      clock,
    });
    const isWatched = () => isStarted(this.state) && this.listenerCount("stats") > 0;
    this.#ticker = new Ticker(statsInterval, clock, isWatched, () => {
      this.emit("stats", this.getStats());
    });
  }

  /** Where the connection stands. */
  get state(): ConnectionState {
    return this.#supervisor.state;
  }

  /** Messages that wait for a connection, or for room in it. */
  get queueSize(): number {
    return this.#outbox.size;
  }

  /**
   * Opens the connection. After `close()`, or when it has given up, it can be
   * started again.
   *
   * @param options A signal that gives up.
   * @throws {MCPConnectionError} If it cannot be opened; `verdict` tells why.
   * @throws {MCPTimeoutError} If it is not open in time.
   */
  start(options: ConnectOptions = {}): Promise<void> {
    return this.#supervisor.start(options.signal);
  }

  /**
   * Sends a message, or queues it while there is no connection.
   *
   * @param message The message.
   * @param options Whether it may be sent again, and a signal that stops waiting.
   * @returns Resolves when the socket has taken it.
   * @throws {TypeError} If it is no JSON-RPC message.
   * @throws {RangeError} If it is too large.
   * @throws {MCPConnectionError} If there is no connection and none is coming.
   * @throws {MCPCapacityError} If too much waits or is in flight already.
   */
  async send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    await this.post(message, options);
  }

  /**
   * Sends a message without making a promise where it can leave at once.
   *
   * @param message The message.
   * @param options Whether it may be sent again, and a signal that stops waiting.
   * @returns Nothing, or a promise for when the socket has taken it.
   * @throws Like {@linkcode WebSocketClientTransport.send}, but at once.
   */
  post(message: JsonRpcMessage, options?: SendOptions): void | Promise<void> {
    const text = serializeMessage(message, this.#options.maxSendBytes);
    const connection = this.#connection;
    if (connection?.isOpen && !connection.isCongested && this.#outbox.size === 0) {
      return this.#write(message, text, options);
    }
    if (connection === undefined && this.#answerOffline(message)) return;
    if (!isStarted(this.state)) {
      const { status } = this.state;
      const outcome = "not-sent";
      throw new MCPConnectionError(`Cannot send message: the transport is ${status}`, { outcome });
    }
    if (this.#withdraw(message)) return;
    const { congestion } = this.#options;
    const sent = this.#outbox.add(message, text, options, connection && congestion);
    this.#pump.run();
    return sent;
  }

  /**
   * Gives up all that waits for a connection, or for room in it: its senders
   * get {@linkcode MCPConnectionError} with `outcome: "not-sent"`.
   *
   * @param reason Why, for their errors.
   * @returns How many messages that were.
   */
  clearQueue(reason = "the queue was cleared"): number {
    return this.#outbox.clear(new MCPConnectionError(reason, { outcome: "not-sent" }));
  }

  /**
   * Closes the transport. What waits is rejected. Closing twice is fine.
   *
   * @returns Resolves within a second, also towards a silent peer.
   */
  async close(): Promise<void> {
    this.#supervisor.close();
    await this.#ended;
  }

  /** Closes the transport. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Called by the SDKs with the revision that was agreed; nothing depends on it. */
  setProtocolVersion(_version: string): void {}

  /** Dials at once, where the next dial is being waited for. */
  reconnect(): void {
    this.#supervisor.reconnect();
  }

  /**
   * Changes options from now on. Credentials and `connectTimeout` hold from the
   * next dial on, `reconnect` from the next loss, `heartbeat` from the next
   * connection.
   *
   * @param patch What changes.
   * @throws {RangeError} If an option is outside its range; then nothing changes.
   */
  updateOptions(patch: MutableOptions): void {
    this.#options = patchOptions(this.#options, patch);
  }

  /** The numbers as they are now. */
  getStats(): ConnectionStats {
    const { status, since } = this.state;
    return this.#telemetry.snapshot({
      uptime: status === "connected" ? this.#options.clock.now() - since : undefined,
      pendingRequests: this.#exchange.conversation.size,
      ...this.#outbox.stats,
      bufferedMessages: 0,
      bufferedBytes: 0,
    });
  }

  /**
   * Tells how the connection does, and asks the peer to answer at once where it
   * can be asked. That it is down is a report, too.
   *
   * @param options How long the peer may take, and a signal.
   * @throws {RangeError} If `timeout` is none.
   * @throws The signal's reason, if it aborts.
   */
  healthCheck(options: HealthCheckOptions = {}): Promise<HealthReport> {
    const { heartbeat, clock, outbox } = this.#options;
    const connection = this.#connection;
    const question = heartbeat ? this.#exchange.question(heartbeat.discover) : undefined;
    const ask = connection && question &&
      ((limits: AskLimits) => connection.ask(question.method, question.params, limits));
    const facts = () => {
      const { lastError } = this.#telemetry;
      return { state: this.state.status, stats: this.getStats(), outbox, lastError };
    };
    return checkHealth({ ask, pings: this.#telemetry, clock, facts }, options);
  }

  /** Starts and stops the timer of `stats` events. */
  protected override listenersChanged(): void {
    this.#ticker.update();
  }

  #newExchange(): Exchange {
    return new Exchange({ ...this.#options, meter: this.#telemetry.requests });
  }

  async #connect(signal: AbortSignal): Promise<PlainConnection> {
    const sink = {
      frame: (length: number) => this.#telemetry.message("in", length),
      message: (message: JsonRpcMessage) => this.#deliver(this.#exchange.incoming(message)),
      fault: (error: Error) => this.#report(error, "connection"),
    };
    const connection = await PlainConnection.open(this.#endpoint, this.#options, sink, signal);
    const report = (error: Error) => this.#report(error, "reopening");
    await reopen(connection, this.#exchange.conversation, report, signal);
    this.#resume(connection);
    return connection;
  }

  /** Lets messages flow: first what is repeated, then what waited. */
  #resume(connection: PlainConnection): void {
    this.#connection = connection;
    const { heartbeat } = this.#options;
    if (heartbeat !== false) {
      const question = () => this.#exchange.question(heartbeat.discover);
      connection.watch(heartbeat, question, this.#telemetry);
    }
    const repeated = [...this.#exchange.conversation.repeated()];
    for (const request of repeated) connection.send(JSON.stringify(request));
    this.#repeated = repeated.length;
    this.#pump.run();
  }

  /** Whether a request is answered here, as the application wants while there is no connection. */
  #answerOffline(message: JsonRpcMessage): boolean {
    const { offlineResponse } = this.#options;
    if (offlineResponse === undefined || !isRequest(message)) return false;
    if (!isCutOff(this.state, this.#wasLost)) return false;
    const exchange = this.#exchange;
    const report = (error: Error) => this.#report(error, "offlineResponse");
    const notice = answerOffline(message, offlineResponse, report);
    if (notice === undefined) return false;
    this.#telemetry.offlineResponse();
    // Never within `send()`; whoever closes the transport meanwhile hears no more.
    queueMicrotask(() => exchange === this.#exchange && this.#tell([notice]));
    return true;
  }

  /** Whether the message cancels a request that has not left, or died with its connection. */
  #withdraw(message: JsonRpcMessage): boolean {
    if (!("method" in message) || message.method !== CANCELLED) return false;
    const id = message.params?.requestId;
    if (this.#outbox.withdraw(id)) return true;
    return this.#connection === undefined && this.#exchange.conversation.forget(id);
  }

  #write(message: JsonRpcMessage, text: string, options: SendOptions | undefined): void {
    const outgoing = this.#exchange.outgoing(message, options);
    if (outgoing === undefined) return;
    this.#telemetry.message("out", text.length);
    const connection = this.#connection;
    if (isInitialized(message)) connection?.escort();
    connection?.send(outgoing === message ? text : JSON.stringify(outgoing));
  }

  #deliver(message: JsonRpcMessage, extra?: MessageExtra): void {
    const failed = this.#onmessageFailed;
    try {
      const outcome: unknown = this.onmessage?.(message, extra);
      if (isPromiseLike(outcome)) outcome.then(undefined, failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  readonly #onmessageFailed = (thrown: unknown): void => this.#report(toError(thrown), "onmessage");

  #lose(loss: Loss, willRetry: boolean): void {
    this.#connection?.drop();
    this.#connection = undefined;
    this.#wasLost = true;
    this.#telemetry.loss(loss, willRetry);
    // What was too large once is too large again.
    this.#tell(this.#exchange.lose(willRetry && loss.cause !== "too-big"));
    this.emit("lost", { loss, willRetry });
  }

  #tell(notices: readonly Notice[]): void {
    for (const { message, extra } of notices) this.#deliver(message, extra);
  }

  #end(reason: Error): void {
    this.#ended = this.#connection?.close() ?? Promise.resolve();
    this.#connection = undefined;
    if (this.state.status === "failed") {
      if (reason !== this.#reported) this.#report(reason, "connection");
      this.#tell(this.#exchange.lose(false));
    }
    this.#outbox.clear(reason);
    this.#exchange = this.#newExchange();
    this.#wasLost = false;
    guard(() => this.onclose?.(), (error) => this.#report(error, "onclose"));
  }

  #changed(state: ConnectionState, previous: ConnectionState): void {
    this.#ticker.update();
    this.#telemetry.change(state, previous);
    this.emit("statechange", { state, previous });
    if (state.status !== "connected" || !this.#wasLost) return;
    this.#telemetry.recovery();
    this.emit("recovered", { attempt: state.attempt, repeated: this.#repeated });
  }

  #report(error: Error, context: string): void {
    this.#reported = error;
    this.#telemetry.error(error, context);
    this.emit("error", { error, context });
    // Whoever fails at listening to errors has nobody left to tell.
    guard(() => this.onerror?.(error), () => {});
  }
}
