import { guard } from "../protocol/guard.ts";
import { isObject, type JsonRpcNotification, type JsonRpcParams } from "../protocol/jsonrpc.ts";
import type { McpMethods } from "../protocol/mcp_types.ts";
import type { CustomMethod, MethodTable } from "../protocol/methods.ts";
import {
  resolveStartOptions,
  type ServerAddress,
  serverAddress,
  type StartOptions,
} from "./address.ts";
import type { BroadcastOptions } from "./audience.ts";
import { type ClientSnapshot, snapshotClient } from "./clients.ts";
import {
  type CustomHandler,
  Dispatcher,
  type MethodHandler,
  type NotificationListener,
} from "./dispatcher.ts";
import { WebSocketHandler } from "./handler.ts";
import type { HandlerHealth } from "./health.ts";
import type { BoundAddress } from "./host_check.ts";
import { Listener } from "./listener.ts";
import type { ListName } from "./listen_filter.ts";
import { type HandlerSettings, resolveHandlerOptions } from "./options.ts";
import { Reporter } from "./reporter.ts";
import type { ConnectionInfo } from "./request.ts";
import { checkServerOptions, type MCPWebSocketServerOptions } from "./server_options.ts";
import { McpSession, type ServerSession, type SessionLimits } from "./session.ts";
import type { ShutdownOptions } from "./shutdown.ts";
import { type SubscribersListener, Subscriptions } from "./subscriptions.ts";
import type { WebSocketServerTransport } from "./transport.ts";

/**
 * An MCP server over WebSocket, without an SDK. It answers `initialize`,
 * `ping` and `server/discover` itself, speaks both eras of MCP on every
 * connection, and hands the rest to its handlers.
 *
 * @example Serve a tool
 * ```ts
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new MCPWebSocketServer({ name: "demo", version: "1.0.0" });
 * server.handle("tools/list", () => ({
 *   tools: [{ name: "greet", inputSchema: { type: "object" } }],
 * }));
 * server.handle("tools/call", ({ arguments: args }) => ({
 *   content: [{ type: "text", text: `Hello, ${args?.name}` }],
 * }));
 * const { url } = await server.start({ port: 0 });
 *
 * const socket = new WebSocket(url, "mcp");
 * socket.onopen = () =>
 *   socket.send(JSON.stringify({
 *     jsonrpc: "2.0",
 *     id: 1,
 *     method: "tools/call",
 *     params: { name: "greet", arguments: { name: "Ada" } },
 *   }));
 * const answer = await new Promise<string>((resolve) => socket.onmessage = ({ data }) => resolve(data));
 * assertEquals(JSON.parse(answer).result.content[0].text, "Hello, Ada");
 * ```
 *
 * @typeParam Methods The methods with their parameters and results.
 */
export class MCPWebSocketServer<
  Methods extends MethodTable<Methods> = McpMethods,
