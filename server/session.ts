import type { Clock } from "../protocol/clock.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import type { RequestContext } from "../protocol/inbound.ts";
import { isObject, type JsonRpcNotification, type JsonRpcParams } from "../protocol/jsonrpc.ts";
import type {
  Capabilities,
  Implementation,
  InitializeResult,
  McpClientMethods,
} from "../protocol/mcp_types.ts";
import type { CustomMethod, RequestArguments } from "../protocol/methods.ts";
import { JsonRpcPeer } from "../protocol/peer.ts";
import type { RequestOptions } from "../protocol/peer_options.ts";
import type { Principal } from "./auth/principal.ts";
import type { Reporter } from "./reporter.ts";
import type { WebSocketServerTransport } from "./transport.ts";

/** One client of an {@linkcode MCPWebSocketServer}. */
export interface ServerSession {
  /** Names the connection. */
  readonly id: string;
  /** The connection. */
  readonly transport: WebSocketServerTransport;
  /** Whom the client belongs to, as far as anybody knows. */
  readonly principal: Principal | undefined;
  /** Who the client says it is; `undefined` before `initialize`, and for clients of the modern era. */
  readonly clientInfo: Implementation | undefined;
  /** What the client says it can do; `undefined` where `clientInfo` is. */
  readonly clientCapabilities: Capabilities | undefined;
  /** The revision agreed on by `initialize`; `undefined` where `clientInfo` is. */
  readonly protocolVersion: string | undefined;
  /**
   * Asks the client. Clients of the modern era answer no requests.
   *
   * @param method A method that clients answer.
   * @param rest Its parameters, and limits, a signal, a listener for progress.
   * @returns The result; it is not checked.
   * @throws {MCPRpcError} If the client answered with an error.
   * @throws {MCPTimeoutError} If it did not answer in time.
   * @throws {MCPConnectionError} If the connection was lost before the answer.
   */
  request<Name extends keyof McpClientMethods & string>(
    method: Name,
    ...rest: RequestArguments<McpClientMethods[Name]>
  ): Promise<McpClientMethods[Name]["result"]>;
  /**
   * Asks the client for something that is not in MCP.
   *
   * @param method The method.
   * @param params Its parameters.
   * @param options Limits, a signal, a listener for progress.
   * @returns The result; it is not checked.
   */
  request<Result = JsonRpcParams, Name extends string = string>(
    method: Name & CustomMethod<Name, McpClientMethods>,
    params?: JsonRpcParams,
    options?: RequestOptions,
  ): Promise<Result>;
  /**
   * Sends the client a notification.
   *
   * @param method The notification.
   * @param params Its parameters.
   * @returns Resolves when the connection has taken it and has room for more.
   * @throws {MCPConnectionError} If the connection has ended.
   */
  notify(method: string, params?: JsonRpcParams): Promise<void>;
  /**
   * Sends the client away.
   *
   * @param reason Why, in words fit for the client.
   * @param code The close code.
   * @default {1000} code
   * @returns Resolves within a second.
   */
  disconnect(reason: string, code?: number): Promise<void>;
}

/** What a session does with what comes in. */
export interface SessionEvents {
  /** Answers a request. */
  answer(
    session: McpSession,
    params: JsonRpcParams,
    context: RequestContext,
  ): unknown;
  /** Hears a notification. */
  hear(session: McpSession, notification: JsonRpcNotification): unknown;
  /** Says the last words before the client is sent away; resolves when they have left. */
  conclude(session: McpSession): Promise<void>;
}

/** Bounds of a session. */
export interface SessionLimits {
  /** Time without progress that a request to the client may take, in milliseconds. */
  readonly requestTimeout: number | undefined;
  /** Time that a request to the client may take in all, in milliseconds. */
  readonly maxRequestTimeout: number | undefined;
  /** Requests that may be in flight, in each direction. */
  readonly maxInFlight: number;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** What is behind {@linkcode ServerSession}. */
export class McpSession implements ServerSession {
  /** See {@linkcode ServerSession}. */
  readonly transport: WebSocketServerTransport;
  readonly #peer: JsonRpcPeer;
  readonly #events: SessionEvents;
  #clientInfo: Implementation | undefined;
  #clientCapabilities: Capabilities | undefined;
  #protocolVersion: string | undefined;
  #isInitialized = false;

  /**
   * @param transport A connection that was not started yet; it is started.
   * @param events Who answers.
   * @param limits Bounds.
   * @param reporter Told what happens.
   */
  constructor(
    transport: WebSocketServerTransport,
    events: SessionEvents,
    limits: SessionLimits,
    reporter: Reporter,
  ) {
    this.transport = transport;
    this.#events = events;
    this.#peer = new JsonRpcPeer({
      ...limits,
      send: (message, options) => transport.post(message, options),
      onError: (error) => {
        // An answer that came too late for its connection is nobody's fault.
        if (error instanceof MCPConnectionError && !transport.isOpen) return;
        reporter.error(`Session ${transport.id} failed`, error);
      },
    });
    this.#peer.onRequest((params, context) => events.answer(this, params, context));
    this.#peer.onAnyNotification((notification) => events.hear(this, notification));
    transport.onmessage = (message, extra) => this.#peer.receive(message, extra);
    transport.onclose = () => this.#peer.close(leftError);
  }

  /** See {@linkcode ServerSession}. */
  get id(): string {
    return this.transport.id;
  }

  /** See {@linkcode ServerSession}. */
  get principal(): Principal | undefined {
    return this.transport.principal;
  }

  /** See {@linkcode ServerSession}. */
  get clientInfo(): Implementation | undefined {
    return this.#clientInfo;
  }

  /** See {@linkcode ServerSession}. */
  get clientCapabilities(): Capabilities | undefined {
    return this.#clientCapabilities;
  }

  /** See {@linkcode ServerSession}. */
  get protocolVersion(): string | undefined {
    return this.#protocolVersion;
  }

  /** See {@linkcode ServerSession}. */
  request<Result>(
    method: string,
    params?: unknown,
    options?: RequestOptions,
  ): Promise<Result> {
    return this.#peer.request<Result>(
      method,
      isObject(params) ? params : undefined,
      options,
    );
  }

  /** See {@linkcode ServerSession}. */
  async notify(method: string, params?: JsonRpcParams): Promise<void> {
    await this.#peer.notify(method, params);
  }

  /** See {@linkcode ServerSession}. */
  async disconnect(reason: string, code?: number): Promise<void> {
    await this.#events.conclude(this);
    await this.transport.disconnect(reason, code);
  }

  /** Whether the client has said that `initialize` is done; those of the modern era never do. */
  get isInitialized(): boolean {
    return this.#isInitialized;
  }

  /** Notes that the client has completed the opening. */
  open(): void {
    this.#isInitialized = this.#protocolVersion !== undefined;
  }

  /** Notes who the client is. */
  initialize(params: JsonRpcParams, result: InitializeResult): void {
    this.#protocolVersion = result.protocolVersion;
    const { clientInfo: info, capabilities } = params;
    this.#clientCapabilities = isObject(capabilities) ? capabilities as Capabilities : undefined;
    const isNamed = isObject(info) && typeof info.name === "string" &&
      typeof info.version === "string";
    this.#clientInfo = isNamed ? info as unknown as Implementation : undefined;
  }
}

function leftError(): Error {
  return new MCPConnectionError("The client has disconnected");
}
