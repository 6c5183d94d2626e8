import { MCPCapacityError } from "../protocol/errors.ts";
import type { JsonRpcMessage, JsonRpcRequest, RequestId } from "../protocol/jsonrpc.ts";
import { CANCELLED, DISCOVER, INITIALIZED, PING } from "../protocol/mcp.ts";
import type { MessageExtra, SendOptions } from "../protocol/transport.ts";
import { Conversation, type ConversationOptions, type LostRequest } from "./conversation.ts";
import { InboundIds, type Side } from "./inbound_ids.ts";
import type { Question } from "./private_requests.ts";

/** Options of {@linkcode Exchange}. */
export interface ExchangeOptions extends ConversationOptions {
  /** Requests that may be in flight. */
  readonly maxInFlight: number;
}

/** A message for the application that this end made up. */
export interface Notice {
  /** The message. */
  readonly message: JsonRpcMessage;
  /** What is known besides. */
  readonly extra?: MessageExtra;
}

/**
 * The application's messages, across connections: what passes in either
 * direction is noted, and what a loss means for each request is told.
 */
export class Exchange {
  /** What a new connection has to be told again. */
  readonly conversation: Conversation;
  readonly #inboundIds = new InboundIds();
  readonly #maxInFlight: number;

  /** @param options The bound, and the policy for sending again. */
  constructor(options: ExchangeOptions) {
    this.conversation = new Conversation(options);
    this.#maxInFlight = options.maxInFlight;
  }

  /**
   * Notes a message that leaves.
   *
   * @returns The message as the peer knows it; `undefined` if it belongs to a lost request.
   * @throws {TypeError} If it uses an id of the transport's own.
   * @throws {MCPCapacityError} If too many requests are in flight.
   */
  outgoing(message: JsonRpcMessage, options?: SendOptions): JsonRpcMessage | undefined {
    if (!("method" in message)) return this.#inboundIds.answer(message);
    if ("id" in message && message.id !== undefined) this.#checkRequest(message);
    else {
      const notification = this.#inboundIds.release(message);
      if (notification !== message) return notification;
    }
    this.conversation.sent(message, options);
    return message;
  }

  /**
   * Notes a message that came in.
   *
   * @param message The message.
   * @param side The connection it came in on.
   * @returns The message as the application may see it; `undefined` if it is none of its business.
   */
  incoming(message: JsonRpcMessage, side: Side = "present"): JsonRpcMessage | undefined {
    if (!("method" in message)) {
      return this.conversation.answered(message, side) ? message : undefined;
    }
    if ("id" in message && message.id !== undefined) return this.#inboundIds.accept(message, side);
    return this.#inboundIds.translate(message, side);
  }

  /** Which connection a message that leaves belongs to, while one is being left for another. */
  sideOf(message: JsonRpcMessage): Side {
    if (!("method" in message)) return this.#inboundIds.sideOf(message);
    if ("id" in message && message.id !== undefined) return "present";
    return message.method === CANCELLED
      ? this.conversation.sideOf(message.params?.requestId)
      : this.#inboundIds.sideOf(message);
  }

  /** How much is in flight on the connection that is being left. */
  get leaving(): number {
    return this.conversation.leaving + this.#inboundIds.size("leaving");
  }

  /**
   * What is in flight belongs to a connection that is being left.
   *
   * @returns The subscriptions, which move.
   */
  leave(): JsonRpcRequest[] {
    this.#inboundIds.leave();
    return this.conversation.leave();
  }

  /**
   * Notes that a connection was lost.
   *
   * @param mayRepeat Whether requests may be sent again.
   * @param side Which connection.
   * @returns What the application has to be told.
   */
  lose(mayRepeat: boolean, side: Side = "present"): Notice[] {
    const cancels = this.#inboundIds.lose(side).map((message) => ({ message }));
    return [...cancels, ...this.conversation.lose(mayRepeat, side).map(toNotice)];
  }

  /** Gives up one request. Returns what the application has to be told. */
  fail(id: RequestId): Notice[] {
    const lost = this.conversation.fail(id);
    return lost === undefined ? [] : [toNotice(lost)];
  }

  /**
   * What asks the peer for a sign of life: every legacy peer answers `ping`.
   *
   * @param discover Whether a modern peer is asked `server/discover`.
   * @returns `undefined` if the peer cannot be asked.
   */
  question(discover: boolean): Question | undefined {
    const { era, modernMeta } = this.conversation;
    if (era === "legacy") return { method: PING };
    return discover && modernMeta ? { method: DISCOVER, params: { _meta: modernMeta } } : undefined;
  }

  #checkRequest({ id }: JsonRpcRequest): void {
    if (typeof id === "number" && id < 0) {
      throw new TypeError(`Cannot send request ${id}: negative ids are the transport's own`);
    }
    if (this.conversation.size < this.#maxInFlight) return;
    const text = `Cannot send request as ${this.#maxInFlight} are in flight already`;
    throw new MCPCapacityError(text, this.#maxInFlight);
  }
}

function toNotice({ response, error }: LostRequest): Notice {
  return { message: response, extra: { lost: error } };
}

/** Whether the message completes the opening; a request is likely to follow at once. */
export function isInitialized(message: JsonRpcMessage): boolean {
  return "method" in message && message.method === INITIALIZED;
}
