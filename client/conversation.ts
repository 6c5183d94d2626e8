import { IdTable } from "../protocol/id_table.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import {
  ERROR_CODES,
  isObject,
  type JsonRpcErrorResponse,
  type JsonRpcNotification,
  type JsonRpcParams,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../protocol/jsonrpc.ts";
import {
  CANCELLED,
  DISCOVER,
  type Era,
  INITIALIZE,
  INITIALIZED,
  isSafeToRepeat,
  LIST_TOOLS,
  LISTEN,
  listToolSafety,
  requestVersion,
  SET_LEVEL,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "../protocol/mcp.ts";
import type { SendOptions } from "../protocol/transport.ts";
import type { Side } from "./inbound_ids.ts";
import { type RequestMeter, UNMEASURED } from "./request_meter.ts";

/** Options of {@linkcode Conversation}. */
export interface ConversationOptions {
  /** Decides whether a request that may have been acted on is sent again. */
  readonly resend:
    | ((request: JsonRpcRequest, isSafe: boolean) => boolean)
    | undefined;
  /** Measures requests. */
  readonly meter?: RequestMeter | undefined;
}

interface InFlight {
  readonly request: JsonRpcRequest;
  readonly retry: boolean | undefined;
  /** What the meter gave for it. */
  readonly startedAt: number;
  /** How many connections were lost while it was in flight. */
  losses: number;
  /** The connection it is in flight on. */
  side: Side;
}

/** A request that is settled here because its connection was lost. */
export interface LostRequest {
  /** The answer the application gets. */
  readonly response: JsonRpcErrorResponse;
  /** The same for those who read errors. */
  readonly error: MCPConnectionError;
}

/** Something that is told to a new connection again. */
export interface Repeated {
  /** The method. */
  readonly method: string;
  /** Its parameters. */
  readonly params: JsonRpcParams | undefined;
  /** Whether it expects an answer. */
  readonly isRequest: boolean;
}

/** Connections that a request may outlive: it may be what they are lost by. */
const MAX_LOSSES = 3;

/** Tools and subscriptions that are remembered. */
const MAX_REMEMBERED = 10_000;

/**
 * What was said on a connection, as far as a new one has to be told again. A
 * plain peer has no sessions: after a reconnect it knows nothing.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #inFlight = new IdTable<InFlight>();
  /** How many of them are in flight on the connection that is being left. */
  #leaving = 0;
  readonly #safeTools = new Set<string>();
  readonly #subscriptions = new Map<string, JsonRpcParams>();
  #level: JsonRpcParams | undefined;
  #initialize: JsonRpcRequest | undefined;
  #initializeResult: JsonRpcParams | undefined;
  #initialized: JsonRpcNotification | undefined;
  #modernMeta: JsonRpcParams | undefined;

  /** @param options The policy for sending again. */
  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** How many requests are in flight. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** The peer's era, as soon as it shows. */
  get era(): Era | undefined {
    if (this.#initializeResult !== undefined) return "legacy";
    return this.#modernMeta === undefined ? undefined : "modern";
  }

  /** `_meta` of the first modern request. */
  get modernMeta(): JsonRpcParams | undefined {
    return this.#modernMeta;
  }

  /** Notes a request or notification that leaves. */
  sent(
    message: JsonRpcRequest | JsonRpcNotification,
    options?: SendOptions,
  ): void {
    if ("id" in message && message.id !== undefined) {
      const startedAt = this.#start(message);
      const retry = options?.retry;
      const side = "present";
      this.#remove(message.id);
      this.#inFlight.add(message.id, { request: message, retry, startedAt, losses: 0, side });
      if (message.method === INITIALIZE) this.#noteInitialize(message);
      else if (this.era === undefined) this.#noteEra(message);
    } else if (message.method === INITIALIZED) this.#initialized = message;
    else if (message.method === CANCELLED) {
      this.forget(message.params?.requestId);
    }
  }

  /** Forgets a request that nobody waits for any more. Returns whether it was in flight. */
  forget(id: unknown): boolean {
    return this.#remove(id as RequestId) !== undefined;
  }

  /**
   * Notes an answer that came in.
   *
   * @param response The answer.
   * @param side The connection it came in on.
   * @returns Whether the application may see it; not if its request has moved to
   * another connection meanwhile, and is answered there.
   */
  answered(response: JsonRpcResponse, side: Side = "present"): boolean {
    const { id } = response;
    const entry = id === undefined ? undefined : this.#inFlight.get(id);
    if (entry === undefined) return true;
    if (entry.side !== side) return false;
    this.#remove(entry.request.id);
    this.#options.meter?.answered(entry.startedAt, "error" in response);
    if ("result" in response) this.#learn(entry.request, response.result);
    return true;
  }

  /**
   * Notes that a connection was lost.
   *
   * @param mayRepeat Whether anything may be sent again; not after a message
   * that was too large for the peer.
   * @param side Which connection.
   * @returns The requests that must not be sent again, settled.
   */
  lose(mayRepeat: boolean, side: Side = "present"): LostRequest[] {
    const lost: LostRequest[] = [];
    for (const [id, entry] of this.#inFlight.entries()) {
      if (entry.side !== side || (mayRepeat && this.#mayRepeat(entry))) continue;
      this.#remove(id);
      this.#options.meter?.lost();
      lost.push(lostRequest(entry.request));
    }
    return lost;
  }

  /** The `initialize` that a new connection has to hear first, with what it gave; none if it is still in flight. */
  get opening(): { params: JsonRpcParams; result: JsonRpcParams } | undefined {
    if (
      this.#initialize === undefined || this.#initializeResult === undefined
    ) return undefined;
    return {
      params: this.#initialize.params ?? {},
      result: this.#initializeResult,
    };
  }

  /** What a new connection has to hear after `initialize`. */
  *reopening(): Generator<Repeated> {
    if (this.#initialized !== undefined) {
      yield {
        method: INITIALIZED,
        params: this.#initialized.params,
        isRequest: false,
      };
    }
    if (this.#level !== undefined) {
      yield { method: SET_LEVEL, params: this.#level, isRequest: true };
    }
    for (const params of this.#subscriptions.values()) {
      yield { method: SUBSCRIBE, params, isRequest: true };
    }
  }

  /**
   * The requests that are sent again, in their order, as those that are in
   * flight were lost with their connection.
   *
   * @param side Which connection was lost; they belong to the present one now.
   */
  *repeated(side: Side = "present"): Generator<JsonRpcRequest> {
    for (const [, entry] of this.#inFlight.entries()) {
      if (entry.side !== side) continue;
      this.#move(entry, "present");
      yield entry.request;
    }
  }

  /** The connection a request is in flight on. */
  sideOf(id: unknown): Side {
    return this.#inFlight.get(id as RequestId)?.side ?? "present";
  }

  /** How many requests are in flight on the connection that is being left. */
  get leaving(): number {
    return this.#leaving;
  }

  /**
   * What is in flight belongs to a connection that is being left.
   *
   * @returns The subscriptions: nobody waits for their end, so they move.
   */
  leave(): JsonRpcRequest[] {
    const subscriptions: JsonRpcRequest[] = [];
    for (const [, entry] of this.#inFlight.entries()) {
      if (entry.request.method === LISTEN) subscriptions.push(entry.request);
      else this.#move(entry, "leaving");
    }
    return subscriptions;
  }

  /**
   * Gives up one request, which never gets through.
   *
   * @returns The request, settled; `undefined` if it is not in flight.
   */
  fail(id: RequestId): LostRequest | undefined {
    const entry = this.#remove(id);
    if (entry === undefined) return undefined;
    this.#options.meter?.lost();
    return lostRequest(entry.request);
  }

  #remove(id: RequestId): InFlight | undefined {
    const entry = this.#inFlight.take(id);
    if (entry?.side === "leaving") this.#leaving--;
    return entry;
  }

  #move(entry: InFlight, side: Side): void {
    if (entry.side === side) return;
    entry.side = side;
    this.#leaving += side === "leaving" ? 1 : -1;
  }

  #mayRepeat(entry: InFlight): boolean {
    const { request, retry } = entry;
    // A subscription stays in flight for good, and is too small to harm.
    if (++entry.losses > MAX_LOSSES && request.method !== LISTEN) return false;
    const isSafe = retry ??
      isSafeToRepeat(request.method, request.params, this.#safeTools);
    return this.#options.resend?.(request, isSafe) ?? isSafe;
  }

  /** Who initializes waits for the probe no longer, although SDK v2 does not cancel it. */
  #noteInitialize(initialize: JsonRpcRequest): void {
    this.#initialize = initialize;
    for (const [id, { request }] of this.#inFlight.entries()) {
      if (request.method === DISCOVER) this.#remove(id);
    }
  }

  /** A subscription takes as long as it is wanted. */
  #start({ method }: JsonRpcRequest): number {
    const { meter } = this.#options;
    return meter === undefined || method === LISTEN ? UNMEASURED : meter.started();
  }

  #noteEra(request: JsonRpcRequest): void {
    if (requestVersion(request.params) === undefined) return;
    const meta = request.params?._meta;
    if (isObject(meta)) {
      this.#modernMeta = { ...meta, progressToken: undefined };
    }
  }

  #learn(request: JsonRpcRequest, result: JsonRpcParams): void {
    const { method, params = {} } = request;
    switch (method) {
      case INITIALIZE:
        this.#initializeResult = result;
        break;
      case LIST_TOOLS:
        this.#learnTools(result);
        break;
      case SUBSCRIBE:
        if (this.#subscriptions.size < MAX_REMEMBERED) {
          this.#subscriptions.set(String(params.uri), params);
        }
        break;
      case UNSUBSCRIBE:
        this.#subscriptions.delete(String(params.uri));
        break;
      case SET_LEVEL:
        this.#level = params;
        break;
    }
  }

  #learnTools(result: JsonRpcParams): void {
    for (const { name, safe } of listToolSafety(result)) {
      if (!safe) this.#safeTools.delete(name);
      else if (this.#safeTools.size < MAX_REMEMBERED) this.#safeTools.add(name);
    }
  }
}

function lostRequest(request: JsonRpcRequest): LostRequest {
  const text = `Connection lost before "${request.method}" was answered: ` +
    "it may or may not have been carried out";
  const error = new MCPConnectionError(text, {
    outcome: "unknown",
    retryable: false,
  });
  const response: JsonRpcErrorResponse = {
    jsonrpc: "2.0",
    id: request.id,
    error: {
      code: ERROR_CODES.CONNECTION_LOST,
      message: text,
      data: { outcome: "unknown" },
    },
  };
  return { response, error };
}