> implements AsyncDisposable {
  readonly #settings: HandlerSettings;
  readonly #limits: SessionLimits;
  readonly #reporter: Reporter;
  readonly #dispatcher: Dispatcher;
  readonly #subscriptions: Subscriptions;
  readonly #sessions = new WeakMap<WebSocketServerTransport, McpSession>();
  #handler: WebSocketHandler;
  #listener: Listener | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * Makes a server that does not listen yet.
   *
   * @param options Who the server is, bounds, who may connect, and who is told.
   * @throws {TypeError} If an option is of the wrong type or shape.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: MCPWebSocketServerOptions) {
    const { name, version, capabilities, instructions } = options;
    const { requestTimeout, maxRequestTimeout } = options;
    this.#settings = resolveHandlerOptions(options, { name, version });
    const info = checkServerOptions(options);
    const { maxInFlight, clock, logger, onError, metrics } = this.#settings;
    this.#limits = { requestTimeout, maxRequestTimeout, maxInFlight, clock };
    this.#reporter = new Reporter(logger, onError, metrics);
    const subscriptions = this.#subscriptions = new Subscriptions({
      capabilities: capabilities ?? {},
      bounds: this.#settings.subscriptions,
      maySubscribe: options.maySubscribe,
      initialized: () => this.#initialized(),
      failed: (error) => this.#reporter.error("Hearing of subscribers failed", error),
    });
    this.#dispatcher = new Dispatcher({
      info,
      capabilities,
      instructions,
      fallbacks: subscriptions.handlers,
      conclude: (session) => subscriptions.conclude(session),
    });
    this.#handler = this.#createHandler();
  }

  /**
   * Answers a request in somebody else's `Deno.serve`; {@linkcode start} is
   * not needed then. It never throws or rejects, and needs no `this`. Return its
   * response at once; it is a promise only while `auth` takes time.
   */
  readonly fetch = (
    request: Request,
    info?: ConnectionInfo,
  ): Response | Promise<Response> => this.#handler.fetch(request, info);

  /**
   * Notes where the server is reached if somebody else listens for it: requests
   * for that address are for this server. {@linkcode start} does so by itself.
   *
   * @param bound The address.
   */
  listens(bound: BoundAddress): void {
    this.#handler.listens(bound);
  }

  /** The clients that are connected, as they are now. */
  get clients(): ClientSnapshot[] {
    return Array.from(
      this.#handler.sessions.values(),
      (transport) => snapshotClient(this.#sessionOf(transport)),
    );
  }

  /**
   * Answers a method from now on; a second handler replaces the first. A
   * handler that throws `MCPRpcError` chooses its answer; whatever else it
   * throws becomes -32603 and is reported.
   *
   * @param method A method of the table.
   * @param handler Returns the result, or a promise for it.
   * @throws {TypeError} If the server answers the method itself.
   */
  handle<Name extends keyof Methods & string>(
    method: Name,
    handler: MethodHandler<Methods[Name]>,
  ): void;
  /**
   * Answers a method that is not in the table.
   *
   * @param method The method.
   * @param handler Returns the result, or a promise for it.
   */
  handle<Name extends string>(
    method: Name & CustomMethod<Name, Methods>,
    handler: CustomHandler,
  ): void;
  handle(
    method: string,
    handler: MethodHandler<Methods[keyof Methods]> | CustomHandler,
  ): void {
    this.#dispatcher.handle(method, handler);
  }

  /** Answers every method that has no handler of its own; `context.method` tells which it is. */
  onRequest(handler: CustomHandler): void {
    this.#dispatcher.onRequest(handler);
  }

  /** Hears one kind of notification from now on; a second listener replaces the first. */
  onNotification(method: string, listener: NotificationListener): void {
    this.#dispatcher.onNotification(method, listener);
  }

  /**
   * Listens. A server that was stopped can be started again.
   *
   * @param options Where, and how to stop.
   * @returns The address.
   * @throws {TypeError} If it listens already, or only one of `cert` and `key` is given.
   * @throws {MCPError} If it is not possible to listen there, or strangers could reach the server.
   */
  async start(options: StartOptions = {}): Promise<ServerAddress> {
    await this.#stopping?.catch(() => {});
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#listener !== undefined) {
      throw new TypeError("Cannot start server: it listens already");
    }
    const where = resolveStartOptions(options, this.#settings.auth !== undefined);
    if (this.#handler.isClosing) this.#handler = this.#createHandler();
    const listener = new Listener(this.fetch, where, this.#reporter);
    this.#listener = listener;
    this.#handler.listens({ hostname: where.hostname, port: listener.port });
    signal?.addEventListener("abort", this.#abort, { once: true });
    listener.closed.then(() => signal?.removeEventListener("abort", this.#abort));
    const address = serverAddress(where, listener.port, this.#settings.path);
    this.#reporter.info(`Listening on ${address.url}`);
    guard(
      () => options.onListen?.(address),
      (thrown) => this.#reporter.error("Telling the address failed", thrown),
    );
    return address;
  }

  /**
   * Takes no new clients, waits until running requests are answered, closes
   * every connection, and stops listening. Stopping twice, or before the
   * start, is fine.
   *
   * @param options The close code, the reason, and how long to wait.
   * @returns Resolves when nothing is left.
   * @throws {RangeError} If no endpoint may send the code, or the timeout is negative.
   */
  stop(options: ShutdownOptions = {}): Promise<void> {
    this.#stopping ??= this.#shutDown(options).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  /** Stops the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Serves a client over a socket that this side dialled: a device behind a
   * NAT that dials its host, for example.
   *
   * @param socket A socket that is open; its handlers are taken over.
   * @param end Which end of the socket this is.
   * @default {"client"} end
   * @returns The client.
   * @throws {TypeError} If the socket is not open.
   * @throws {MCPCapacityError} If there are too many connections.
   * @throws {MCPConnectionError} If the server was stopped.
   */
  adopt(socket: WebSocket, end?: "server" | "client"): ServerSession {
    return this.#sessionOf(this.#handler.adopt(socket, end));
  }

  /**
   * Notifies all clients, or some; the message is serialised once. Nobody is
   * waited for: what a slow client does not read is bounded, see `docs/limits.md`.
   *
   * @param method The notification.
   * @param params Its parameters.
   * @param options Whom it is for, and who is left out.
   * @returns How many were notified.
   * @throws {TypeError} If `to` is no audience.
   */
  broadcast(
    method: string,
    params?: JsonRpcParams,
    { to, except }: BroadcastOptions<ServerSession> = {},
  ): number {
    const audience = typeof to === "function"
      ? (transport: WebSocketServerTransport) => to(this.#sessionOf(transport))
      : to;
    return this.#handler.broadcast(notification(method, params), { to: audience, except });
  }

  /**
   * Puts a client into a topic, until it leaves or its session ends.
   *
   * @param session The client, or its id.
   * @param topic The name of the topic.
   * @returns Whether the client is connected, or its session kept.
   * @throws {RangeError} If the name is empty or too long.
   * @throws {MCPCapacityError} If there are too many topics, see `subscriptions`.
   */
  subscribe(session: ServerSession | string, topic: string): boolean {
    return this.#handler.subscribe(transportOf(session), topic);
  }

  /**
   * Takes a client out of a topic.
   *
   * @param session The client, or its id.
   * @param topic The name of the topic.
   * @returns Whether it was in it.
   */
  unsubscribe(session: ServerSession | string, topic: string): boolean {
    return this.#handler.unsubscribe(transportOf(session), topic);
  }

  /**
   * Notifies the clients that are in a topic, as {@linkcode broadcast} does.
   *
   * @param topic The name of the topic.
   * @param method The notification.
   * @param params Its parameters.
   * @param options Who is left out.
   * @returns How many were notified.
   */
  publish(
    topic: string,
    method: string,
    params?: JsonRpcParams,
    { except }: Pick<BroadcastOptions, "except"> = {},
  ): number {
    return this.#handler.broadcast(notification(method, params), { to: { topic }, except });
  }

  /**
   * Tells the clients that are subscribed to a resource that it has changed, in
   * both eras of MCP. The server answers `resources/subscribe`,
   * `resources/unsubscribe` and `subscriptions/listen` for it, unless they have
   * handlers of their own.
   *
   * @param uri The resource, as clients have written it.
   * @returns How many subscriptions were told.
   * @throws {TypeError} If `capabilities.resources.subscribe` is not declared.
   */
  resourceUpdated(uri: string): number {
    return this.#subscriptions.resourceUpdated(uri);
  }

  /**
   * Tells that a list has changed: all initialised clients of the legacy era,
   * and those of the modern era that listen for it.
   *
   * @param list The list.
   * @returns How many clients and subscriptions were told.
   * @throws {TypeError} If its `listChanged` is not declared in `capabilities`.
   */
  listChanged(list: ListName): number {
    return this.#subscriptions.listChanged(list);
  }

  /**
   * Hears how many are subscribed to a resource, each time that this changes: to
   * watch a file while somebody wants to know, for example. A second listener
   * replaces the first.
   */
  onSubscribers(listener: SubscribersListener): void {
    this.#subscriptions.onSubscribers(listener);
  }

  /**
   * Notifies one client.
   *
   * @param id The client, see {@linkcode clients}.
   * @param method The notification.
   * @param params Its parameters.
   * @returns Whether it is connected; resolves when its connection has room for more.
   */
  async sendTo(
    id: string,
    method: string,
    params?: JsonRpcParams,
  ): Promise<boolean> {
    const transport = this.#handler.sessions.get(id);
    if (transport === undefined || !transport.isOpen) return false;
    await transport.post(notification(method, params));
    return true;
  }

  /**
   * Sends a principal away: all its connections end, and its sessions, which
   * cannot be resumed. Whether it may come in again is for `auth` to say.
   *
   * @param principal The id of the principal.
   * @param reason Why, in words fit for the client.
   * @default {"Access was revoked"} reason
   * @returns How many connections and sessions it had. Resolves within a second.
   */
  revoke(principal: string, reason?: string): Promise<number> {
    return this.#handler.revoke(principal, reason);
  }

  /** How the server is doing, as it is now. */
  health(): HandlerHealth {
    return this.#handler.health();
  }

  /**
   * What the server has done and is doing since it was started, in the text
   * format of Prometheus (version 0.0.4). `operations` serves it.
   */
  metrics(): string {
    return this.#handler.metrics();
  }

  readonly #abort = (): void => {
    this.stop();
  };

  #createHandler(): WebSocketHandler {
    return new WebSocketHandler(
      async (transport) => {
        this.#sessionOf(transport);
        await transport.start();
      },
      this.#settings,
      this.#reporter,
      (transport) => this.#subscriptions.conclude(this.#sessionOf(transport)),
    );
  }

  /** The clients of the legacy era that may be sent notifications. */
  #initialized(): McpSession[] {
    return Array.from(this.#handler.sessions.values(), (transport) => this.#sessionOf(transport))
      .filter((session) => session.isInitialized);
  }

  #sessionOf(transport: WebSocketServerTransport): McpSession {
    const known = this.#sessions.get(transport);
    if (known !== undefined) return known;
    const session = new McpSession(
      transport,
      this.#dispatcher,
      this.#limits,
      this.#reporter,
    );
    this.#sessions.set(transport, session);
    return session;
  }

  async #shutDown(options: ShutdownOptions): Promise<void> {
    await this.#handler.close(options);
    await this.#listener?.close();
    this.#listener = undefined;
  }
}

function transportOf(session: ServerSession | string): WebSocketServerTransport | string {
  return typeof session === "string" ? session : session.transport;
}

function notification(
  method: string,
  params: JsonRpcParams | undefined,
): JsonRpcNotification {
  return {
    jsonrpc: "2.0",
    method,
    ...(isObject(params) ? { params } : {}),
  };
}
