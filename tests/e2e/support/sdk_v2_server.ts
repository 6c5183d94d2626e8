import {
  acceptedContent,
  inputRequired,
  inputResponse,
  McpServer,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { ASK, GROWING, hold, SAMPLE, type Scene, text } from "./scene.ts";

/** A server of SDK v2 for one connection of either era. */
export function createV2Server(scene: Scene): McpServer {
  const capabilities = { logging: {}, resources: { subscribe: true } };
  const server = new McpServer({ name: "v2", version: "1.0.0" }, { capabilities });
  addTools(server, scene);
  addAskingTools(server);
  addResource(server, scene);
  return server;
}

function addTools(server: McpServer, scene: Scene): void {
  const reads = { annotations: { readOnlyHint: true } };
  server.registerTool("echo", { ...reads, inputSchema: z.object({ text: z.string() }) }, (args) => {
    return text(args.text);
  });
  const counted = { inputSchema: z.object({ to: z.number() }) };
  server.registerTool("count", counted, async ({ to }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progressToken !== undefined && progress <= to; progress++) {
      const params = { progressToken, progress, total: to };
      await mcpReq.notify({ method: "notifications/progress", params });
    }
    return text("counted");
  });
  server.registerTool("look", reads, ({ mcpReq }) => hold(scene, "look", mcpReq.signal));
  server.registerTool("change", {}, ({ mcpReq }) => hold(scene, "change", mcpReq.signal));
  server.registerTool("whoami", {}, ({ sessionId, http }) => {
    return text(JSON.stringify([sessionId, http?.req?.headers.get("x-caller")]));
  });
}

/** Asked in the result; towards a client of the legacy era the SDK makes requests of it. */
function addAskingTools(server: McpServer): void {
  server.registerTool("ask", {}, ({ mcpReq }) => {
    const content = acceptedContent(mcpReq.inputResponses, "name");
    if (content !== undefined) return text(String(content.name));
    return inputRequired({ inputRequests: { name: inputRequired.elicit(ASK) } });
  });
  server.registerTool("sample", {}, ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, "sum");
    if (answer.kind !== "sampling") {
      return inputRequired({ inputRequests: { sum: inputRequired.createMessage(SAMPLE) } });
    }
    const { content } = answer.result;
    return text("text" in content ? content.text : JSON.stringify(content));
  });
}

function addResource(server: McpServer, scene: Scene): void {
  server.registerResource("growing", GROWING, {}, async (uri, { mcpReq }) => {
    const { content: [{ text }] } = await hold(scene, "read", mcpReq.signal);
    return { contents: [{ uri: uri.href, text }] };
  });
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.registerTool("grow", {}, async () => {
    await server.server.sendResourceUpdated({ uri: GROWING });
    return text("grown");
  });
  server.registerTool("log", {}, async () => {
    await server.server.sendLoggingMessage({ level: "info", data: "logged" });
    return text("logged");
  });
}
