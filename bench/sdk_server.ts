import { createWebSocketHandler, withSession } from "@bowline/mcp-websocket/server";
import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

/** The tool that is called over both transports. */
export const TOOL = "echo";

/** Serves one SDK server over this package's transport. */
export function serveSdkWebSocket(): Deno.HttpServer<Deno.NetAddr> {
  const handler = createWebSocketHandler((session) => {
    serveStdio(withSession(buildServer, session), { transport: session });
  });
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler.fetch);
}

/**
 * Serves the same over the SDK's own Streamable HTTP, in the mode that suits
 * it best: one server per session, kept, and answers in plain JSON where no
 * stream is needed.
 */
export function serveSdkHttp(): Deno.HttpServer<Deno.NetAddr> {
  const transports = new Map<string, WebStandardStreamableHTTPServerTransport>();
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const known = transports.get(request.headers.get("mcp-session-id") ?? "");
    if (known !== undefined) return await known.handleRequest(request);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      enableJsonResponse: true,
      onsessioninitialized: (id) => void transports.set(id, transport),
      onsessionclosed: (id) => void transports.delete(id),
    });
    await buildServer().connect(transport);
    return await transport.handleRequest(request);
  });
}

function buildServer(): McpServer {
  const server = new McpServer({ name: "bench", version: "1.0.0" });
  server.registerTool(
    TOOL,
    { inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: "text", text }] }),
  );
  return server;
}
