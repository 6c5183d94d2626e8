import { assertEquals } from "@std/assert";
import { Client } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { adopt } from "../../protocol/mod.ts";
import { withSession } from "../../server/mod.ts";
import { serve } from "./_serving.ts";

interface Seen {
  readonly sessionId: string | undefined;
  readonly header: string | null | undefined;
}

function buildServer(seen: Seen[]): McpServer {
  const server = new McpServer({ name: "s", version: "1" }, { capabilities: { tools: {} } });
  server.registerTool("who", { description: "Who is there" }, (context) => {
    seen.push({
      sessionId: context.sessionId,
      header: context.http?.req?.headers.get("X-Tenant"),
    });
    return { content: [{ type: "text", text: "ok" }] };
  });
  return server;
}

for (const era of ["legacy", "modern"] as const) {
  Deno.test(`withSession() shows SDK v2's handlers their connection, ${era} era`, async () => {
    const seen: Seen[] = [];
    await using serving = serve((session) => {
      serveStdio(withSession(() => buildServer(seen), session), { transport: session });
    });
    const socket = new WebSocket(serving.url, {
      protocols: ["mcp"],
      headers: { "X-Tenant": "a" },
    });
    await new Promise((resolve) => socket.onopen = resolve);
    const client = new Client({ name: "c", version: "1" }, {
      versionNegotiation: era === "modern" ? { mode: { pin: "2026-07-28" } } : { mode: "legacy" },
    });
    await client.connect(adopt(socket));
    await client.callTool({ name: "who", arguments: {} });
    const [id] = serving.handler.sessions.keys();
    assertEquals(seen, [{ sessionId: id, header: "a" }]);
    await client.close();
  });
}
