/**
 * The server process of most figures: `deno run -A bench/server.ts`. It tells
 * its addresses, and lives until its input ends.
 *
 * @module
 */

import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { toolList } from "../tests/support/compressible.ts";
import { answerQuestions, cpuTime } from "./answers.ts";
import { serveFloor, serveUnixFloor } from "./floor.ts";
import { ECHO, NOTE } from "./messages.ts";
import type { Addresses, ServerQuestion } from "./server_process.ts";

/** Answers of the size at which compression has a goal. */
const TOOLS = JSON.parse(toolList(64 * 1024)).result;
const server = new MCPWebSocketServer({ name: "bench", version: "1.0.0" });
server.handle(ECHO, (params) => params);
server.handle("tools/list", () => TOOLS);
server.onNotification(NOTE, () => {});
const { url: ours } = await server.start({ port: 0 });
const folder = await Deno.makeTempDir();
const unix = `${folder}/socket`;
serveUnixFloor(unix);

const addresses: Addresses = {
  ours,
  floor: `ws://127.0.0.1:${serveFloor().addr.port}/`,
  unix,
};
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await answerQuestions(addresses, (_: ServerQuestion) => cpuTime());
