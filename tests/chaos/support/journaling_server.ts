/**
 * A server that tells on its standard output what its handlers do, a line each;
 * for `server/main.ts --module`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { MCPWebSocketServer } from "../../../server/mod.ts";

const STEPS = 5;

const encoder = new TextEncoder();

function tell(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

const server: MCPWebSocketServer = new MCPWebSocketServer({ name: "journal", version: "1.0.0" });
server.handle("tools/list", () => ({
  tools: [{
    name: "safe",
    inputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
  }, { name: "unsafe", inputSchema: { type: "object" } }],
}));
server.handle("tools/call", async ({ name, arguments: args = {} }, { progress, signal }) => {
  const { n, time = 0, isHeld = false } = args;
  tell(`${name} ${n}`);
  if (isHeld) await new Promise((_, reject) => signal.onabort = () => reject(signal.reason));
  for (let step = 1; Number(time) > 0 && step <= STEPS; step++) {
    await delay(Number(time) / STEPS);
    progress(step);
  }
  return { content: [{ type: "text", text: `${name} ${n}` }] };
});

export default server;
