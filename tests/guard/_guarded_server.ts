// Run in a process of its own by the tests: a guarded server with few resources.
import { startGuard } from "../../guard/mod.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";

const encoder = new TextEncoder();
const log = (text: string) => void Deno.stdout.writeSync(encoder.encode(`${text}\n`));
const logger = { debug() {}, info: log, warn: log, error: log };
const server = new MCPWebSocketServer({ name: "guarded", version: "1", logger });
const guard = startGuard(
  { port: 0, maxMessageBytes: 1024 * 1024, maxConnections: 1_000, headerTimeout: 60_000, logger },
  server.fetch,
);
log(`port ${guard.port}`);
