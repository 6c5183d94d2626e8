// deno-lint-ignore-file no-console -- it shows what happens
/**
 * A server written with the official SDK (v2), put on a WebSocket. It speaks
 * both eras of MCP.
 *
 * Run: deno run --allow-net=127.0.0.1:8787 examples/sdk_server.ts
 */
import { createWebSocketHandler, withSession } from "@bowline/mcp-websocket/server";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

function createServer(): McpServer {
  const server = new McpServer({ name: "weather", version: "1.0.0" });
  server.registerTool(
    "forecast",
    { inputSchema: z.object({ city: z.string() }), annotations: { readOnlyHint: true } },
    ({ city }) => ({ content: [{ type: "text", text: `forecast for ${city}: fair` }] }),
  );
  return server;
}

const handler = createWebSocketHandler((session) => {
  serveStdio(withSession(createServer, session), { transport: session });
});
Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0] ?? 8787),
  onListen: ({ port }) => console.log(`Listening on ws://127.0.0.1:${port}/mcp`),
}, handler.fetch);
