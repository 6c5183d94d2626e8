import { MCPError, toError } from "./errors.ts";
import { guard } from "./guard.ts";
import type { JsonRpcMessage, RequestId } from "./jsonrpc.ts";
import type { JsonRpcPeerOptions } from "./peer_options.ts";
import type { SendOptions } from "./transport.ts";

/** Whoever waits until a message has left. */
export interface Sending {
  /**
   * It could not be sent, now or later.
   *
   * @param error Why.
   * @param id Whose it was: who waits for several needs nothing else to tell them apart.
   */
  unsent(error: unknown, id?: RequestId): void;
}

/** How messages of a peer leave, and where it tells what goes wrong. */
export class Outlet implements Sending {
  #reason: Error | (() => Error) | undefined;
  readonly #send: JsonRpcPeerOptions["send"];
  readonly #onError: JsonRpcPeerOptions["onError"];

  /** @param options Who sends, and who is told. */
  constructor({ send, onError }: JsonRpcPeerOptions) {
    this.#send = send;
    this.#onError = onError;
  }

  /** Whether the conversation has ended. */
  get isClosed(): boolean {
    return this.#reason !== undefined;
  }

  /** Why the conversation has ended, if it has: nobody needs to be told of that. */
  get closed(): Error | undefined {
    if (typeof this.#reason === "function") this.#reason = this.#reason();
    return this.#reason;
  }

  /** Notes that the conversation has ended; a function is asked when somebody wants to know why. */
  close(reason: Error | (() => Error)): void {
    this.#reason = reason;
  }

  /** Notes that the conversation goes on. */
  reopen(): void {
    this.#reason = undefined;
  }

  /** Sends a message. Throws or rejects if it cannot. */
  send(message: JsonRpcMessage, options: SendOptions | undefined): void | Promise<void> {
    return this.#send(message, options);
  }

  /**
   * Sends a message, and tells if it cannot.
   *
   * @param message The message.
   * @param options How.
   * @param sending Who is told; by default, whoever hears of errors.
   * @param id Whose message it is.
   */
  transmit(
    message: JsonRpcMessage,
    options: SendOptions | undefined,
    sending: Sending = this,
    id?: RequestId,
  ): void {
    try {
      const left = this.#send(message, options);
      if (left !== undefined) follow(left, sending, id);
    } catch (error) {
      sending.unsent(error, id);
    }
  }

  /** Tells what goes wrong outside any request. */
  report(error: unknown): void {
    if (this.isClosed && error instanceof MCPError && error === this.closed) return;
    // Whoever fails at hearing of errors is not told of another one.
    guard(() => this.#onError?.(toError(error)), () => {});
  }

  /** See {@linkcode Sending}. */
  unsent(error: unknown): void {
    this.report(error);
  }
}

function follow(left: Promise<void>, sending: Sending, id: RequestId | undefined): void {
  left.catch((error) => sending.unsent(error, id));
}
