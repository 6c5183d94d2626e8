import { assertEquals } from "@std/assert";
import { Client } from "@modelcontextprotocol/client";
import { McpServerV1 } from "../../e2e/support/sdk_v1.ts";
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { adopt } from "../../../protocol/mod.ts";
import { withSession } from "../../../server/sdk.ts";
import type { SessionListener } from "../../../server/handler.ts";
import { ADA, authenticate, showing } from "./_access.ts";
import { serve } from "../_serving.ts";

const TOOLS = { capabilities: { tools: {} } };
const ADA_INFO = { token: ADA, clientId: "ada", scopes: ["tools"], extra: { principal: "ada" } };

/** Connects a client of SDK v2 as Ada, calls the tool, and returns. */
async function callAsAda(url: string, era: "legacy" | "modern"): Promise<void> {
  const socket = new WebSocket(url, { protocols: ["mcp"], headers: showing(ADA) });
  await new Promise((resolve) => socket.onopen = resolve);
  const client = new Client({ name: "c", version: "1" }, {
    versionNegotiation: era === "modern" ? { mode: { pin: "2026-07-28" } } : { mode: "legacy" },
  });
  await client.connect(adopt(socket));
  await client.callTool({ name: "who", arguments: {} });
  await client.close();
}

/** What a handler of SDK v2 is told. */
function v2(seen: unknown[]): SessionListener {
  const build = () => {
    const server = new McpServer({ name: "s", version: "1" }, TOOLS);
    server.registerTool("who", { description: "Who is there" }, (context) => {
      seen.push(context.http?.authInfo);
      return { content: [] };
    });
    return server;
  };
  return (session) => {
    serveStdio(withSession(build, session), { transport: session });
  };
}

/** What a handler of SDK v1 is told. */
function v1(seen: unknown[]): SessionListener {
  return async (session) => {
    const server = new McpServerV1({ name: "s", version: "1" }, TOOLS);
    server.registerTool("who", { description: "Who is there" }, (extra) => {
      seen.push(extra.authInfo);
      return { content: [] };
    });
    await server.connect(session);
  };
}

for (
  const [name, listener, era] of [
    ["SDK v1", v1, "legacy"],
    ["SDK v2, legacy era", v2, "legacy"],
    ["SDK v2, modern era", v2, "modern"],
  ] as const
) {
  Deno.test(`auth tells handlers of ${name} who is asking`, async () => {
    const seen: unknown[] = [];
    await using serving = serve(listener(seen), { auth: { authenticate } });
    await callAsAda(serving.url, era);
    assertEquals(seen, [ADA_INFO]);
  });
}
