import type { WebSocketClientOptions } from "../../../client/mod.ts";

/** Options of `connectClient()`. */
export interface ConnectOptions {
  /** For the transport, where it is ours. */
  readonly transport?: WebSocketClientOptions;
  /**
   * The resource to read and to subscribe to.
   *
   * @default {GROWING}
   */
  readonly uri?: string;
  /** Answers the server's question who the user is. */
  readonly ask?: (signal: AbortSignal) => string | Promise<string>;
  /** How long the server may take to say which era it is of, in milliseconds. */
  readonly probeTimeout?: number;
  /** Told of every notification that is no progress. */
  readonly hear?: (method: string) => void;
  /** Told that the connection was lost. */
  readonly onlost?: () => void;
  /** Told that the client has lost its server for good. */
  readonly onclose?: () => void;
  /** Told what went wrong outside any call. */
  readonly onerror?: (error: Error) => void;
}

/** Options of a call. */
export interface CallOptions {
  /** Cancels it. */
  readonly signal?: AbortSignal;
  /** How long it may take, in milliseconds. */
  readonly timeout?: number;
  /** Told how far it has come. */
  readonly onProgress?: (progress: number) => void;
}

/** What all clients can do. */
export interface TestClient extends AsyncDisposable {
  /** The family of revisions that is spoken. */
  readonly era: string | undefined;
  /** Names of tools. */
  listTools(): Promise<string[]>;
  /** Calls a tool that answers with one text. */
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** Reads the resource. */
  read(): Promise<string>;
  /** Subscribes to the resource. */
  subscribe(): Promise<unknown>;
  /** Sets the level of log messages; there is none in the modern era. */
  setLevel(): Promise<unknown>;
}
