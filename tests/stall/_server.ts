/**
 * The server process of the stall tests: a client in the same process would
 * share its event loop. It prints its addresses, and lives until it is killed.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";

/** Silence after which the second server pings its clients, in milliseconds. */
const PING_INTERVAL = 30;

/** A bare socket, which answers everything but what starts with a hash. */
function serveBare(): string {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  const { addr } = Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (!data.startsWith("#")) socket.send(String(data.length));
    };
    return response;
  });
  return `ws://127.0.0.1:${addr.port}/`;
}

/** Answers are small: what may stall is on the way to the server. */
async function serveOurs(pingInterval: number): Promise<string> {
  const server = new MCPWebSocketServer({
    name: "stall",
    version: "1.0.0",
    session: { pingInterval },
  });
  server.handle("x/now", ({ data }) => ({ units: String(data).length }));
  server.handle("x/later", async ({ data }) => {
    await delay(0);
    return { units: String(data).length };
  });
  server.handle("x/notes", async ({ count }, { session }) => {
    for (let i = 0; i < Number(count); i++) await session.notify("x/note");
    return {};
  });
  server.onNotification("x/note", () => {});
  return (await server.start({ port: 0 })).url;
}

const urls = [await serveOurs(25_000), await serveOurs(PING_INTERVAL), serveBare()];
// deno-lint-ignore no-console
console.log(`Listening on ${urls.join(",")}`);
