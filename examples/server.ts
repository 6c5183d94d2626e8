// deno-lint-ignore-file no-console -- it shows what happens
/**
 * An MCP server without an SDK.
 *
 * Run: deno run --allow-net=127.0.0.1:8787 examples/server.ts
 */
import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";

const server = new MCPWebSocketServer({ name: "weather", version: "1.0.0" });

server.handle("tools/list", () => ({
  tools: [{
    name: "forecast",
    inputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
  }],
}));
server.handle("tools/call", async ({ name, arguments: { city } = {} }, { progress, signal }) => {
  for (let hour = 1; hour <= 3 && !signal.aborted; hour++) {
    progress(hour, 3, `hour ${hour}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { content: [{ type: "text", text: `${name} for ${city}: fair` }] };
});

const { url } = await server.start({ port: Number(Deno.args[0] ?? 8787) });
console.log(`Listening on ${url}`);
