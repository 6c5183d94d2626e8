import type { JsonRpcMessage } from "../protocol/jsonrpc.ts";
import type { Goaway } from "../protocol/session/control.ts";
import type { HeartbeatOptions } from "./options.ts";
import type { AskLimits, PrivateRequests, Question } from "./private_requests.ts";
import type { OpenConnection } from "./supervisor.ts";
import type { PingSink } from "../protocol/liveness.ts";

/** Who listens to a {@linkcode LiveConnection}. */
export interface ConnectionSink {
  /** A message came in, valid or not, of so many UTF-16 units. */
  frame(length: number): void;
  /** A message for the application came in. */
  message(message: JsonRpcMessage, from: LiveConnection): void;
  /** The peer did something wrong that does not end the connection. */
  fault(error: Error): void;
  /** The peer asks to move elsewhere. */
  goaway(goaway: Goaway, from: LiveConnection): void;
}

/** A message on its way, as one of several. */
export interface Part {
  /** The message. */
  readonly message: JsonRpcMessage;
  /** Its text. */
  readonly text: string;
}

/** How to watch for silence. */
export interface Watch {
  /** The intervals. */
  readonly heartbeat: HeartbeatOptions;
  /** What to ask a peer that speaks plain MCP, `undefined` if it cannot be asked. */
  readonly question: () => Question | undefined;
  /** Told what becomes of pings. */
  readonly pings: PingSink;
}

/** A connection that carries messages, whatever it speaks. */
export interface LiveConnection extends OpenConnection {
  /** Whether messages can be sent. */
  readonly isOpen: boolean;
  /** Whether so much waits that a sender has to wait, too. */
  readonly isCongested: boolean;
  /** Requests of the transport's own. */
  readonly requests: PrivateRequests;
  /**
   * Whether a message may go out now although the connection is congested.
   *
   * @param message The message.
   * @param text Its text.
   */
  mayRide(message: JsonRpcMessage, text: string): boolean;
  /**
   * Refuses a message that the peer does not take, or cannot confirm.
   *
   * @param text Its text.
   * @param settled Who waits until the peer has it.
   * @throws {RangeError} If it is too large.
   * @throws {MCPError} If the peer cannot tell that it has it.
   */
  check(text: string, settled?: (error?: Error) => void): void;
  /**
   * Sends a message that was checked.
   *
   * @param text Its text.
   * @param message The message.
   * @param settled Told once when the peer has it, or why it never will.
   */
  send(text: string, message: JsonRpcMessage, settled?: (error?: Error) => void): void;
  /**
   * Sends messages that were checked in one frame, as far as the peer can read
   * that; else one by one.
   *
   * @param parts The messages, in their order.
   */
  sendTogether(parts: readonly Part[]): void;
  /** Resolves when there is room again, or the connection has ended. */
  drained(): Promise<void>;
  /** Releases what Deno would hold back behind the next frame. */
  escort(): void;
  /** Watches for silence from now on. */
  watch(watch: Watch): void;
  /**
   * What asks the peer for an answer now; `undefined` if it cannot be asked.
   *
   * @param question What a peer that speaks plain MCP is asked.
   */
  prober(question: Question | undefined): ((limits: AskLimits) => Promise<unknown>) | undefined;
  /** Ends the connection in good order, within a second. */
  close(): Promise<void>;
  /** Forgets the connection at once. */
  drop(): void;
}
