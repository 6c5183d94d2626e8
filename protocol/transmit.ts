import type { JsonRpcMessage, RequestId } from "./jsonrpc.ts";
import type { JsonRpcPeerOptions } from "./peer_options.ts";
import type { SendOptions } from "./transport.ts";

/**
 * Sends a message; `failed` is told if it could not be sent, now or later, and
 * whose message it was: whoever waits needs no closure of its own.
 */
export type Transmit = (
  message: JsonRpcMessage,
  options: SendOptions | undefined,
  failed: (error: unknown, id?: RequestId) => void,
  id?: RequestId,
) => void;

/** Makes a `send` that may throw or reject into one that tells. */
export function transmitter(send: JsonRpcPeerOptions["send"]): Transmit {
  return (message, options, failed, id) => {
    try {
      const sending = send(message, options);
      if (sending !== undefined) follow(sending, failed, id);
    } catch (error) {
      failed(error, id);
    }
  };
}

function follow(sending: Promise<void>, failed: Parameters<Transmit>[2], id?: RequestId): void {
  sending.catch((error) => failed(error, id));
}
