import { type BatchItem, type BatchTerms, MAX_BATCH, readBatch } from "./batch.ts";
import { CLOSE_CODES } from "./close_codes.ts";
import { MCPRpcError, toError } from "./errors.ts";
import {
  errorResponse,
  isBatch,
  type JsonRpcErrorResponse,
  type JsonRpcMessage,
  parseMessage,
} from "./jsonrpc.ts";
import { MAX_DEPTH } from "./nesting.ts";
import { countBytes } from "./utf8.ts";

/** Who listens to a {@linkcode PlainReader}. */
export interface PlainSink {
  /** A valid message came in. */
  message(message: JsonRpcMessage): void;
  /** A batch came in; only where batches may be agreed on. */
  batch?(items: readonly BatchItem[]): void;
  /** A frame was no message: the peer is told with `reply`. */
  fault(error: Error, reply: JsonRpcErrorResponse): void;
  /** The peer broke the protocol for good. */
  violation(code: number, reason: string): void;
}

/** The codes one end uses: a WebSocket client may send 1000 and 3000–4999 only. */
interface ViolationCodes {
  readonly binary: number;
  readonly garbage: number;
  readonly tooBig: number;
}

const CODES: {
  readonly server: ViolationCodes;
  readonly client: ViolationCodes;
} = {
  server: {
    binary: CLOSE_CODES.UNSUPPORTED_DATA,
    garbage: CLOSE_CODES.PROTOCOL_ERROR,
    tooBig: CLOSE_CODES.TOO_BIG,
  },
  client: {
    binary: CLOSE_CODES.CLIENT_UNSUPPORTED_DATA,
    garbage: CLOSE_CODES.CLIENT_PROTOCOL_ERROR,
    tooBig: CLOSE_CODES.CLIENT_TOO_BIG,
  },
};

/** When batches are taken, and how large. */
export interface BatchBounds {
  /** Whether they were agreed on. */
  readonly terms: BatchTerms;
  /** How many messages each may hold; 100 by default. */
  readonly maxItems?: number | undefined;
}

/** Invalid frames in a row after which the connection is closed. */
const MAX_FAULTS = 10;
/** Invalid frames in all, after which it is closed: those beyond one for so many valid ones. */
const MAX_EXCESS = 100;
const VALID_PER_FAULT = 10;

/** Reads plain MCP: one JSON-RPC message per text frame, or a batch where that was agreed on. */
export class PlainReader {
  readonly #sink: PlainSink;
  readonly #codes: ViolationCodes;
  readonly #maxBytes: number;
  readonly #maxDepth: number;
  readonly #batches: BatchBounds | undefined;
  #faults = 0;
  /** Rises with every invalid frame, and falls more slowly with valid ones. */
  #score = 0;

  /**
   * @param sink Who listens.
   * @param end Which end of the socket this is: the one that accepted, or the one that dialled.
   * @param maxBytes The largest message taken, in bytes of UTF-8.
   * @param maxDepth How deep a message may nest.
   * @param batches Whether batches are taken; by default they are refused unread.
   */
  constructor(
    sink: PlainSink,
    end: "server" | "client",
    maxBytes: number,
    maxDepth: number = MAX_DEPTH,
    batches?: BatchBounds,
  ) {
    this.#sink = sink;
    this.#codes = CODES[end];
    this.#maxBytes = maxBytes;
    this.#maxDepth = maxDepth;
    this.#batches = batches;
  }

  /** Reads one frame; whatever it holds, the sink hears of it once. */
  read(data: unknown): void {
    if (typeof data !== "string") {
      return this.#sink.violation(
        this.#codes.binary,
        "Binary frames were not negotiated",
      );
    }
    if (this.#isTooBig(data)) {
      return this.#sink.violation(
        this.#codes.tooBig,
        `Message larger than ${this.#maxBytes} bytes`,
      );
    }
    if (this.#batches?.terms.areAgreed === true && isBatch(data)) return this.#readBatch(data);
    let message: JsonRpcMessage;
    try {
      message = parseMessage(data, this.#maxDepth);
    } catch (thrown) {
      return this.#fault(toError(thrown));
    }
    this.#countValid();
    this.#sink.message(message);
  }

  /** One item that is no message makes the frame count as invalid. */
  #readBatch(text: string): void {
    let items: readonly BatchItem[];
    try {
      items = readBatch(text, this.#batches?.maxItems ?? MAX_BATCH, this.#maxDepth);
    } catch (thrown) {
      return this.#fault(toError(thrown));
    }
    const isValid = items.every((item) => !(item instanceof MCPRpcError));
    if (isValid) this.#countValid();
    else if (!this.#countFault()) return;
    this.#sink.batch?.(items);
  }

  #isTooBig(text: string): boolean {
    return text.length > this.#maxBytes ||
      (text.length * 3 > this.#maxBytes && countBytes(text) > this.#maxBytes);
  }

  #countValid(): void {
    this.#faults = 0;
    if (this.#score > 0) this.#score--;
  }

  #fault(error: Error): void {
    if (this.#countFault()) this.#sink.fault(error, errorResponse(error));
  }

  /** Returns whether the peer may go on. */
  #countFault(): boolean {
    this.#score += VALID_PER_FAULT;
    if (++this.#faults >= MAX_FAULTS) {
      this.#sink.violation(this.#codes.garbage, `${MAX_FAULTS} invalid messages in a row`);
      return false;
    }
    if (this.#score >= MAX_EXCESS * VALID_PER_FAULT) {
      this.#sink.violation(this.#codes.garbage, "Too many invalid messages");
      return false;
    }
    return true;
  }
}
