import { ERROR_CODES, MCPRpcError, MCPWebSocketServer } from "../../../server/mod.ts";
import type {
  HandlerContext,
  JsonRpcParams,
  MCPWebSocketServerOptions,
} from "../../../server/mod.ts";
import { ASK, GROWING, hold, SAMPLE, type Scene, text, type TextResult } from "./scene.ts";

type Tool = (
  args: JsonRpcParams,
  context: HandlerContext,
  scene: Scene,
) => TextResult | Promise<TextResult>;

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["echo", (args) => text(String(args.text))],
  ["count", ({ to }, context) => {
    for (let done = 1; done <= Number(to); done++) context.progress(done, Number(to));
    return text("counted");
  }],
  ["look", (_, { signal }, scene) => hold(scene, "look", signal)],
  ["change", (_, { signal }, scene) => hold(scene, "change", signal)],
  ["whoami", (_, { session }) => {
    const caller = session.transport.request?.headers.get("x-caller");
    return text(JSON.stringify([session.id, caller]));
  }],
  ["ask", async (_, { session }) => {
    const { content } = await session.request("elicitation/create", ASK);
    return text(String(content?.name));
  }],
  ["sample", async (_, { session }) => {
    const { content } = await session.request("sampling/createMessage", SAMPLE);
    return text("text" in content ? String(content.text) : JSON.stringify(content));
  }],
  ["grow", (_, context) => {
    context.notify("notifications/resources/updated", { uri: GROWING });
    return text("grown");
  }],
  ["log", (_, context) => {
    context.notify("notifications/message", { level: "info", data: "logged" });
    return text("logged");
  }],
]);

const SAFE_TOOLS: ReadonlySet<string> = new Set(["echo", "look"]);

/** A server without an SDK, for all connections. */
export function createOwnServer(
  scene: Scene,
  options: Partial<MCPWebSocketServerOptions> = {},
): MCPWebSocketServer {
  const server = new MCPWebSocketServer({ name: "own", version: "1.0.0", ...options });
  server.handle("tools/list", () => ({
    tools: Array.from(TOOLS.keys(), (name) => ({
      name,
      inputSchema: { type: "object" },
      annotations: { readOnlyHint: SAFE_TOOLS.has(name) },
    })),
  }));
  server.handle("tools/call", ({ name, arguments: args = {} }, context) => {
    const tool = TOOLS.get(name);
    if (tool !== undefined) return tool(args, context, scene);
    throw new MCPRpcError(ERROR_CODES.INVALID_PARAMS, `Tool ${name} not found`);
  });
  server.handle("resources/list", () => ({ resources: [{ uri: GROWING, name: "growing" }] }));
  server.handle("resources/read", async ({ uri }, { signal }) => {
    const { content: [{ text }] } = await hold(scene, "read", signal);
    return { contents: [{ uri, text }] };
  });
  for (const method of ["resources/subscribe", "logging/setLevel"] as const) {
    server.handle(method, () => {
      scene.journal.write(`got ${method}`);
      return {};
    });
  }
  server.onNotification("notifications/initialized", () => {
    scene.journal.write("got notifications/initialized");
  });
  return server;
}
