/**
 * What both ends of the MCP WebSocket transport speak: JSON-RPC messages,
 * close codes, errors, the heartbeat, and {@linkcode JsonRpcPeer}. Nothing in
 * here opens a socket.
 *
 * ```ts
 * import { closeVerdict } from "@bowline/mcp-websocket/protocol";
 *
 * closeVerdict(1012); // { cause: "restarting", pace: "soon" }
 * ```
 *
 * @module
 */

export type { Clock, Timer } from "./clock.ts";
export { systemClock } from "./clock.ts";
export type { LossCause, Pace, Verdict } from "./close_codes.ts";
export { CLOSE_CODES, closeReason, closeVerdict, statusVerdict } from "./close_codes.ts";
export type {
  ErrorKind,
  MCPConnectionErrorOptions,
  MCPErrorOptions,
  MCPRpcErrorOptions,
  Outcome,
} from "./errors.ts";
export {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "./errors.ts";
export type { HeartbeatAction, HeartbeatPolicy, HeartbeatState } from "./heartbeat.ts";
export { nextHeartbeat, recordLife, startHeartbeat } from "./heartbeat.ts";
export type { RequestContext } from "./inbound.ts";
export type {
  JsonRpcErrorObject,
  JsonRpcErrorResponse,
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcParams,
  JsonRpcRequest,
  JsonRpcResponse,
  JsonRpcResult,
  RequestId,
} from "./jsonrpc.ts";
export {
  ERROR_CODES,
  errorResponse,
  isNotification,
  isRequest,
  isResponse,
  parseMessage,
  serializeMessage,
} from "./jsonrpc.ts";
export type { Era, Identity } from "./mcp.ts";
export { LEGACY_VERSIONS, MODERN_VERSIONS } from "./mcp.ts";
export type * from "./mcp_types.ts";
export type {
  CustomMethod,
  HandlerParams,
  MethodTable,
  RequestArguments,
  ResultOf,
} from "./methods.ts";
export type {
  JsonRpcPeerOptions,
  NotificationHandler,
  NotifyOptions,
  PeerStats,
  RequestHandler,
  RequestOptions,
} from "./peer_options.ts";
export { JsonRpcPeer } from "./peer.ts";
export type { PendingRequest, Progress } from "./pending.ts";
export type { AuthInfo, Logger, MessageExtra, SendOptions, Transport } from "./transport.ts";
export type { Throttle } from "./channel.ts";
export type { CloseInfo } from "./link.ts";
export type { ChannelSendOptions } from "./channel.ts";
export type { SocketTransportOptions } from "./socket_transport.ts";
export { adopt, SocketTransport } from "./socket_transport.ts";
