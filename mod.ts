/**
 * Bowline: MCP over WebSocket, client and server.
 *
 * ```ts
 * import { MCPWebSocketClient, MCPWebSocketServer } from "@bowline/mcp-websocket";
 *
 * await using server = new MCPWebSocketServer({ name: "clock", version: "1.0.0" });
 * server.handle("tools/list", () => ({ tools: [] }));
 * const { url } = await server.start({ port: 0 });
 *
 * await using client = new MCPWebSocketClient(url);
 * await client.connect();
 * await client.request("tools/list");
 * ```
 *
 * @module
 */

export * from "./client/mod.ts";
export * from "./protocol/mod.ts";
export * from "./server/mod.ts";
