import { MCPRpcError } from "../protocol/errors.ts";
import { ERROR_CODES } from "../protocol/jsonrpc.ts";
import {
  LISTEN,
  RESOURCE_UPDATED,
  SUBSCRIBE,
  SUBSCRIPTION_ID,
  SUBSCRIPTIONS_ACKNOWLEDGED,
  UNSUBSCRIBE,
} from "../protocol/mcp.ts";
import type { McpResult, Resource, SubscriptionFilter } from "../protocol/mcp_types.ts";
import { DemoJournal } from "./demo_journal.ts";
import { DEMO_TOOLS } from "./demo_tools.ts";
import type { HandlerContext } from "./dispatcher.ts";
import type { WebSocketHandlerOptions } from "./options.ts";
import { MCPWebSocketServer } from "./server.ts";
import type { ServerSession } from "./session.ts";

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
  });
  handleTools(server);
  handleResources(server, new DemoJournal(growInterval));
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

function handleResources(server: MCPWebSocketServer, journal: DemoJournal): void {
  server.handle("resources/list", () => ({ resources: [JOURNAL] }));
  server.handle("resources/templates/list", () => ({ resourceTemplates: [] }));
  server.handle("resources/read", ({ uri }) => {
    checkUri(uri);
    return { contents: [{ uri, mimeType: "text/plain", text: journal.text }] };
  });
  handleSubscriptions(server, journal);
  server.handle(LISTEN, ({ notifications }, context) => listen(journal, notifications, context));
}

/** Until 2025-11-25: a subscription belongs to its connection. */
function handleSubscriptions(server: MCPWebSocketServer, journal: DemoJournal): void {
  const subscriptions = new WeakMap<ServerSession, () => void>();
  function unsubscribe(session: ServerSession): void {
    subscriptions.get(session)?.();
  }
  server.handle(SUBSCRIBE, ({ uri }, { session }) => {
    checkUri(uri);
    if (subscriptions.has(session)) unsubscribe(session);
    else session.transport.closed.then(() => unsubscribe(session));
    const notify = () => void session.notify(RESOURCE_UPDATED, { uri }).catch(() => {});
    subscriptions.set(session, journal.follow(notify));
    return {};
  });
  server.handle(UNSUBSCRIBE, ({ uri }, { session }) => {
    checkUri(uri);
    unsubscribe(session);
    return {};
  });
}

/** Since 2026-07-28: a subscription is a request that stays open until it is cancelled. */
async function listen(
  journal: DemoJournal,
  { resourceSubscriptions }: SubscriptionFilter,
  { id, signal, notify }: HandlerContext,
): Promise<McpResult> {
  const isWanted = Array.isArray(resourceSubscriptions) &&
    resourceSubscriptions.includes(JOURNAL_URI);
  const _meta = { [SUBSCRIPTION_ID]: id };
  const honoured = isWanted ? { resourceSubscriptions: [JOURNAL_URI] } : {};
  notify(SUBSCRIPTIONS_ACKNOWLEDGED, { notifications: honoured, _meta });
  const unfollow = isWanted
    ? journal.follow(() => notify(RESOURCE_UPDATED, { uri: JOURNAL_URI, _meta }))
    : undefined;
  await aborted(signal);
  unfollow?.();
  return { _meta };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function checkUri(uri: string): void {
  if (uri === JOURNAL_URI) return;
  throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, `Resource not found: "${uri}"`);
}
