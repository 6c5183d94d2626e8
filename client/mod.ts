/**
 * The client side of MCP over WebSocket: a transport for the official SDKs,
 * and a client that needs none. Runs wherever there is a `WebSocket`: Deno,
 * Node from 22, Bun, browsers, edge runtimes.
 *
 * ```ts
 * import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 *
 * await using server = new MCPWebSocketServer({ name: "example", version: "1.0.0" });
 * server.handle("tools/list", () => ({ tools: [] }));
 * const { url } = await server.start({ port: 0 });
 *
 * await using client = new MCPWebSocketClient(url);
 * await client.connect();
 * const { tools } = await client.request("tools/list");
 * ```
 *
 * @module
 */

export type {
  ClientEvents,
  ClientState,
  ClientStats,
  MCPWebSocketClientOptions,
  MCPWebSocketClientPatch,
} from "./client_options.ts";
export { MCPWebSocketClient } from "./client.ts";
export type { ConnectionState, ConnectionStateBase, ConnectionStatus } from "./connection.ts";
export type { ClientEnvironment } from "./env.ts";
export { readEnvironment } from "./env.ts";
export type {
  BaseEvents,
  ConnectionListener,
  ConnectionListenerOrObject,
  ErrorDetail,
} from "./events.ts";
export { ConnectionEvent, TypedEventTarget } from "./events.ts";
export type { Opening } from "./opening.ts";
export type {
  DialRecord,
  HeartbeatOptions,
  MessageRecord,
  MutableOptions,
  OutboxOptions,
  PerformanceHooks,
  Provided,
  ReconnectOptions,
  WebSocketClientOptions,
} from "./options.ts";
export type { Loss } from "./recovery.ts";
export type { ConnectionStats } from "./stats.ts";
export type { ConnectOptions, TransportEvents } from "./transport.ts";
export { WebSocketClientTransport } from "./transport.ts";
export type { SocketTransportOptions } from "../protocol/socket_transport.ts";
export { adopt, SocketTransport } from "../protocol/socket_transport.ts";
export {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "../protocol/errors.ts";
