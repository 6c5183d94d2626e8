import { z } from "zod";
import { ASK, GROWING, hold, SAMPLE, type Scene, text } from "./scene.ts";
import { McpServerV1, SubscribeRequestSchema } from "./sdk_v1.ts";

/** A server of SDK v1 for one connection. */
export function createV1Server(scene: Scene): McpServerV1 {
  const capabilities = { logging: {}, resources: { subscribe: true } };
  const server = new McpServerV1({ name: "v1", version: "1.0.0" }, { capabilities });
  addTools(server, scene);
  addAskingTools(server);
  addResource(server, scene);
  return server;
}

function addTools(server: McpServerV1, scene: Scene): void {
  const reads = { annotations: { readOnlyHint: true } };
  server.registerTool("echo", { ...reads, inputSchema: { text: z.string() } }, (args) => {
    return text(args.text);
  });
  server.registerTool("count", { inputSchema: { to: z.number() } }, async ({ to }, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (let progress = 1; progressToken !== undefined && progress <= to; progress++) {
      const params = { progressToken, progress, total: to };
      await extra.sendNotification({ method: "notifications/progress", params });
    }
    return text("counted");
  });
  server.registerTool("look", reads, ({ signal }) => hold(scene, "look", signal));
  server.registerTool("change", {}, ({ signal }) => hold(scene, "change", signal));
  server.registerTool("whoami", {}, ({ sessionId, requestInfo }) => {
    return text(JSON.stringify([sessionId, requestInfo?.headers["x-caller"]]));
  });
}

function addAskingTools(server: McpServerV1): void {
  server.registerTool("ask", {}, async ({ signal }) => {
    const { content } = await server.server.elicitInput(ASK, { signal });
    return text(String(content?.name));
  });
  server.registerTool("sample", {}, async () => {
    const { content } = await server.server.createMessage(SAMPLE);
    return text(content.type === "text" ? content.text : content.type);
  });
}

function addResource(server: McpServerV1, scene: Scene): void {
  server.registerResource("growing", GROWING, {}, async (uri, { signal }) => {
    const { content: [{ text }] } = await hold(scene, "read", signal);
    return { contents: [{ uri: uri.href, text }] };
  });
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.registerTool("grow", {}, async () => {
    await server.server.sendResourceUpdated({ uri: GROWING });
    return text("grown");
  });
  server.registerTool("log", {}, async () => {
    await server.server.sendLoggingMessage({ level: "info", data: "logged" });
    return text("logged");
  });
}
