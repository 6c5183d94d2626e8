/**
 * The server side of MCP over WebSocket, for Deno.
 *
 * ```ts
 * import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
 *
 * await using server = new MCPWebSocketServer({ name: "demo", version: "1.0.0" });
 * server.handle("tools/list", () => ({ tools: [{ name: "now", inputSchema: { type: "object" } }] }));
 * server.handle("tools/call", () => ({
 *   content: [{ type: "text", text: new Date().toISOString() }],
 * }));
 * const { url } = await server.start({ port: 0 }); // ws://127.0.0.1:…/mcp
 * ```
 *
 * With an official SDK, give each connection of
 * {@linkcode createWebSocketHandler} to `connect`.
 *
 * @module
 */

export type { ServerAddress, StartOptions } from "./address.ts";
export type { AdmissionOptions } from "./admission.ts";
export type { Audience, BroadcastOptions } from "./audience.ts";
export type { StaticToken } from "./auth/bearer.ts";
export { bearerTokens } from "./auth/bearer.ts";
export type { Challenge } from "./auth/challenge.ts";
export { wwwAuthenticate } from "./auth/challenge.ts";
export type { Credential, CredentialSource } from "./auth/credential.ts";
export type { AuthContext, AuthDecision, Authenticate } from "./auth/decision.ts";
export type { Admitted, AuthOptions, AuthOutcome, Denied } from "./auth/gate.ts";
export type { Principal } from "./auth/principal.ts";
export type { ProtectedResourceOptions } from "./auth/protected_resource.ts";
export { ProtectedResource } from "./auth/protected_resource.ts";
export type { MintOptions, TicketsOptions } from "./auth/tickets.ts";
export { Tickets } from "./auth/tickets.ts";
export type { JudgeOwnToken } from "./auth/renewal.ts";
export type { ClientSnapshot } from "./clients.ts";
export type {
  CustomHandler,
  HandlerContext,
  MethodHandler,
  NotificationContext,
  NotificationListener,
} from "./dispatcher.ts";
export type { TrustedProxies } from "./client_address.ts";
export type { SessionListener, WebSocketHandler } from "./handler.ts";
export { createWebSocketHandler } from "./handler.ts";
export type { HandshakeDecision, HandshakePolicy, HandshakeRefusal, Refusal } from "./handshake.ts";
export { decideHandshake } from "./handshake.ts";
export type { AllowedHosts, BoundAddress, HostPolicy } from "./host_check.ts";
export type { HandlerHealth } from "./health.ts";
export type { ListName } from "./listen_filter.ts";
export type { MetricLabels, MetricsSink } from "./metrics_sink.ts";
export type { OperationsOptions } from "./operations.ts";
export type { WebSocketHandlerOptions } from "./options.ts";
export type { AllowedOrigins } from "./origin.ts";
export { isOriginAllowed } from "./origin.ts";
export type { Profile } from "./profiles.ts";
export { STRANGERS } from "./profiles.ts";
export type { ConnectionInfo, RequestSnapshot } from "./request.ts";
export { snapshotRequest } from "./request.ts";
export type { ClientIdentity } from "./visitor.ts";
export type { SdkChannel, SdkServer } from "./sdk.ts";
export { withSession } from "./sdk.ts";
export type { ServerCompressionOptions, SessionOptions } from "./session_options.ts";
export type {
  ClaimOutcome,
  MemorySessionStoreOptions,
  SessionClaim,
  SessionStore,
} from "./session_store.ts";
export { MemorySessionStore } from "./session_store.ts";
export type { ShutdownOptions } from "./shutdown.ts";
export { MCPWebSocketServer } from "./server.ts";
export type { MCPWebSocketServerOptions } from "./server_options.ts";
export type { ServerSession } from "./session.ts";
export type { MaySubscribe, SubscribersListener } from "./subscriptions.ts";
export type { TransportMeter, WebSocketServerTransportOptions } from "./transport.ts";
export type { TokenBucketOptions } from "./token_bucket.ts";
export type { SubscriptionLimits } from "./topics.ts";
export type { RateOptions } from "./traffic_limit.ts";
export { WebSocketServerTransport } from "./transport.ts";

export type { Clock, Timer } from "../protocol/clock.ts";
export type { LossCause, Pace, Verdict } from "../protocol/close_codes.ts";
export { CLOSE_CODES } from "../protocol/close_codes.ts";
export type {
  ErrorKind,
  MCPConnectionErrorOptions,
  MCPErrorOptions,
  MCPRpcErrorOptions,
  Outcome,
} from "../protocol/errors.ts";
export {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
} from "../protocol/errors.ts";
export type { RequestContext } from "../protocol/inbound.ts";
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
} from "../protocol/jsonrpc.ts";
export { ERROR_CODES } from "../protocol/jsonrpc.ts";
export type { CloseInfo } from "../protocol/link.ts";
export type * from "../protocol/mcp_types.ts";
export type {
  CustomMethod,
  HandlerParams,
  MethodTable,
  RequestArguments,
  ResultOf,
} from "../protocol/methods.ts";
export type { RequestOptions } from "../protocol/peer_options.ts";
export type { Progress } from "../protocol/pending.ts";
export type { ChannelSendOptions } from "../protocol/channel.ts";
export type { SocketTransportOptions } from "../protocol/socket_transport.ts";
export { SocketTransport } from "../protocol/socket_transport.ts";
export type {
  AuthInfo,
  Logger,
  MessageExtra,
  SendOptions,
  Transport,
} from "../protocol/transport.ts";
