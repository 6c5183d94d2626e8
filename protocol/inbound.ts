import type { JsonRpcParams, JsonRpcRequest, RequestId } from "./jsonrpc.ts";
import { isObject, isRequestId } from "./jsonrpc.ts";
import { PROGRESS } from "./mcp.ts";
import type { MessageExtra } from "./transport.ts";

/** What a handler knows of the request it answers. */
export interface RequestContext {
  /** The id its sender gave it. */
  readonly id: RequestId;
  /** Its method. */
  readonly method: string;
  /** Aborted when the caller cancels, or the connection ends. */
  readonly signal: AbortSignal;
  /** What is known besides its content. */
  readonly extra: MessageExtra | undefined;
  /**
   * Tells the caller how far the request has come, if the caller asked for it.
   *
   * @param progress What is done; it must grow.
   * @param total What there is to do.
   * @param message What is being done, for people.
   */
  progress(progress: number, total?: number, message?: string): void;
  /** Sends a notification that belongs to this request. */
  notify(method: string, params?: JsonRpcParams): void;
}

/** How a request reaches back to its connection. */
export type Notify = (
  method: string,
  params: JsonRpcParams | undefined,
  from: RequestId,
) => void;

/** A request that is being handled. */
export class InboundRequest implements RequestContext {
  readonly #request: JsonRpcRequest;
  readonly #notify: Notify;
  readonly #extra: MessageExtra | undefined;
  /** Made when somebody asks: most handlers never look at their signal. */
  #controller: AbortController | undefined;
  #abortReason: unknown;
  #isDone = false;

  /**
   * @param request What came in.
   * @param extra What is known besides.
   * @param notify How to reach the caller.
   */
  constructor(
    request: JsonRpcRequest,
    extra: MessageExtra | undefined,
    notify: Notify,
  ) {
    this.#request = request;
    this.#extra = extra;
    this.#notify = notify;
  }

  /** See {@linkcode RequestContext}. */
  get id(): RequestId {
    return this.#request.id;
  }

  /** See {@linkcode RequestContext}. */
  get method(): string {
    return this.#request.method;
  }

  /** See {@linkcode RequestContext}. */
  get extra(): MessageExtra | undefined {
    return this.#extra;
  }

  /** See {@linkcode RequestContext}. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) {
        this.#controller.abort(this.#abortReason);
      }
    }
    return this.#controller.signal;
  }

  /** Whether nothing may be sent for it any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** See {@linkcode RequestContext}. Made when somebody asks, and bound: handlers take it out. */
  get progress(): RequestContext["progress"] {
    return (progress, total, message) => {
      const meta = this.#request.params?._meta;
      const token = isObject(meta) ? meta.progressToken : undefined;
      if (!isRequestId(token)) return;
      this.#tell(PROGRESS, {
        progressToken: token,
        progress,
        ...(total === undefined ? {} : { total }),
        ...(message === undefined ? {} : { message }),
      });
    };
  }

  /** See {@linkcode RequestContext}. Made when somebody asks, and bound: handlers take it out. */
  get notify(): RequestContext["notify"] {
    return (method, params) => this.#tell(method, params);
  }

  /** Notes that the answer is on its way. */
  finish(): void {
    this.#isDone = true;
  }

  /** Tells the handler to stop; nothing more is sent for the request. */
  abort(reason: Error): void {
    this.#isDone = true;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #tell(method: string, params: JsonRpcParams | undefined): void {
    if (!this.#isDone) this.#notify(method, params, this.#request.id);
  }
}
