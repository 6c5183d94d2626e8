import { BatchAnswers, BatchTerms } from "../protocol/batch.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { CloseInfo, Link } from "../protocol/link.ts";
import { Liveness } from "../protocol/liveness.ts";
import { PING } from "../protocol/mcp.ts";
import { pad } from "../protocol/padding.ts";
import { PlainReader } from "../protocol/plain.ts";
import { unconfirmedError } from "../protocol/plain_channel.ts";
import type { ConnectionSink, LiveConnection, Part, Watch } from "./live_connection.ts";
import { type AskLimits, PrivateRequests, type Question } from "./private_requests.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import { type Loss, lossOf } from "./recovery.ts";
import { holdsFrames } from "./runtime.ts";

/** One connection to a peer that speaks plain MCP. */
export class PlainConnection implements LiveConnection {
  /** See {@linkcode LiveConnection}. */
  readonly requests: PrivateRequests;
  /** A plain peer knows nothing of earlier connections. */
  readonly hasProgressed = false;
  /** A plain peer does not say welcome. */
  readonly wasWelcomed = false;
  readonly #link: Link;
  readonly #options: ResolvedOptions;
  readonly #sink: ConnectionSink;
  readonly #reader: PlainReader;
  /** What frames are filled up to, in bytes. */
  readonly #paddedSize: number;
  readonly #terms = new BatchTerms();
  readonly #answers: BatchAnswers;
  readonly #lost = Promise.withResolvers<Loss>();
  #liveness: Liveness | undefined;
  /** Set when this end has closed: what still comes in is nobody's any more. */
  #isClosing = false;
  #isLost = false;

  /**
   * @param link An open connection; it is listened to from now on.
   * @param options Timeouts and bounds.
   * @param sink Who listens.
   * @param paddedSize What frames are filled up to, in bytes; 0 leaves them as they are.
   */
  constructor(link: Link, options: ResolvedOptions, sink: ConnectionSink, paddedSize = 0) {
    this.#link = link;
    this.#options = options;
    this.#sink = sink;
    const { connectTimeout: timeout, clock, maxSendBytes, maxBatchItems } = options;
    this.#paddedSize = paddedSize <= maxSendBytes ? paddedSize : 0;
    this.#answers = new BatchAnswers({
      write: (text) => this.#write(text),
      maxBytes: maxSendBytes,
      clock,
    });
    const send = (text: string, request: JsonRpcMessage) => {
      this.#terms.asked(request);
      this.#write(text);
    };
    this.requests = new PrivateRequests({ send, lost: this.lost, timeout, clock });
    this.#reader = new PlainReader(
      {
        message: (message) => {
          if (this.#answers.heard(message)) this.#take(message);
        },
        batch: (items) => {
          this.#answers.read(items, (message) => this.#take(message), (error) => sink.fault(error));
        },
        fault: (error, reply) => {
          sink.fault(error);
          link.send(JSON.stringify(reply));
        },
        violation: (code, reason) => this.#violate(code, reason),
      },
      "client",
      options.maxReceiveBytes,
      options.maxDepth,
      { terms: this.#terms, maxItems: maxBatchItems },
    );
    link.redirect({ frame: (data) => this.frame(data), closed: (info) => this.#closed(info) });
  }

  /** See {@linkcode LiveConnection}. */
  get lost(): Promise<Loss> {
    return this.#lost.promise;
  }

  /** See {@linkcode LiveConnection}. */
  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** See {@linkcode LiveConnection}. */
  get isCongested(): boolean {
    return this.#link.isCongested;
  }

  /** See {@linkcode LiveConnection}. */
  mayRide(): boolean {
    return false;
  }

  /** See {@linkcode LiveConnection}. A plain peer neither says what it takes nor confirms anything. */
  check(_text: string, settled?: (error?: Error) => void): void {
    if (settled !== undefined) throw unconfirmedError();
  }

  /** See {@linkcode LiveConnection}. */
  send(text: string, message?: JsonRpcMessage): void {
    if (message !== undefined) {
      this.#terms.asked(message);
      if (this.#answers.keep(message, text)) return;
    }
    this.#write(text);
  }

  /** See {@linkcode LiveConnection}. Peers of one revision alone can read several messages in a frame. */
  sendTogether(parts: readonly Part[]): void {
    if (parts.length > 1 && this.#terms.areAgreed) {
      return this.#write(`[${parts.map(({ text }) => text).join(",")}]`);
    }
    for (const { text, message } of parts) this.send(text, message);
  }

  /** See {@linkcode LiveConnection}. */
  async drained(): Promise<void> {
    await this.#link.drained();
  }

  /** See {@linkcode LiveConnection}. With `heartbeat: false` nothing is asked. */
  escort(): void {
    if (holdsFrames() && this.#options.heartbeat !== false) this.requests.send({ method: PING });
  }

  /** See {@linkcode LiveConnection}. */
  watch({ heartbeat, question, pings }: Watch): void {
    if (this.#isLost) return;
    let asked = 0;
    // Any frame is life: what the answer says does not matter, only how long it took.
    const answered = () => this.#liveness?.answered();
    const ping = () => {
      const asks = question();
      if (asks === undefined) return false;
      // An answer to an older one would be taken for this one's.
      this.requests.forget(asked);
      asked = this.requests.send(asks, answered);
      return true;
    };
    const dead = () => {
      const reason = "The peer is silent";
      this.#link.abandon();
      this.#closed({ code: CLOSE_CODES.HEARTBEAT_TIMEOUT, reason });
    };
    this.#liveness = new Liveness(heartbeat, this.#options.clock, { ping, dead }, pings);
  }

  /** See {@linkcode LiveConnection}. */
  prober(question: Question | undefined): ((limits: AskLimits) => Promise<unknown>) | undefined {
    return question && ((limits) => this.requests.ask(question, limits));
  }

  /** See {@linkcode LiveConnection}. */
  async close(): Promise<void> {
    this.#liveness?.stop();
    this.#close(CLOSE_CODES.DONE, "");
    await this.#lost.promise;
  }

  /** See {@linkcode LiveConnection}. */
  drop(): void {
    this.#link.abandon();
    this.#closed({ code: CLOSE_CODES.DONE, reason: "" });
  }

  /** Takes a frame. */
  frame(data: unknown): void {
    if (this.#isClosing) return;
    this.#liveness?.seen();
    if (typeof data === "string") this.#sink.frame(data.length);
    this.#reader.read(data);
  }

  #take(message: JsonRpcMessage): void {
    this.#terms.answered(message);
    if (!this.requests.settle(message)) this.#sink.message(message, this);
  }

  #write(text: string): void {
    this.#link.send(pad(text, this.#paddedSize));
  }

  #violate(code: number, reason: string): void {
    this.#sink.fault(
      new MCPConnectionError(reason, { kind: "protocol", code, retryable: false }),
    );
    this.#close(code, reason);
  }

  #close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#link.close(code, reason);
  }

  #closed(info: CloseInfo): void {
    this.#isLost = true;
    this.#answers.clear();
    this.#liveness?.stop();
    this.#lost.resolve(lossOf(info));
  }
}
