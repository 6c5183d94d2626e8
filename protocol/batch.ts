import type { Clock, Timer } from "./clock.ts";
import { MCPRpcError } from "./errors.ts";
import {
  checkMessage,
  errorResponse,
  invalidRequest,
  isRequestId,
  type JsonRpcMessage,
  type JsonRpcResponse,
  parseBatch,
  type RequestId,
} from "./jsonrpc.ts";
import { BATCH_VERSION, CANCELLED, INITIALIZE } from "./mcp.ts";
import { countBytes } from "./utf8.ts";

/** How many messages a batch may hold, unless somebody says otherwise. */
export const MAX_BATCH = 100;
/**
 * How long an answer waits for the others of its batch, in milliseconds: half of
 * what a request usually may take.
 */
const MAX_WAIT = 30_000;

/** What a batch holds: messages, and why the rest are none. */
export type BatchItem = JsonRpcMessage | MCPRpcError;

/**
 * What a batch holds. `initialize` must not be in one (MCP 2025-03-26, lifecycle).
 *
 * @param text What the peer sent.
 * @param maxItems How many messages there may be.
 * @param maxDepth How deep each may be nested.
 * @throws {MCPRpcError} If it is no batch that is taken.
 */
export function readBatch(text: string, maxItems: number, maxDepth: number): BatchItem[] {
  return parseBatch(text, maxItems, maxDepth).map((value) => readItem(value, maxDepth));
}

function readItem(value: unknown, maxDepth: number): BatchItem {
  try {
    const message = checkMessage(value, maxDepth);
    const isOpening = "method" in message && message.method === INITIALIZE;
    if (!isOpening) return message;
    const id = "id" in message ? message.id : undefined;
    return invalidRequest(`"${INITIALIZE}" must not be part of a batch`, id);
  } catch (thrown) {
    if (thrown instanceof MCPRpcError) return thrown;
    throw thrown;
  }
}

/** Finds out whether batches were negotiated: one revision of MCP has them. */
export class BatchTerms {
  #opening: RequestId | undefined;
  #areAgreed = false;

  /** Whether arrays of messages may be sent, in both directions. */
  get areAgreed(): boolean {
    return this.#areAgreed;
  }

  /** Notes what the end that opens the conversation says. */
  asked(message: JsonRpcMessage): void {
    if ("method" in message && message.method === INITIALIZE && "id" in message) {
      this.#opening = message.id;
    }
  }

  /** Notes what the other end says. */
  answered(message: JsonRpcMessage): void {
    if (this.#opening === undefined || "method" in message) return;
    if (message.id !== this.#opening) return;
    this.#opening = undefined;
    this.#areAgreed = "result" in message && message.result.protocolVersion === BATCH_VERSION;
  }
}

/** What {@linkcode BatchAnswers} needs. */
export interface BatchAnswersOptions {
  /** Writes a frame. */
  readonly write: (text: string) => void;
  /** The largest frame that is written, in bytes of UTF-8. */
  readonly maxBytes: number;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** A batch that came in, until all of it is answered. */
interface Batch {
  /** Answers that did not leave yet. */
  texts: string[];
  /** Their bytes of UTF-8. */
  bytes: number;
  /** Requests without an answer, and one more while the batch is being read. */
  waiting: number;
  timer: Timer | undefined;
}

/** Brings the answers to a batch together in one frame (JSON-RPC 2.0, section 6). */
export class BatchAnswers {
  readonly #options: BatchAnswersOptions;
  /** The batch that each request belongs to. */
  readonly #batches = new Map<RequestId, Batch>();
  #bytes = 0;

  /** @param options How to write. */
  constructor(options: BatchAnswersOptions) {
    this.#options = options;
  }

  /** Bytes of answers that wait for others. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Hands the messages of a batch on, in their order.
   *
   * @param items What it holds.
   * @param deliver Takes a message.
   * @param fault Told why an item is none.
   */
  read(
    items: readonly BatchItem[],
    deliver: (message: JsonRpcMessage) => void,
    fault: (error: Error) => void,
  ): void {
    const batch: Batch = { texts: [], bytes: 0, waiting: 1, timer: undefined };
    for (const item of items) {
      if (!(item instanceof MCPRpcError)) {
        if (this.#expect(batch, item)) deliver(item);
        continue;
      }
      fault(item);
      this.#add(batch, JSON.stringify({ ...errorResponse(item), id: item.id ?? null }));
    }
    this.#settle(batch);
  }

  /**
   * Keeps an answer for its batch.
   *
   * @returns Whether it belongs to one; if not, it is to be sent alone.
   */
  keep(message: JsonRpcMessage, text: string): boolean {
    if (this.#batches.size === 0 || "method" in message) return false;
    const batch = this.#take(message.id);
    if (batch === undefined) return false;
    this.#add(batch, text);
    this.#settle(batch);
    return true;
  }

  /**
   * Notes what the peer says outside any batch: nobody waits for the answer to
   * what is cancelled.
   *
   * @returns Whether the message may be handed on; not if its id is in use here.
   */
  heard(message: JsonRpcMessage): boolean {
    if (this.#batches.size === 0) return true;
    this.#cancel(message);
    const id = requestIdOf(message);
    if (id === undefined || !this.#batches.has(id)) return true;
    this.#options.write(JSON.stringify(inUse(id)));
    return false;
  }

  /** Forgets all: the connection has ended. */
  clear(): void {
    for (const { timer } of this.#batches.values()) timer?.clear();
    this.#batches.clear();
    this.#bytes = 0;
  }

  /** Notes a request. Returns whether the message may be handed on. */
  #expect(batch: Batch, message: JsonRpcMessage): boolean {
    this.#cancel(message);
    const id = requestIdOf(message);
    if (id === undefined) return true;
    if (this.#batches.has(id)) {
      this.#add(batch, JSON.stringify(inUse(id)));
      return false;
    }
    batch.waiting++;
    this.#batches.set(id, batch);
    return true;
  }

  #cancel(message: JsonRpcMessage): void {
    if (!("method" in message) || message.method !== CANCELLED) return;
    const batch = this.#take(message.params?.requestId);
    if (batch !== undefined) this.#settle(batch);
  }

  #take(id: unknown): Batch | undefined {
    if (!isRequestId(id)) return undefined;
    const batch = this.#batches.get(id);
    this.#batches.delete(id);
    return batch;
  }

  #add(batch: Batch, text: string): void {
    const bytes = countBytes(text) + 1;
    if (batch.bytes + bytes >= this.#options.maxBytes) this.#flush(batch);
    batch.texts.push(text);
    batch.bytes += bytes;
    this.#bytes += bytes;
  }

  /** One answer less is waited for; the rest does not wait for ever. */
  #settle(batch: Batch): void {
    batch.waiting--;
    if (batch.waiting === 0) return this.#flush(batch);
    if (batch.texts.length === 0) return;
    batch.timer ??= this.#options.clock.after(MAX_WAIT, () => this.#flush(batch));
  }

  #flush(batch: Batch): void {
    batch.timer?.clear();
    batch.timer = undefined;
    const { texts } = batch;
    if (texts.length === 0) return;
    this.#bytes -= batch.bytes;
    batch.texts = [];
    batch.bytes = 0;
    this.#options.write(`[${texts.join(",")}]`);
  }
}

function requestIdOf(message: JsonRpcMessage): RequestId | undefined {
  return "method" in message && "id" in message ? message.id : undefined;
}

function inUse(id: RequestId): JsonRpcResponse {
  return errorResponse(invalidRequest("its id is in use"), id);
}
