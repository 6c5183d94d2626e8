import { MCPRpcError } from "./errors.ts";
import { isTextTooDeep, isTooDeep, MAX_DEPTH, readEnvelope, SCAN_FROM } from "./nesting.ts";
import { countBytes } from "./utf8.ts";

/** What names a request: a string or an integer, never `null`. */
export type RequestId = string | number;

/** Parameters of a request or notification. MCP allows objects only. */
export type JsonRpcParams = { [key: string]: unknown };

/** A call that expects an answer. */
export interface JsonRpcRequest {
  /** Always `"2.0"`. */
  jsonrpc: "2.0";
  /** Unique among the sender's requests in flight. */
  id: RequestId;
  /** The method called. */
  method: string;
  /** Its parameters. */
  params?: JsonRpcParams | undefined;
}

/** A call that expects no answer. */
export interface JsonRpcNotification {
  /** Always `"2.0"`. */
  jsonrpc: "2.0";
  /** The method called. */
  method: string;
  /** Its parameters. */
  params?: JsonRpcParams | undefined;
}

/** The answer to a request that succeeded. */
export interface JsonRpcResult {
  /** Always `"2.0"`. */
  jsonrpc: "2.0";
  /** The id of the request that is answered. */
  id: RequestId;
  /** What the method returned. */
  result: JsonRpcParams;
}

/** What went wrong, as told to the peer. */
export interface JsonRpcErrorObject {
  /** An integer, see {@linkcode ERROR_CODES}. */
  code: number;
  /** One sentence. */
  message: string;
  /** Details a program can use. */
  data?: unknown;
}

/** The answer to a request that failed. */
export interface JsonRpcErrorResponse {
  /** Always `"2.0"`. */
  jsonrpc: "2.0";
  /** The id of the request that is answered; absent if it could not be read. */
  id?: RequestId | undefined;
  /** What went wrong. */
  error: JsonRpcErrorObject;
}

/** An answer. */
export type JsonRpcResponse = JsonRpcResult | JsonRpcErrorResponse;

/** Anything that travels on the wire. */
export type JsonRpcMessage =
  | JsonRpcRequest
  | JsonRpcNotification
  | JsonRpcResponse;

/** The error codes in use (JSON-RPC 2.0, section 5.1, and MCP). */
export const ERROR_CODES: {
  /** The text is no JSON. */
  readonly PARSE_ERROR: -32700;
  /** The JSON is no JSON-RPC 2.0 message. */
  readonly INVALID_REQUEST: -32600;
  /** Nobody handles this method. */
  readonly METHOD_NOT_FOUND: -32601;
  /** The parameters do not fit the method. */
  readonly INVALID_PARAMS: -32602;
  /** The handler failed. */
  readonly INTERNAL_ERROR: -32603;
  /** The peer has to authenticate first. */
  readonly AUTHENTICATION_REQUIRED: -32001;
  /** The connection was lost before the answer; made locally, never sent. */
  readonly CONNECTION_LOST: -32000;
  /** The protocol revision is not supported; `data.supported` lists those that are. */
  readonly UNSUPPORTED_PROTOCOL_VERSION: -32022;
} = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
  AUTHENTICATION_REQUIRED: -32001,
  CONNECTION_LOST: -32000,
  UNSUPPORTED_PROTOCOL_VERSION: -32022,
};

/** Whether the message is a request. */
export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return "method" in message && "id" in message && message.id !== undefined;
}

/** Whether the message is a notification. */
export function isNotification(
  message: JsonRpcMessage,
): message is JsonRpcNotification {
  return "method" in message && !("id" in message && message.id !== undefined);
}

/** Whether the message answers a request. */
export function isResponse(
  message: JsonRpcMessage,
): message is JsonRpcResponse {
  return !("method" in message);
}

/** Whether the value can be the id of a request. */
export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || Number.isSafeInteger(value);
}

