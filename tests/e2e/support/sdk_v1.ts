/**
 * What these tests use of SDK v1, with its types: its export map gives Deno the
 * code of `…/index.js`, but the types only of `…/index`, so that whoever
 * imports it as usual gets `any`.
 *
 * @module
 */

// @ts-types="@modelcontextprotocol/sdk/client/index"
export { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="@modelcontextprotocol/sdk/client/websocket"
export { WebSocketClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/websocket.js";
// @ts-types="@modelcontextprotocol/sdk/server/mcp"
export { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
// @ts-types="@modelcontextprotocol/sdk/types"
export {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  McpError,
  ResourceUpdatedNotificationSchema,
  SubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
// @ts-types="@modelcontextprotocol/sdk/shared/transport"
export type { Transport as TransportTypeV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
