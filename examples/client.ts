// deno-lint-ignore-file no-console -- it shows what happens
/**
 * An MCP client without an SDK. It talks to `examples/server.ts`.
 *
 * Run: deno run --allow-net=127.0.0.1:8787 examples/client.ts
 */
import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";

await using client = new MCPWebSocketClient(Deno.args[0] ?? "ws://127.0.0.1:8787/mcp");
client.addEventListener("statechange", ({ detail }) => console.log(detail.state.status));
await client.connect();

const { tools } = await client.request("tools/list");
console.log(tools.map(({ name }) => name));

const { content } = await client.request(
  "tools/call",
  { name: "forecast", arguments: { city: "Oslo" } },
  { onProgress: ({ message }) => console.log(message), timeout: 5_000 },
);
console.log(content[0]?.text);
