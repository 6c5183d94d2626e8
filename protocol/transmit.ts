import type { JsonRpcMessage } from "./jsonrpc.ts";
import type { JsonRpcPeerOptions } from "./peer_options.ts";
import type { SendOptions } from "./transport.ts";

/** Sends a message; `failed` is told if it could not be sent, now or later. */
export type Transmit = (
  message: JsonRpcMessage,
  options: SendOptions | undefined,
  failed: (error: unknown) => void,
) => void;

/** Makes a `send` that may throw or reject into one that tells. */
export function transmitter(send: JsonRpcPeerOptions["send"]): Transmit {
  return (message, options, failed) => {
    try {
      send(message, options)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
