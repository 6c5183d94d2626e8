import type { JsonRpcMessage } from "./jsonrpc.ts";
import type { CloseInfo } from "./link.ts";
import type { SendOptions } from "./transport.ts";

/** How to send a message through a {@linkcode Channel}. */
export interface ChannelSendOptions extends SendOptions {
  /** Whether it may share a frame with others of this turn; by default it may. */
  readonly joins?: boolean | undefined;
}

/** What a transport speaks through: one socket, or a session that outlives its sockets. */
export interface Channel {
  /** The subprotocol that is spoken. */
  readonly protocol: "mcp" | "bowline.v1";
  /** Whether messages can be sent. */
  readonly isOpen: boolean;
  /** Whether there is a socket now. */
  readonly isAttached: boolean;
  /** Bytes that wait in the socket. */
  readonly bufferedAmount: number;
  /** Bytes that are held for the peer: in the socket, or until it has acknowledged them. */
  readonly heldBytes: number;
  /** Messages that the peer may not have; `undefined` where that cannot be known. */
  readonly bufferedMessages: number | undefined;
  /** Lets messages through; what came in before is delivered first. */
  listen(): void;
  /**
   * Sends text that is known to be a message.
   *
   * @param text The message.
   * @param message The same, parsed; without it the text counts as a notification.
   * @param options How to send it.
   * @returns Nothing, or a promise for when there is room for more.
   */
  send(
    text: string,
    message?: JsonRpcMessage,
    options?: ChannelSendOptions,
  ): void | Promise<void>;
  /** Asks the peer to move elsewhere. Returns whether it can be asked. */
  retire(afterMs: number, reason: string): boolean;
  /** Ends the connection; a session waits for its owner to come back. */
  suspend(code: number, reason: string): void;
  /** Ends it within a second. */
  close(code: number, reason: string): void;
}

/** Who listens to a {@linkcode Channel}. */
export interface ChannelSink {
  /** A message came in. */
  message(message: JsonRpcMessage): void;
  /** Something went wrong that does not end the channel by itself. */
  fault(error: Error): void;
  /** The channel has ended. Called once. */
  closed(info: CloseInfo): void;
}

/** Makes a channel for somebody who listens. */
export type OpenChannel = (sink: ChannelSink) => Channel;

/** Bounds how much a peer sends. */
export interface Throttle {
  /**
   * Lets a frame through, or not.
   *
   * @param frame The frame.
   * @param messages How many messages it is or completes.
   * @returns 0 if it passes, else the time until it would, in milliseconds.
   */
  take(frame: string, messages: number): number;
}
