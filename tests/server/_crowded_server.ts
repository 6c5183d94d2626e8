// Run by listener_test.ts in a process with few file descriptors.
import { MCPWebSocketServer } from "../../server/mod.ts";

const encoder = new TextEncoder();
const log = (text: string) => void Deno.stdout.writeSync(encoder.encode(`${text}\n`));
const server = new MCPWebSocketServer({
  name: "crowded",
  version: "1",
  logger: { debug: log, info: log, warn: log, error: log },
});
const { port } = await server.start({ port: 0 });
log(`port ${port}`);