/** Whether the value is an object that is neither `null` nor an array. */
export function isObject(value: unknown): value is JsonRpcParams {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The message in one frame of text.
 *
 * @example Usage
 * ```ts
 * import { parseMessage } from "@bowline/mcp-websocket/protocol";
 * import { assertEquals } from "@std/assert";
 *
 * const message = parseMessage('{"jsonrpc":"2.0","id":1,"method":"ping"}');
 * assertEquals(message, { jsonrpc: "2.0", id: 1, method: "ping" });
 * ```
 *
 * @param text What the peer sent.
 * @param maxDepth How deep arrays and objects may be nested.
 * @default {64} maxDepth
 * @returns The message, as it was parsed. A response that is none, but names
 * the request it answers, becomes an error response: whoever asked hears of it.
 * @throws {MCPRpcError} If the text is no JSON (-32700), or no JSON-RPC 2.0
 * message or nested too deep (-32600); {@linkcode errorResponse} turns it into
 * the answer. The error holds nothing of the text.
 */
export function parseMessage(text: string, maxDepth: number = MAX_DEPTH): JsonRpcMessage {
  // Frames may be filled up with spaces, which need not be looked at one by one.
  return parseTrimmed(text.endsWith(" ") ? text.trimEnd() : text, maxDepth);
}

function parseTrimmed(text: string, maxDepth: number): JsonRpcMessage {
  if (isBatch(text)) throw invalidRequest(NO_BATCHES);
  if (text.length > SCAN_FROM && isTextTooDeep(text, maxDepth)) {
    return refuseUnread(text, depthFault(maxDepth));
  }
  const value = parseJson(text);
  const fault = findFault(value) ?? findDepthFault(text, value, maxDepth);
  if (fault === undefined) return value as JsonRpcMessage;
  return refuseValue(value, fault);
}

/**
 * The values in one frame of text that holds a batch, unchecked.
 *
 * @param text What the peer sent; it begins as an array does.
 * @param maxItems How many there may be.
 * @param maxDepth How deep arrays and objects may be nested in each.
 * @throws {MCPRpcError} If the text is no JSON (-32700), or an array that is
 * empty, has too many items or is nested too deep (-32600).
 */
export function parseBatch(text: string, maxItems: number, maxDepth: number): readonly unknown[] {
  if (text.length > SCAN_FROM && isTextTooDeep(text, maxDepth + 1)) {
    throw invalidRequest(depthFault(maxDepth));
  }
  const items = parseJson(text) as readonly unknown[];
  if (items.length === 0) throw invalidRequest("a batch must not be empty");
  if (items.length <= maxItems) return items;
  throw invalidRequest(
    `a batch must have at most ${maxItems} items: current value is ${items.length}`,
  );
}

/**
 * The message that one item of a batch is.
 *
 * @param value The item.
 * @param maxDepth How deep arrays and objects may be nested in it.
 * @throws {MCPRpcError} If it is none (-32600).
 */
export function checkMessage(value: unknown, maxDepth: number): JsonRpcMessage {
  const fault = findFault(value) ??
    (isTooDeep(value, maxDepth) ? depthFault(maxDepth) : undefined);
  return fault === undefined ? value as JsonRpcMessage : refuseValue(value, fault);
}

/** Whether JSON begins as an array does: it need not be parsed to be refused. */
export function isBatch(text: string): boolean {
  return BATCH_REGEXP.test(text);
}

const BATCH_REGEXP = /^[ \t\r\n]*\[/;
const NO_BATCHES = "batches were not negotiated";

/** The engine's own error quotes the text: what a peer sent does not belong into errors. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MCPRpcError(ERROR_CODES.PARSE_ERROR, "Parse error: the text is not JSON");
  }
}

/** A level takes two characters at least, and long texts were looked at before. */
function findDepthFault(text: string, value: unknown, maxDepth: number): string | undefined {
  const mayBeTooDeep = text.length > 2 * maxDepth && text.length <= SCAN_FROM;
  return mayBeTooDeep && isTooDeep(value, maxDepth) ? depthFault(maxDepth) : undefined;
}

function depthFault(maxDepth: number): string {
  return `nested deeper than ${maxDepth}`;
}

function refuseUnread(text: string, fault: string): JsonRpcMessage {
  const envelope = readEnvelope(text);
  const id = envelope && JSON.parse(envelope.id);
  return refuse(fault, isRequestId(id) ? id : undefined, envelope?.isAnswer === true);
}

function refuseValue(value: unknown, fault: string): JsonRpcMessage {
  const id = isObject(value) && isRequestId(value.id) ? value.id : undefined;
  return refuse(fault, id, isAnswer(value));
}

function refuse(fault: string, id: RequestId | undefined, isAnswer: boolean): JsonRpcMessage {
  if (!isAnswer) throw invalidRequest(fault, id);
  // Its id is one of ours: sent back in an error, it would hit a request of the peer's.
  const error = new MCPRpcError(ERROR_CODES.INVALID_REQUEST, `Invalid response: ${fault}`);
  if (id === undefined) throw error;
  return errorResponse(error, id);
}

/** The error of what is no message, or not taken. */
export function invalidRequest(fault: string, id?: RequestId): MCPRpcError {
  return new MCPRpcError(ERROR_CODES.INVALID_REQUEST, `Invalid request: ${fault}`, { id });
}

/** Whether the value is meant as an answer, whatever is wrong with it. */
function isAnswer(value: unknown): boolean {
  return isObject(value) && value.method === undefined &&
    (value.result !== undefined || value.error !== undefined);
}

/**
 * Why the value is not a JSON-RPC message, or `undefined` if it is one.
 *
 * @param value Any value.
 * @returns The reason, as the end of a sentence.
 */
export function findFault(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) {
    return "a message must be an object";
  }
  if (Array.isArray(value)) return NO_BATCHES;
  const { jsonrpc, id, method, params, result, error } = value as JsonRpcParams;
  if (jsonrpc !== "2.0") return 'member "jsonrpc" must be "2.0"';
  if (method !== undefined) {
    if (typeof method !== "string") return 'member "method" must be a string';
    if (params !== undefined && !isObject(params)) {
      return 'member "params" must be an object';
    }
    if (id !== undefined && !isRequestId(id)) {
      return 'member "id" must be a string or an integer';
    }
    return undefined;
  }
  if (result !== undefined) {
    if (error !== undefined) {
      return 'members "result" and "error" exclude each other';
    }
    if (!isObject(result)) return 'member "result" must be an object';
    return isRequestId(id) ? undefined : 'member "id" must be a string or an integer';
  }
  return findErrorFault(error, id);
}

function findErrorFault(error: unknown, id: unknown): string | undefined {
  if (error === undefined) {
    return 'a member "method", "result" or "error" is missing';
  }
  // JSON-RPC tells senders to use null where the id could not be read, MCP to leave it out.
  if (id !== undefined && id !== null && !isRequestId(id)) {
    return 'member "id" must be a string or an integer';
  }
  if (
    !isObject(error) || !Number.isInteger(error.code) ||
    typeof error.message !== "string"
  ) {
    return 'member "error" must hold an integer "code" and a string "message"';
  }
  return undefined;
}

/**
 * The error response that tells the peer what went wrong.
 *
 * @param error What was thrown.
 * @param id The request that failed; by default the id the error knows.
 * @returns A response that can be sent. Details of errors that are not
 * {@linkcode MCPRpcError} stay here.
 */
export function errorResponse(
  error: unknown,
  id?: RequestId,
): JsonRpcErrorResponse {
  const known = error instanceof MCPRpcError ? error : undefined;
  const answers = id ?? known?.id;
  return {
    jsonrpc: "2.0",
    ...(answers === undefined ? {} : { id: answers }),
    error: {
      code: known?.code ?? ERROR_CODES.INTERNAL_ERROR,
      message: known?.message ?? "Internal error",
      ...(known?.data === undefined ? {} : { data: known.data }),
    },
  };
}

/**
 * The text that carries the message, checked before it leaves.
 *
 * @param message What to send.
 * @param maxBytes The largest text allowed, in bytes of UTF-8.
 * @returns The text.
 * @throws {TypeError} If the value is no JSON-RPC message or cannot be serialised.
 * @throws {RangeError} If the text is larger than `maxBytes`.
 */
export function serializeMessage(
  message: JsonRpcMessage,
  maxBytes: number,
): string {
  const fault = findFault(message);
  if (fault !== undefined) throw new TypeError(`Cannot send message: ${fault}`);
  const text = JSON.stringify(message);
  // A UTF-16 unit takes one to three bytes of UTF-8: most texts need no count.
  if (text.length * 3 > maxBytes) {
    const size = countBytes(text);
    if (size > maxBytes) {
      throw new RangeError(
        `Cannot send message as its size must be <= ${maxBytes} bytes: current size is ${size}`,
      );
    }
  }
  return text;
}
