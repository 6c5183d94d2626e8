import type { Era } from "../protocol/mcp.ts";
import type { Capabilities, Implementation } from "../protocol/mcp_types.ts";
import type { PeerStats } from "../protocol/peer_options.ts";
import type { FlushCounts } from "./batch_options.ts";
import type { ConnectionState } from "./connection.ts";
import type { Opening } from "./opening.ts";
import type { MutableOptions, WebSocketClientOptions } from "./options.ts";
import type { ConnectionStats } from "./stats.ts";
import type { TransportEvents } from "./transport_events.ts";

/** Options of {@linkcode MCPWebSocketClient}. */
export interface MCPWebSocketClientOptions extends WebSocketClientOptions {
  /**
   * Who this client is.
   *
   * @default {{ name: "bowline", version: "0.1.0" }}
   */
  readonly clientInfo?: Implementation | undefined;
  /**
   * What this client can do for the server, for example `{ sampling: {} }`.
   *
   * @default {{}}
   */
  readonly capabilities?: Capabilities | undefined;
  /**
   * The family of revisions to speak; `"auto"` asks the server.
   *
   * @default {"auto"}
   */
  readonly era?: Era | "auto" | undefined;
  /**
   * How long a server may take to say which era it is of, in milliseconds;
   * then it is taken for a legacy one.
   *
   * @default {5_000}
   */
  readonly probeTimeout?: number | undefined;
  /**
   * Time without progress that a request may take, in milliseconds.
   *
   * @default {60_000}
   */
  readonly requestTimeout?: number | undefined;
  /**
   * Time that a request may take in all, in milliseconds.
   *
   * @default {600_000}
   */
  readonly maxRequestTimeout?: number | undefined;
}

/** Options that may change while the client runs. */
export interface MCPWebSocketClientPatch extends MutableOptions {
  /** See {@linkcode MCPWebSocketClientOptions}; holds for requests to come. */
  requestTimeout?: number | undefined;
  /** See {@linkcode MCPWebSocketClientOptions}; holds for requests to come. */
  maxRequestTimeout?: number | undefined;
}

/** The state of a client: its transport's, or `initialized` when MCP has been opened on it. */
export type ClientState =
  | ConnectionState
  | (Omit<Extract<ConnectionState, { status: "connected" }>, "status"> & {
    readonly status: "initialized";
  });

/** Numbers about a client. */
export interface ClientStats extends ConnectionStats {
  /** Numbers about its requests. */
  readonly requests: PeerStats;
  /** Why frames of {@linkcode MCPWebSocketClient.batch} left, and how many did. */
  readonly batchFlushes: FlushCounts;
}

/** The events of {@linkcode MCPWebSocketClient}. */
export interface ClientEvents extends TransportEvents {
  /** MCP has been opened; requests can be sent. */
  initialized: Opening;
  /** The numbers, every `statsInterval` while the client is connected or trying to be. */
  stats: ClientStats;
}
