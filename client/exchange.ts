import { MCPCapacityError } from "../protocol/errors.ts";
import type { JsonRpcMessage, JsonRpcRequest } from "../protocol/jsonrpc.ts";
import { DISCOVER, INITIALIZED, PING } from "../protocol/mcp.ts";
import type { MessageExtra, SendOptions } from "../protocol/transport.ts";
import { Conversation, type ConversationOptions } from "./conversation.ts";
import { InboundIds } from "./inbound_ids.ts";
import type { Question } from "./plain_connection.ts";

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

  /** Notes a message that came in. Returns it as the application may see it. */
  incoming(message: JsonRpcMessage): JsonRpcMessage {
    if (!("method" in message)) {
      this.conversation.answered(message);
      return message;
    }
    if ("id" in message && message.id !== undefined) return this.#inboundIds.accept(message);
    return this.#inboundIds.translate(message);
  }

  /**
   * Notes that the connection was lost.
   *
   * @param mayRepeat Whether requests may be sent again.
   * @returns What the application has to be told.
   */
  lose(mayRepeat: boolean): Notice[] {
    const cancels = this.#inboundIds.lose().map((message) => ({ message }));
    const answers = this.conversation.lose(mayRepeat).map(({ response, error }) => ({
      message: response,
      extra: { lost: error },
    }));
    return [...cancels, ...answers];
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

/** Whether the message completes the opening; a request is likely to follow at once. */
export function isInitialized(message: JsonRpcMessage): boolean {
  return "method" in message && message.method === INITIALIZED;
}
