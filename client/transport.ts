import { MCPConnectionError, MCPTimeoutError, toError } from "../protocol/errors.ts";
import { guard, isPromiseLike } from "../protocol/guard.ts";
import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { MessageExtra, SendOptions, Transport } from "../protocol/transport.ts";
import { renew } from "./authentication.ts";
import { type ConnectionState, isStarted } from "./connection.ts";
import { gatherToken } from "./credentials.ts";
import { within } from "./dial.ts";
import { DialLimit } from "./dial_limit.ts";
import { type Endpoint, isSocket, parseEndpoint } from "./endpoint.ts";
import { TypedEventTarget } from "./events.ts";
import { checkHealth, type HealthCheckOptions, type HealthReport } from "./health.ts";
import { Intake } from "./intake.ts";
import type {
  AuthenticateOptions,
  ConnectOptions,
  MutableOptions,
  WebSocketClientOptions,
} from "./options.ts";
import {
  checkTime,
  patchOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./resolved_options.ts";
import type { Loss } from "./recovery.ts";
import type { ConnectionStats } from "./stats.ts";
import { Succession } from "./succession.ts";
import { type OpenConnection, Supervisor } from "./supervisor.ts";
import { Telemetry } from "./telemetry.ts";
import { Ticker } from "./ticker.ts";
import { type BatchedMessage, Traffic } from "./traffic.ts";
import type { TransportEvents } from "./transport_events.ts";
import { checkUrl } from "./url_policy.ts";

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
  readonly #limit: DialLimit | undefined;
  readonly #telemetry: Telemetry;
  readonly #traffic: Traffic;
  readonly #intake: Intake;
  readonly #succession: Succession;
  readonly #supervisor: Supervisor;
  readonly #ticker: Ticker;
  #options: ResolvedOptions;
  /** Whether a connection has been lost since the start. */
  #wasLost = false;
  /** Requests that the present connection was told again. */
  #repeated = 0;
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
   * @throws {UrlPolicyError} If the URL may not be dialled.
   */
  constructor(
    endpoint: string | URL | WebSocket,
    options: WebSocketClientOptions = {},
  ) {
    super();
    this.#endpoint = parseEndpoint(endpoint);
    this.#options = resolveOptions(options);
    const { dialLimit, clock, statsInterval, urlPolicy } = this.#options;
    // As it was written: its spelling is checked, too.
    if (!isSocket(endpoint)) checkUrl(endpoint, urlPolicy);
    this.#limit = dialLimit === false ? undefined : new DialLimit(dialLimit, clock);
    this.#telemetry = this.#createTelemetry();
    this.#traffic = new Traffic({
      options: () => this.#options,
      telemetry: this.#telemetry,
      keepsSession: () => this.#succession.session !== undefined,
      deliver: (message, extra) => this.#deliver(message, extra),
    });
    this.#intake = this.#createIntake();
    this.#succession = this.#createSuccession();
    this.#supervisor = this.#createSupervisor();
    const isWatched = () => isStarted(this.state) && this.listenerCount("stats") > 0;
    this.#ticker = new Ticker(statsInterval, clock, isWatched, () => {
      this.emit("stats", this.getStats());
    });
  }

  /** Where the connection stands. */
  get state(): ConnectionState {
    return this.#supervisor.state;
  }

  /**
   * The label of the session that outlives connections, for logs; `undefined`
   * while there is none, and with servers that speak plain `mcp`.
   */
  get session(): string | undefined {
    return this.#succession.session?.id;
  }

  /** Messages that wait for a connection, or for room in it. */
  get queueSize(): number {
    return this.#traffic.outbox.size;
  }

  /**
   * Opens the connection. After `close()`, or when it has given up, it can be
   * started again.
   *
   * @param options A signal that gives up.
   * @throws {MCPConnectionError} If it cannot be opened; `verdict` tells why.
   * @throws {MCPTimeoutError} If it is not open in time.
   * @throws {DialLimitError} If too many dials have failed of late.
   * @throws {UrlPolicyError} If the name leads to an address that may not be dialled.
   */
  start(options: ConnectOptions = {}): Promise<void> {
    return this.#supervisor.start(options.signal);
  }

  /**
   * Sends a message, or queues it while there is no connection.
   *
   * @param message The message.
   * @param options Whether it may be sent again, whether to wait until the server
   * has it, and a signal that stops waiting.
   * @returns Resolves when the socket has taken it, or with `delivered` when the
   * other application has it.
   * @throws {TypeError} If it is no JSON-RPC message.
   * @throws {RangeError} If it is too large, or `deliveryTimeout` is no time.
   * @throws {MCPConnectionError} If there is no connection and none is coming.
   * @throws {MCPCapacityError} If too much waits or is in flight already.
   * @throws {MCPTimeoutError} If delivery is not confirmed in time.
   */
  async send(message: JsonRpcMessage, options?: SendOptions): Promise<void> {
    await this.post(message, options);
  }

  /**
   * Sends a message without making a promise where it can leave at once.
   *
   * @param message The message.
   * @param options See {@linkcode WebSocketClientTransport.send}.
   * @returns Nothing, or a promise for when the socket has taken it.
   * @throws Like {@linkcode WebSocketClientTransport.send}, but at once.
   */
  post(message: JsonRpcMessage, options?: SendOptions): void | Promise<void> {
    return this.#intake.take(message, options);
  }

  /**
   * Sends messages in one frame, where the server can read that: in a session,
   * or in plain `mcp` of revision 2025-03-26 as a JSON-RPC batch. Elsewhere they
   * leave one after the other, at once.
   *
   * @param batch The messages, each with its text and how to send it.
   * @returns For each, a promise for when the socket has taken it.
   */
  sendTogether(batch: readonly BatchedMessage[]): Promise<void>[] {
    return this.#intake.takeTogether(batch);
  }

  /**
   * Gives up all that waits for a connection, or for room in it: its senders
   * get {@linkcode MCPConnectionError} with `outcome: "not-sent"`.
   *
   * @param reason Why, for their errors.
   * @returns How many messages that were.
   */
  clearQueue(reason = "the queue was cleared"): number {
    return this.#traffic.outbox.clear(new MCPConnectionError(reason, { outcome: "not-sent" }));
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

  /**
   * Shows the server a fresh token over the connection as it is, before the one
   * that it knows expires: the provider is asked, and nothing is interrupted.
   *
   * @example Refresh a token every ten minutes
   * ```ts
   * import { WebSocketClientTransport } from "@bowline/mcp-websocket/client";
   *
   * function keepFresh(transport: WebSocketClientTransport): () => void {
   *   const refresh = () => transport.authenticate().catch(console.error);
   *   const timer = setInterval(refresh, 10 * 60_000);
   *   return () => clearInterval(timer);
   * }
   * ```
   *
   * @param options How long it may take, and a signal.
   * @throws {TypeError} If there is no option `token`.
   * @throws {RangeError} If `timeout` is none.
   * @throws {MCPError} With `kind: "authentication"` if the server refuses the
   * token, or none can be gathered; the connection stays as it is.
   * @throws {MCPConnectionError} If there is no connection, or it is lost before the answer.
   * @throws {MCPTimeoutError} If it takes too long.
   * @throws The signal's reason, if it aborts.
   */
  async authenticate(options: AuthenticateOptions = {}): Promise<void> {
    const { connectTimeout, clock } = this.#options;
    const { timeout = connectTimeout, signal = new AbortController().signal } = options;
    checkTime("timeout", timeout);
    const giveUp = new AbortController();
    const bounds = { timeout, clock, signal };
    try {
      await within(this.#renew(AbortSignal.any([signal, giveUp.signal])), bounds, () => {
        const text = `Cannot authenticate: no answer within ${timeout} ms`;
        return new MCPTimeoutError(text, timeout, { retryable: true });
      });
    } finally {
      giveUp.abort();
    }
  }

  /** The numbers as they are now. */
  getStats(): ConnectionStats {
    const { status, since } = this.state;
    const { compressed } = this.#succession;
    return this.#telemetry.snapshot({
      uptime: status === "connected" ? this.#options.clock.now() - since : undefined,
      pendingRequests: this.#traffic.exchange.conversation.size,
      ...this.#traffic.outbox.stats,
      bufferedMessages: this.#succession.session?.bufferedMessages ?? 0,
      bufferedBytes: this.#succession.session?.bufferedBytes ?? 0,
      frameFlushes: this.#succession.joins,
      compression: compressed && { ...compressed },
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
    const { clock, outbox } = this.#options;
    const ask = this.#traffic.prober();
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

  async #renew(signal: AbortSignal): Promise<void> {
    const token = await gatherToken(this.#options);
    signal.throwIfAborted();
    const { connection } = this.#traffic;
    if (connection === undefined) {
      const text = "Cannot authenticate: there is no connection";
      throw new MCPConnectionError(text, { outcome: "not-sent" });
    }
    await renew(connection, token, { signal });
  }

  #createTelemetry(): Telemetry {
    return new Telemetry({
      ...this.#options,
      name: this.#endpoint.name,
      report: (error, context) => this.#report(error, context),
      onHeartbeat: (detail) => this.emit("heartbeat", detail),
    });
  }

  #createIntake(): Intake {
    return new Intake({
      options: () => this.#options,
      state: () => this.state,
      wasLost: () => this.#wasLost,
      traffic: this.#traffic,
      telemetry: this.#telemetry,
      report: (error) => this.#report(error, "offlineResponse"),
    });
  }

  #createSuccession(): Succession {
    return new Succession({
      endpoint: this.#endpoint,
      options: () => this.#options,
      traffic: this.#traffic,
      limit: this.#limit,
      events: {
        frame: (length) => this.#telemetry.message("in", length),
        failed: (error, context) => this.#report(error, context),
        resumed: (replayed) => this.#resumed(replayed),
        sessionLost: (reason) => this.#sessionLost(reason),
        moved: (reason) => this.emit("moved", { reason }),
      },
    });
  }

  #createSupervisor(): Supervisor {
    return new Supervisor({
      open: (signal) => {
        return this.#telemetry.measure(() => this.#connect(signal), this.state.attempt, signal);
      },
      policy: () => this.#endpoint.socket === undefined && this.#options.reconnect,
      mayStillResume: () => this.#succession.mayStillResume,
      onState: (state, previous) => this.#changed(state, previous),
      onLoss: (loss, willRetry) => this.#lose(loss, willRetry),
      onEnd: (reason) => this.#end(reason),
      limit: this.#limit,
      clock: this.#options.clock,
    });
  }

  async #connect(signal: AbortSignal): Promise<OpenConnection> {
    const { tenure, repeated } = await this.#succession.open(signal);
    this.#repeated = repeated;
    return tenure;
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
    this.#wasLost = true;
    this.#telemetry.loss(loss, willRetry);
    this.#succession.lose(loss, willRetry);
    this.emit("lost", { loss, willRetry });
  }

  #resumed(replayed: number): void {
    this.#telemetry.resumed(replayed);
    this.emit("resumed", { session: this.session ?? "", replayed });
  }

  #sessionLost(reason: string): void {
    this.#telemetry.sessionLost();
    this.emit("sessionlost", { reason });
  }

  #end(reason: Error): void {
    const isFailure = this.state.status === "failed";
    if (isFailure && reason !== this.#reported) this.#report(reason, "connection");
    const session = this.#succession.end();
    this.#ended = this.#traffic.end(reason, isFailure).then(() => session?.end(reason));
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
