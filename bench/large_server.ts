/**
 * The server process of the figures of large messages: `deno run -A
 * bench/large_server.ts`. It prints one line of JSON, its addresses, and lives
 * until its input ends.
 *
 * @module
 */

import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { DOWN, type LargeAddresses, ROOM, SMALL, UP } from "./large_messages.ts";

/** Results, by their size: making them is not measured. */
const results = new Map<number, { readonly data: string }>();

function answer(
  method: string,
  params: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (method === UP) return { units: String(params.data).length };
  if (method === SMALL) return {};
  const units = Number(params.units);
  const result = results.get(units) ?? { data: "x".repeat(units) };
  results.set(units, result);
  return result;
}

const server = new MCPWebSocketServer({
  name: "bench",
  version: "1.0.0",
  maxMessageBytes: ROOM,
  maxSendBytes: ROOM,
  session: { maxWaitingBytes: ROOM, maxTotalBytes: 2 * ROOM },
});
for (const method of [UP, DOWN, SMALL]) server.handle(method, (params) => answer(method, params));
const { url: ours } = await server.start({ port: 0 });

const floor = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = ({ data }) => {
    const { id, method, params } = JSON.parse(data);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: answer(method, params) }));
  };
  return response;
});

const addresses: LargeAddresses = { ours, floor: `ws://127.0.0.1:${floor.addr.port}/` };
// deno-lint-ignore no-console
console.log(JSON.stringify(addresses));

for await (const _ of Deno.stdin.readable);
Deno.exit();
