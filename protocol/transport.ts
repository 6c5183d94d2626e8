import type { JsonRpcMessage, RequestId } from "./jsonrpc.ts";

/** Who sent a message, in the shape both official SDKs read. */
export interface AuthInfo {
  /** The access token. */
  token: string;
  /** The client it was issued to. */
  clientId: string;
  /** What it allows. */
  scopes: string[];
  /** When it expires, in seconds since 1970. */
  expiresAt?: number | undefined;
  /** The server it is meant for (RFC 8707). */
  resource?: URL | undefined;
  /** Anything else. */
  extra?: Record<string, unknown> | undefined;
}

/** What is known about a message besides its content. */
export interface MessageExtra {
  /** Who sent it. */
  authInfo?: AuthInfo | undefined;
  /** The upgrade request, as SDK v1 reads it. */
  requestInfo?:
    | {
      headers: Record<string, string | string[] | undefined>;
      url?: URL | undefined;
    }
    | undefined;
  /** The upgrade request, as SDK v2 reads it. */
  request?: Request | undefined;
  /** Set on answers made by this end because the connection was lost. */
  lost?: Error | undefined;
}

/** Options for sending one message. */
export interface SendOptions {
  /** The request that caused this message. Ignored: there is one channel. */
  relatedRequestId?: RequestId | undefined;
  /**
   * Whether a request may be sent again when its connection was lost before
   * the answer. By default the method decides: what only reads, may.
   */
  retry?: boolean | undefined;
  /** Gives up waiting for a connection; what a socket has taken is gone. */
  signal?: AbortSignal | undefined;
  /**
   * Whether to wait until the other application has the message, which takes a
   * session: towards a peer that speaks plain `mcp` nothing is sent.
   *
   * @default {false}
   */
  delivered?: boolean | undefined;
  /**
   * How long that may take, in milliseconds. The message may still arrive later.
   *
   * @default {30_000}
   */
  deliveryTimeout?: number | undefined;
}

/**
 * What both official SDKs mean by a transport (`Transport` of v1 and v2).
 * The slots are plain and writable, because the SDKs write to them.
 */
export interface Transport {
  /** Opens the transport. */
  start(): Promise<void>;
  /** Sends a message. */
  send(message: JsonRpcMessage, options?: SendOptions): Promise<void>;
  /** Closes the transport. */
  close(): Promise<void>;
  /** Called once, when the transport is closed for good. */
  onclose?: (() => void) | undefined;
  /** Called for what went wrong without ending the transport. */
  onerror?: ((error: Error) => void) | undefined;
  /** Called for each message. */
  onmessage?:
    | ((message: JsonRpcMessage, extra?: MessageExtra) => void)
    | undefined;
  /** Set while a session is resumed; never before `initialize` was answered. */
  sessionId?: string | undefined;
}

/** Anything that logs: `@std/log`, `console` and most loggers fit. */
export interface Logger {
  /** Details for whoever looks for a fault. */
  debug(message: string): unknown;
  /** What happens in ordinary service. */
  info(message: string): unknown;
  /** What should not happen, and was dealt with. */
  warn(message: string): unknown;
  /** What failed. */
  error(message: string): unknown;
}
