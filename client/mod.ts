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

export type { Batch } from "./batch.ts";
export type { BatchOptions, FlushCounts, FlushReason } from "./batch_options.ts";
export type {
  ClientEvents,
  ClientState,
  ClientStats,
  MCPWebSocketClientOptions,
  MCPWebSocketClientPatch,
} from "./client_options.ts";
export { MCPWebSocketClient } from "./client.ts";
export type { ConnectionState, ConnectionStateBase, ConnectionStatus } from "./connection.ts";
export type {
  DiagnoseOptions,
  DiagnosticName,
  DiagnosticStatus,
  DiagnosticStep,
} from "./diagnostics.ts";
export { diagnose } from "./diagnostics.ts";
export type { DialLimitOptions } from "./dial_limit.ts";
export { DialLimitError } from "./dial_limit.ts";
export type { UrlRule } from "./url_policy.ts";
export { UrlPolicyError } from "./url_policy.ts";
export type { OpenRange, ResolveName, UrlPolicyOptions } from "./url_policy_options.ts";
export type { ClientEnvironment } from "./env.ts";
export { readEnvironment } from "./env.ts";
export type {
  BaseEvents,
  ConnectionListener,
  ConnectionListenerOrObject,
  ErrorDetail,
} from "./events.ts";
export { ConnectionEvent, TypedEventTarget } from "./events.ts";
export type { ErrorSummary } from "./error_summary.ts";
export type { HealthCheckOptions, HealthReason, HealthReport } from "./health.ts";
export { OFFLINE_META } from "./offline.ts";
export type { Opening } from "./opening.ts";
export type {
  AuthenticateOptions,
  CompressionOptions,
  ConnectOptions,
  DialRecord,
  HeartbeatOptions,
  MessageRecord,
  MutableOptions,
  OfflineAnswer,
  OutboxOptions,
  OverflowPolicy,
  PerformanceHooks,
  Provided,
  ReconnectOptions,
  SessionBufferOptions,
  TokenVia,
  WebSocketClientOptions,
} from "./options.ts";
export { MCPWebSocketPool, type PoolEvents } from "./pool.ts";
export type { PoolHealthReport, PoolMemberHealth } from "./pool/health.ts";
export type {
  DrainOptions,
  MCPWebSocketPoolOptions,
  PoolAddOptions,
  PoolClientOptions,
  PoolConnectOptions,
  PoolLane,
  PoolRequestOptions,
  WhenDown,
} from "./pool/options.ts";
export type { RouterStats } from "./pool/router.ts";
export type { PoolMemberStats, PoolStats, PoolTotals } from "./pool/stats.ts";
export type { Loss } from "./recovery.ts";
export type { LatencyStats, RequestStats } from "./request_meter.ts";
export type { BatchedMessage } from "./traffic.ts";
export type { CompressionStats, ConnectionStats } from "./stats.ts";
export { WebSocketClientTransport } from "./transport.ts";
export type { HeartbeatDetail, TransportEvents } from "./transport_events.ts";
export type { VitalSigns } from "./vitals.ts";
export type { ChannelSendOptions } from "../protocol/channel.ts";
export type { SocketTransportOptions } from "../protocol/socket_transport.ts";
export { adopt, SocketTransport } from "../protocol/socket_transport.ts";
export {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "../protocol/errors.ts";
