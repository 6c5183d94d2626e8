import type { JsonRpcMessage, RequestId } from "../../../protocol/jsonrpc.ts";
import type { SessionLimits } from "../../../protocol/session/limits.ts";
import { Outgoing } from "../../../protocol/session/outgoing.ts";
import type { Wire } from "../../../protocol/session/wire.ts";

/** A wire that remembers what was written; how full it is, is the test's to say. */
export class FakeWire implements Wire {
  frames: string[] = [];
  isCongested = false;
  bufferedAmount = 0;
  /** Called within every write. */
  onSend: ((frame: string) => void) | undefined;

  send(text: string): void {
    this.frames.push(text);
    this.onSend?.(text);
  }

  /** What was written since the last look. */
  take(): string[] {
    return this.frames.splice(0);
  }
}

/** The messages that become complete with these frames, in order. */
export function messagesIn(frames: readonly string[]): string[] {
  const messages: string[] = [];
  let open = "";
  for (const frame of frames) {
    if (frame.startsWith("{")) messages.push(...frame.split("\n"));
    else if (frame.startsWith("+")) open += frame.slice(1);
    else if (frame.startsWith("=")) {
      messages.push(open + frame.slice(1));
      open = "";
    } else if (frame === '["drop"]') open = "";
  }
  return messages;
}

/** The limits of an end, roomy where nothing is said. */
export function limits(some: Partial<SessionLimits> = {}): SessionLimits {
  return { messageBytes: 2 ** 24, bufferBytes: 2 ** 24, bufferMessages: 4_096, ...some };
}

/** How a message is made. */
export interface Making {
  /** Characters that are added, of one byte each. */
  readonly padding?: number;
  /** Told how it went. */
  readonly settled?: (error?: Error) => void;
}

/** A message on its way. */
export function outgoing(message: JsonRpcMessage, { settled }: Making = {}): Outgoing {
  return new Outgoing(message, JSON.stringify(message), settled);
}

/** A request. */
export function request(id: RequestId, making: Making = {}): Outgoing {
  return outgoing({ jsonrpc: "2.0", id, method: "m", params: pad(making) }, making);
}

/** The answer to a request. */
export function response(id: RequestId, making: Making = {}): Outgoing {
  return outgoing({ jsonrpc: "2.0", id, result: pad(making) }, making);
}

/** A notification, told from others by its number. */
export function notification(n: number, making: Making = {}): Outgoing {
  return outgoing({ jsonrpc: "2.0", method: "n", params: { n, ...pad(making) } }, making);
}

/** The cancel of a request. */
export function cancel(requestId: RequestId, making: Making = {}): Outgoing {
  const params = { requestId, ...pad(making) };
  return outgoing({ jsonrpc: "2.0", method: "notifications/cancelled", params }, making);
}

function pad({ padding = 0 }: Making): { x?: string } {
  return padding === 0 ? {} : { x: "x".repeat(padding) };
}
