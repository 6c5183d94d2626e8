/**
 * The servers of both SDKs: `deno run -A bench/sdk_server.ts` serves them over
 * this package's transport and over Streamable HTTP and tells where;
 * `… sdk_server.ts stdio v1` serves one over its own stdio transport.
 *
 * @module
 */

import { createWebSocketHandler, withSession } from "@bowline/mcp-websocket/server";
import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";
import { answerQuestions } from "./answers.ts";
import type { SdkAddresses } from "./sdk_figures.ts";
import { HttpServerTransportV1, McpServerV1, StdioServerTransportV1 } from "./sdk_v1.ts";

/** Streamable HTTP of either SDK, in the mode that suits it best: plain JSON where no stream is needed. */
const HTTP_OPTIONS = {
  sessionIdGenerator: () => crypto.randomUUID(),
  enableJsonResponse: true,
};
const LISTEN = { port: 0, hostname: "127.0.0.1", onListen() {} } as const;
const INFO = { name: "bench", version: "1.0.0" };
const TOOL = "echo";
const CONFIG = { inputSchema: z.object({ text: z.string() }) };

function createV1(): McpServerV1 {
  const server = new McpServerV1(INFO);
  server.registerTool(TOOL, CONFIG, ({ text }) => ({ content: [{ type: "text", text }] }));
  return server;
}

function createV2(): McpServer {
  const server = new McpServer(INFO);
  server.registerTool(TOOL, CONFIG, ({ text }) => ({ content: [{ type: "text", text }] }));
  return server;
}

/** What the HTTP transports of both SDKs have in common. */
interface HttpTransport {
  handleRequest(request: Request): Promise<Response>;
}

/** One server for each session, kept. */
function serveHttp(
  open: (register: (id: string, transport: HttpTransport) => void) => Promise<HttpTransport>,
): string {
  const sessions = new Map<string, HttpTransport>();
  const { addr } = Deno.serve(LISTEN, async (request) => {
    const known = sessions.get(request.headers.get("mcp-session-id") ?? "");
    const transport = known ?? await open((id, opened) => void sessions.set(id, opened));
    return await transport.handleRequest(request);
  });
  return `http://127.0.0.1:${addr.port}/mcp`;
}

function serveHttpV1(): string {
  return serveHttp(async (register) => {
    const transport: HttpServerTransportV1 = new HttpServerTransportV1({
      ...HTTP_OPTIONS,
      onsessioninitialized: (id) => register(id, transport),
    });
    await createV1().connect(transport);
    return transport;
  });
}

function serveHttpV2(): string {
  return serveHttp(async (register) => {
    const transport: WebStandardStreamableHTTPServerTransport =
      new WebStandardStreamableHTTPServerTransport({
        ...HTTP_OPTIONS,
        onsessioninitialized: (id) => register(id, transport),
      });
    await createV2().connect(transport);
    return transport;
  });
}

function serveWebSocket(onSession: Parameters<typeof createWebSocketHandler>[0]): string {
  const { addr } = Deno.serve(LISTEN, createWebSocketHandler(onSession).fetch);
  return `ws://127.0.0.1:${addr.port}/mcp`;
}

const [how, sdk] = Deno.args;
if (how === "stdio") {
  if (sdk === "v1") await createV1().connect(new StdioServerTransportV1());
  else serveStdio(createV2);
} else {
  const addresses: SdkAddresses = {
    v1: {
      ours: serveWebSocket((session) => createV1().connect(session)),
      http: serveHttpV1(),
    },
    v2: {
      ours: serveWebSocket((session) => {
        serveStdio(withSession(createV2, session), { transport: session });
      }),
      http: serveHttpV2(),
    },
  };
  await answerQuestions(addresses, () => {});
}
