import { MCPRpcError } from "../protocol/errors.ts";
import { isPromiseLike } from "../protocol/guard.ts";
import type { RequestContext } from "../protocol/inbound.ts";
import {
  ERROR_CODES,
  isObject,
  type JsonRpcNotification,
  type JsonRpcParams,
  type RequestId,
} from "../protocol/jsonrpc.ts";
import {
  checkModernRequest,
  DISCOVER,
  discoverResult,
  type Identity,
  INITIALIZE,
  INITIALIZED,
  initializeResult,
  LISTEN,
  PING,
  requestVersion,
  SET_LEVEL,
  stampResult,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "../protocol/mcp.ts";
import type { Capabilities, Implementation } from "../protocol/mcp_types.ts";
import type { HandlerParams, ResultOf } from "../protocol/methods.ts";
import { methodNotFound } from "../protocol/responder.ts";
import type { MessageExtra } from "../protocol/transport.ts";
import { findParamsFault } from "./params.ts";
import type { McpSession, ServerSession, SessionEvents } from "./session.ts";

/** What a handler knows of the request it answers. */
export interface HandlerContext extends RequestContext {
  /** The client that asks. */
  readonly session: ServerSession;
}

/** What a listener knows of a notification. */
export interface NotificationContext {
  /** The client that sent it. */
  readonly session: ServerSession;
  /** What is known besides its content. */
  readonly extra: MessageExtra | undefined;
}

/** Answers a method of the table. */
export type MethodHandler<Shape> = (
  params: HandlerParams<Shape>,
  context: HandlerContext,
) => ResultOf<Shape> | Promise<ResultOf<Shape>>;

/** Answers a method that is not in the table; no result means an empty one. */
export type CustomHandler = (
  params: JsonRpcParams,
  context: HandlerContext,
) => object | void | Promise<object | void>;

/** Hears a notification. */
export type NotificationListener = (
  params: JsonRpcParams,
  context: NotificationContext,
) => unknown;

/** Any handler, after its types have been checked. */
export type AnyHandler = (params: never, context: HandlerContext) => unknown;

/** Methods that are answered here. */
const OWN_METHODS: ReadonlySet<string> = new Set([INITIALIZE, PING, DISCOVER]);
/** Methods that the modern era has removed. */
const LEGACY_METHODS: ReadonlySet<string> = new Set([
  INITIALIZE,
  PING,
  SET_LEVEL,
  SUBSCRIBE,
  UNSUBSCRIBE,
]);
/** Methods that the legacy era did not have. */
const MODERN_METHODS: ReadonlySet<string> = new Set([DISCOVER, LISTEN]);

/** The capability that each group of methods belongs to. */
const CAPABILITY_OF_GROUP: ReadonlyMap<string, string> = new Map([
  ["tools", "tools"],
  ["resources", "resources"],
  ["prompts", "prompts"],
  ["completion", "completions"],
  ["logging", "logging"],
]);

/** Options of {@linkcode Dispatcher}. */
export interface DispatcherOptions {
  /** Who the server is. */
  readonly info: Implementation;
  /** What it can do; by default, what its handlers say. */
  readonly capabilities: Capabilities | undefined;
  /** How to use it. */
  readonly instructions: string | undefined;
  /** Answers what nobody else does, by method. */
  readonly fallbacks: ReadonlyMap<string, AnyHandler>;
  /** Says the last words to a client. */
  readonly conclude: (session: ServerSession) => Promise<void>;
}

/**
 * Finds out who answers, and answers for the server itself. Both eras may come
 * on one connection, message by message: a request that says its revision is
 * of the modern one.
 */
export class Dispatcher implements SessionEvents {
  readonly #options: DispatcherOptions;
  readonly #handlers = new Map<string, AnyHandler>();
  readonly #listeners = new Map<string, NotificationListener>();
  #anyRequest: AnyHandler | undefined;

  /** @param options Who the server is. */
  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /**
   * Answers a method from now on; a second handler replaces the first.
   *
   * @throws {TypeError} If the server answers the method itself.
   */
  handle(method: string, handler: AnyHandler): void {
    if (OWN_METHODS.has(method)) {
      throw new TypeError(
        `Cannot handle "${method}": the server answers it itself`,
      );
    }
    this.#handlers.set(method, handler);
  }

  /** Answers every method that has no handler of its own. */
  onRequest(handler: AnyHandler): void {
    this.#anyRequest = handler;
  }

  /** Hears one kind of notification from now on; a second listener replaces the first. */
  onNotification(method: string, listener: NotificationListener): void {
    this.#listeners.set(method, listener);
  }

  /** See {@linkcode SessionEvents}. */
  answer(
    session: McpSession,
    params: JsonRpcParams,
    context: RequestContext,
  ): unknown {
    return requestVersion(params) === undefined
      ? this.#answerLegacy(session, params, context)
      : this.#answerModern(session, params, context);
  }

  /** See {@linkcode SessionEvents}. */
  hear(session: McpSession, notification: JsonRpcNotification): unknown {
    const { method, params = {} } = notification;
    if (method === INITIALIZED) session.open();
    return this.#listeners.get(method)?.(params, {
      session,
      extra: session.transport.extra,
    });
  }

  /** See {@linkcode SessionEvents}. */
  async conclude(session: McpSession): Promise<void> {
    await this.#options.conclude(session);
  }

  #answerLegacy(
    session: McpSession,
    params: JsonRpcParams,
    context: RequestContext,
  ): unknown {
    const { method } = context;
    if (method === PING) return {};
    if (method === INITIALIZE) {
      const { instructions } = this.#options;
      const result = initializeResult(params, this.#identity(), instructions);
      session.initialize(params, result);
      return result;
    }
    if (MODERN_METHODS.has(method)) {
      throw new MCPRpcError(
        ERROR_CODES.INVALID_PARAMS,
        `Method "${method}" needs a "_meta" that says the protocol version`,
      );
    }
    return this.#call(session, params, context);
  }

  #answerModern(
    session: McpSession,
    params: JsonRpcParams,
    context: RequestContext,
  ): unknown {
    checkModernRequest(params);
    const { method } = context;
    if (LEGACY_METHODS.has(method)) throw methodNotFound(method);
    const identity = this.#identity();
    if (method === DISCOVER) {
      const { instructions } = this.#options;
      return stampResult(discoverResult(identity, instructions), identity, method);
    }
    const result = this.#call(session, params, context);
    return isPromiseLike(result)
      ? result.then((value) => stampIfObject(value, identity, method))
      : stampIfObject(result, identity, method);
  }

  #call(
    session: McpSession,
    params: JsonRpcParams,
    context: RequestContext,
  ): unknown {
    const { method } = context;
    const handler = this.#handlers.get(method) ?? this.#anyRequest ??
      this.#options.fallbacks.get(method);
    if (handler === undefined) throw methodNotFound(method);
    const fault = findParamsFault(method, params);
    if (fault !== undefined) {
      throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, fault);
    }
    return handler(params as never, new SessionContext(context, session));
  }

  #identity(): Identity {
    const { info, capabilities } = this.#options;
    return { info, capabilities: capabilities ?? this.#capabilities() };
  }

  #capabilities(): Capabilities {
    const capabilities: Capabilities = {};
    for (const method of this.#handlers.keys()) {
      const name = CAPABILITY_OF_GROUP.get(method.split("/", 1)[0] ?? "");
      if (name !== undefined) capabilities[name] = {};
    }
    return capabilities;
  }
}

/** The context of a request, with the client that asks. */
class SessionContext implements HandlerContext {
  readonly #context: RequestContext;
  readonly session: ServerSession;

  constructor(context: RequestContext, session: ServerSession) {
    this.#context = context;
    this.session = session;
  }

  get id(): RequestId {
    return this.#context.id;
  }

  get method(): string {
    return this.#context.method;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get extra(): MessageExtra | undefined {
    return this.#context.extra;
  }

  get progress(): RequestContext["progress"] {
    return this.#context.progress;
  }

  get notify(): RequestContext["notify"] {
    return this.#context.notify;
  }
}

/** Whatever else a handler returned is refused by the peer, in both eras alike. */
function stampIfObject(result: unknown, identity: Identity, method: string): unknown {
  if (result === undefined) return stampResult({}, identity, method);
  return isObject(result) ? stampResult(result, identity, method) : result;
}
