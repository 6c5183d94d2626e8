import { MCPRpcError } from "../protocol/errors.ts";
import { ERROR_CODES } from "../protocol/jsonrpc.ts";
import type { Resource } from "../protocol/mcp_types.ts";
import { DemoJournal } from "./demo_journal.ts";
import { DEMO_TOOLS } from "./demo_tools.ts";
import type { WebSocketHandlerOptions } from "./options.ts";
import { MCPWebSocketServer } from "./server.ts";

/** Options of {@linkcode createDemoServer}. */
export interface DemoServerOptions extends WebSocketHandlerOptions {
  /** The version it says it has. */
  version: string;
  /**
   * How often its resource grows while somebody listens, in milliseconds.
   *
   * @default {1_000}
   */
  growInterval?: number | undefined;
}

/** The resource that grows. */
export const JOURNAL_URI = "demo://journal";

const JOURNAL: Resource = {
  uri: JOURNAL_URI,
  name: "journal",
  title: "Journal",
  description: "Grows by a line every second while somebody is subscribed to it.",
  mimeType: "text/plain",
};

/**
 * Makes a small MCP server to try things out with: the tools `echo`, `add` and
 * `slow`, and a resource that grows. It speaks both eras.
 *
 * @param options Its version, and options of every server.
 * @returns The server; it does not listen yet.
 */
export function createDemoServer(options: DemoServerOptions): MCPWebSocketServer {
  const { growInterval = 1_000, ...rest } = options;
  const server = new MCPWebSocketServer({
    ...rest,
    name: "bowline-demo",
    title: "Bowline demo",
    capabilities: { tools: {}, resources: { subscribe: true } },
    instructions: "A server to try things out with; nothing it does matters.",
    maySubscribe: (uri) => uri === JOURNAL_URI,
  });
  handleTools(server);
  handleResources(server, growInterval);
  return server;
}

function handleTools(server: MCPWebSocketServer): void {
  server.handle("tools/list", () => ({
    tools: Array.from(DEMO_TOOLS.values(), ({ definition }) => definition),
  }));
  server.handle("tools/call", ({ name, arguments: args = {} }, context) => {
    const tool = DEMO_TOOLS.get(name);
    if (tool !== undefined) return tool.call(args, context);
    throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, `Unknown tool: "${name}"`);
  });
}

function handleResources(server: MCPWebSocketServer, growInterval: number): void {
  const journal = new DemoJournal(growInterval, () => server.resourceUpdated(JOURNAL_URI));
  server.handle("resources/list", () => ({ resources: [JOURNAL] }));
  server.handle("resources/templates/list", () => ({ resourceTemplates: [] }));
  server.handle("resources/read", ({ uri }) => {
    if (uri === JOURNAL_URI) {
      return { contents: [{ uri, mimeType: "text/plain", text: journal.text }] };
    }
    throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, `Resource not found: "${uri}"`);
  });
  // Nothing else can be subscribed to.
  server.onSubscribers((_uri, subscribers) => subscribers > 0 ? journal.start() : journal.stop());
}
