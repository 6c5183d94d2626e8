import type { Verdict } from "./close_codes.ts";

/** What an error is about; each kind has one way to recover. */
export type ErrorKind =
  | "network"
  | "timeout"
  | "protocol"
  | "authentication"
  | "capacity"
  | "policy"
  | "session";

/**
 * What became of a message whose connection was lost: it never left, or it
 * may or may not have been acted on.
 */
export type Outcome = "not-sent" | "unknown";

/** Options shared by all errors. */
export interface MCPErrorOptions {
  /** What caused the error. */
  cause?: unknown;
  /**
   * Whether trying again can help.
   *
   * @default {false}
   */
  retryable?: boolean | undefined;
}

/** The base of every error of this package. */
export class MCPError extends Error {
  /** The name of the class. */
  override name = "MCPError";
  /** What the error is about. */
  readonly kind: ErrorKind;
  /** Whether trying again can help. */
  readonly retryable: boolean;

  /**
   * Makes an error.
   *
   * @param kind What the error is about.
   * @param message One sentence, free of secrets.
   * @param options Its cause, and whether trying again can help.
   */
  constructor(kind: ErrorKind, message: string, options: MCPErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.kind = kind;
    this.retryable = options.retryable ?? false;
  }
}

/** Options of {@linkcode MCPConnectionError}. */
export interface MCPConnectionErrorOptions extends MCPErrorOptions {
  /**
   * What the error is about.
   *
   * @default {"network"}
   */
  kind?: ErrorKind | undefined;
  /** The WebSocket close code, where there was one. */
  code?: number | undefined;
  /** The HTTP status that refused the upgrade, where the runtime tells it. */
  status?: number | undefined;
  /** What became of the message that this error answers. */
  outcome?: Outcome | undefined;
  /** What the end of the connection means. */
  verdict?: Verdict | undefined;
}

/** The connection could not be opened, or was lost. */
export class MCPConnectionError extends MCPError {
  /** The name of the class. */
  override name = "MCPConnectionError";
  /** The WebSocket close code, where there was one. */
  readonly code: number | undefined;
  /** The HTTP status that refused the upgrade, where the runtime tells it. */
  readonly status: number | undefined;
  /** What became of the message that this error answers. */
  readonly outcome: Outcome | undefined;
  /** What the end of the connection means: its cause and how soon to try again. */
  readonly verdict: Verdict | undefined;

  /**
   * Makes an error.
   *
   * @param message One sentence, free of secrets.
   * @param options Details.
   */
  constructor(message: string, options: MCPConnectionErrorOptions = {}) {
    super(options.kind ?? "network", message, { retryable: true, ...options });
    this.code = options.code;
    this.status = options.status;
    this.outcome = options.outcome;
    this.verdict = options.verdict;
  }
}

/** Something took longer than allowed. */
export class MCPTimeoutError extends MCPError {
  /** The name of the class. */
  override name = "MCPTimeoutError";
  /** The time that was allowed, in milliseconds. */
  readonly timeout: number;

  /**
   * Makes an error.
   *
   * @param message One sentence.
   * @param timeout The time that was allowed, in milliseconds.
   * @param options Its cause, and whether trying again can help.
   */
  constructor(message: string, timeout: number, options: MCPErrorOptions = {}) {
    super("timeout", message, options);
    this.timeout = timeout;
  }
}

/** A bound was reached: of a queue, a table or the peer. */
export class MCPCapacityError extends MCPError {
  /** The name of the class. */
  override name = "MCPCapacityError";
  /** The bound that was reached. */
  readonly limit: number;

  /**
   * Makes an error.
   *
   * @param message One sentence that names the bound.
   * @param limit The bound that was reached.
   * @param options Its cause, and whether trying again can help.
   */
  constructor(message: string, limit: number, options: MCPErrorOptions = {}) {
    super("capacity", message, { retryable: true, ...options });
    this.limit = limit;
  }
}

/** Options of {@linkcode MCPRpcError}. */
export interface MCPRpcErrorOptions extends MCPErrorOptions {
  /** Details a program can use; sent to the peer. */
  data?: unknown;
  /** The request that failed, where it is known. */
  id?: string | number | undefined;
}

/**
 * A JSON-RPC error: what {@linkcode JsonRpcPeer.request} rejects with when the
 * peer answered with an error, and what a handler throws to choose its answer.
 *
 * @example Refuse bad parameters
 * ```ts
 * import { ERROR_CODES, MCPRpcError } from "@bowline/mcp-websocket/protocol";
 *
 * function half(params: { n?: unknown }): { half: number } {
 *   if (typeof params.n !== "number") {
 *     throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, 'Member "n" must be a number');
 *   }
 *   return { half: params.n / 2 };
 * }
 * half({ n: 2 });
 * ```
 */
export class MCPRpcError extends MCPError {
  /** The name of the class. */
  override name = "MCPRpcError";
  /** The error code, see {@linkcode ERROR_CODES}. */
  readonly code: number;
  /** Details a program can use. */
  readonly data: unknown;
  /** The request that failed, where it is known. */
  readonly id: string | number | undefined;

  /**
   * Makes an error.
   *
   * @param code The error code.
   * @param message One sentence; it is sent to the peer.
   * @param options Details.
   */
  constructor(code: number, message: string, options: MCPRpcErrorOptions = {}) {
    super("protocol", message, options);
    this.code = code;
    this.data = options.data;
    this.id = options.id;
  }
}

/**
 * The error behind anything that was thrown.
 *
 * @param thrown Any value.
 * @returns The value itself if it is an error, else an error that says what it is.
 */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describe(thrown), { cause: thrown });
}

/** Not every value can be made a string: an object without a prototype cannot. */
function describe(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}
