import { isObject, isRequestId, type JsonRpcMessage, type RequestId } from "../jsonrpc.ts";
import { CANCELLED } from "../mcp.ts";
import { countBytes } from "../utf8.ts";

/** What a message is to the order on the wire: each may overtake different others. */
export type Lane = "request" | "response" | "notification" | "cancel";

/** Texts up to this many UTF-16 units are not measured: three bytes each are assumed. */
const ESTIMATED = 256;

/** A message on its way, serialised once for the socket and for the replay buffer. */
export class Outgoing {
  /** The message. */
  readonly text: string;
  /** Its bytes of UTF-8; of a short one, the most that it can be. */
  readonly bytes: number;
  /** What it may overtake. */
  readonly lane: Lane;
  /** The request it is, answers or cancels. */
  readonly id: RequestId | undefined;
  /** Told when the peer has it, or why it never will. */
  readonly settled: ((error?: Error) => void) | undefined;
  /** Whether somebody waits for that. */
  readonly isAwaited: boolean;
  /** Whether it was once complete on a wire: the peer may have it. */
  wasComplete = false;
  /** Resumes at which it was the first message that the peer still lacked. */
  setbacks = 0;

  /**
   * @param message The message; without one the text counts as a notification.
   * @param text Its text.
   * @param settled Told once when the peer has it, or why it never will.
   * @param isAwaited Whether somebody waits for that.
   */
  constructor(
    message: JsonRpcMessage | undefined,
    text: string,
    settled?: (error?: Error) => void,
    isAwaited: boolean = settled !== undefined,
  ) {
    this.text = text;
    this.bytes = measure(text);
    this.lane = message === undefined ? "notification" : laneOf(message);
    this.id = message === undefined || this.lane === "notification" ? undefined : idOf(message);
    this.settled = settled;
    this.isAwaited = isAwaited;
  }
}

/**
 * How much room a text takes: its bytes of UTF-8, and for a short one the
 * most that they can be, since counting costs more than sending it.
 */
export function measure(text: string): number {
  return text.length <= ESTIMATED ? text.length * 3 : countBytes(text);
}

function laneOf(message: JsonRpcMessage): Lane {
  if (!("method" in message)) return "response";
  if ("id" in message && message.id !== undefined) return "request";
  return message.method === CANCELLED ? "cancel" : "notification";
}

function idOf(message: JsonRpcMessage): RequestId | undefined {
  if ("id" in message) return message.id ?? undefined;
  const id = "params" in message && isObject(message.params) ? message.params.requestId : undefined;
  return isRequestId(id) ? id : undefined;
}
