/**
 * The server process of the benchmarks: `deno run -A bench/server.ts`. It
 * prints one line of JSON, its addresses, and lives until its input ends, so
 * that it never outlives whoever started it.
 *
 * @module
 */

import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { serveFloor } from "./floor.ts";
import { ECHO, NOTE } from "./messages.ts";
import { serveSdkHttp, serveSdkWebSocket } from "./sdk_server.ts";
import type { Addresses } from "./server_process.ts";

const server = new MCPWebSocketServer({ name: "bench", version: "1.0.0" });
server.handle(ECHO, (params) => params);
server.onNotification(NOTE, () => {});
const { url: ours } = await server.start({ port: 0 });

const addresses: Addresses = {
  ours,
  floor: `ws://127.0.0.1:${serveFloor().addr.port}/`,
  sdk: `ws://127.0.0.1:${serveSdkWebSocket().addr.port}/mcp`,
  sdkHttp: `http://127.0.0.1:${serveSdkHttp().addr.port}/mcp`,
};
// deno-lint-ignore no-console
console.log(JSON.stringify(addresses));

for await (const _ of Deno.stdin.readable);
Deno.exit();
