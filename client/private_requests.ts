import type { Clock } from "../protocol/clock.ts";
import { MCPRpcError, MCPTimeoutError } from "../protocol/errors.ts";
import type {
  JsonRpcMessage,
  JsonRpcParams,
  JsonRpcRequest,
  JsonRpcResponse,
} from "../protocol/jsonrpc.ts";
import { type Loss, lossError } from "./recovery.ts";

/** Something to ask the peer. */
export interface Question {
  /** The method. */
  readonly method: string;
  /** Its parameters. */
  readonly params?: JsonRpcParams | undefined;
}

/** Limits of a question. */
export interface AskLimits {
  /** How long the answer may take, in milliseconds; by default as long as connecting may. */
  readonly timeout?: number | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** What {@linkcode PrivateRequests} needs. */
export interface PrivateRequestsOptions {
  /** Sends a request. */
  readonly send: (text: string, request: JsonRpcRequest) => void;
  /** Resolves when the connection is lost. */
  readonly lost: Promise<Loss>;
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** Hears an answer, whatever it says. */
type Listener = (response: JsonRpcResponse) => void;

/** What is waited for. */
interface Asked {
  readonly answered: Listener;
  /** Told instead that the connection is lost. */
  readonly lost?: (loss: Loss) => void;
}

/**
 * Requests of the transport's own on one connection, under negative ids: their
 * answers stay here.
 */
export class PrivateRequests {
  readonly #options: PrivateRequestsOptions;
  readonly #asked = new Map<number, Asked>();
  #loss: Loss | undefined;
  #nextId = -1;

  /** @param options How to send. */
  constructor(options: PrivateRequestsOptions) {
    this.#options = options;
    // Once: who asks often would pile up reactions as long as the connection lasts.
    options.lost.then((loss) => this.#lose(loss));
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @param question The request.
   * @param limits A time limit, and a signal.
   * @returns The answer, whatever it says.
   * @throws The signal's reason, if it aborts.
   * @throws {MCPTimeoutError} If it does not come in time.
   * @throws {MCPConnectionError} If the connection is lost before.
   */
  async ask(question: Question, limits: AskLimits = {}): Promise<JsonRpcResponse> {
    const { clock } = this.#options;
    const { timeout = this.#options.timeout, signal } = limits;
    signal?.throwIfAborted();
    if (this.#loss !== undefined) throw lossError(this.#loss);
    const { promise, resolve, reject } = Promise.withResolvers<JsonRpcResponse>();
    const id = this.#send(question, {
      answered: resolve,
      lost: (loss) => reject(lossError(loss)),
    });
    const timer = clock.after(timeout, () => {
      const text = `Peer did not answer "${question.method}" within ${timeout} ms`;
      reject(new MCPTimeoutError(text, timeout, { retryable: true }));
    });
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await promise;
    } finally {
      timer.clear();
      signal?.removeEventListener("abort", abort);
      this.forget(id);
    }
  }

  /**
   * Sends a request.
   *
   * @param question The request.
   * @param listener Hears the answer; without one it does not matter.
   * @returns Its id.
   */
  send(question: Question, listener?: Listener): number {
    return this.#send(question, listener && { answered: listener });
  }

  /** Does not wait for an answer any more. */
  forget(id: number): void {
    this.#asked.delete(id);
  }

  /** Takes a message that came in. Returns whether it was an answer to one of these. */
  settle(message: JsonRpcMessage): boolean {
    if ("method" in message || typeof message.id !== "number" || message.id >= 0) return false;
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    asked?.answered(message);
    return true;
  }

  #send({ method, params }: Question, asked: Asked | undefined): number {
    const id = this.#nextId--;
    if (asked !== undefined) this.#asked.set(id, asked);
    const request: JsonRpcRequest = { jsonrpc: "2.0", id, method };
    if (params !== undefined) request.params = params;
    this.#options.send(JSON.stringify(request), request);
    return id;
  }

  #lose(loss: Loss): void {
    this.#loss = loss;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { lost } of asked) lost?.(loss);
  }
}

/** The result in an answer. Throws what the peer answered instead. */
export function resultOf(response: JsonRpcResponse): JsonRpcParams {
  if ("result" in response) return response.result;
  const { code, message, data } = response.error;
  throw new MCPRpcError(code, message, { data });
}
