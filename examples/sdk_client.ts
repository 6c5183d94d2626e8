// deno-lint-ignore-file no-console -- it shows what happens
/**
 * The official SDK's client (v2) over a connection that comes back by itself.
 * It talks to `examples/server.ts` or `examples/sdk_server.ts`.
 *
 * Run: deno run --allow-net=127.0.0.1:8787 --allow-env examples/sdk_client.ts
 */
import { WebSocketClientTransport } from "@bowline/mcp-websocket/client";
import { Client } from "@modelcontextprotocol/client";

const transport = new WebSocketClientTransport(Deno.args[0] ?? "ws://127.0.0.1:8787/mcp");
const client = new Client({ name: "example", version: "1.0.0" }, {
  versionNegotiation: { mode: "auto" },
});
await client.connect(transport);

const { content } = await client.callTool({ name: "forecast", arguments: { city: "Oslo" } });
console.log(content);
await client.close();
