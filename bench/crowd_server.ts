/**
 * The server process of figures with many connections, which tells of its
 * memory: `deno run -A --v8-flags=--expose-gc bench/crowd_server.ts`. Limits
 * are the defaults, but clients may come faster than 1,000 a second; it has no
 * guard in front.
 *
 * @module
 */

import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { delay } from "@std/async/delay";
import { answerQuestions, cpuTime } from "./answers.ts";
import type { CrowdAddresses, CrowdServerQuestion, Memory } from "./crowd.ts";
import { serveFloor } from "./floor.ts";
import { ECHO, NOTE, noteParams } from "./messages.ts";

/** How often garbage is collected before memory is read, and the pause after each, in milliseconds. */
const COLLECTIONS = 5;
const PAUSE = 100;

const server = new MCPWebSocketServer({
  name: "bench",
  version: "1.0.0",
  admission: { upgrades: false },
});
server.handle(ECHO, (params) => params);
const { url: ours } = await server.start({ port: 0 });
const sockets = new Set<WebSocket>();
const floor = `ws://127.0.0.1:${serveFloor((socket) => sockets.add(socket)).addr.port}/`;
const note = noteParams(100);

const BROADCAST = {
  ours: () => void server.broadcast(NOTE, note),
  floor(): void {
    const text = JSON.stringify({ jsonrpc: "2.0", method: NOTE, params: note });
    for (const socket of sockets) socket.send(text);
  },
};

/** Until the turn is over: frames are written at its end. */
async function broadcast(side: keyof typeof BROADCAST): Promise<number> {
  const startedAt = performance.now();
  BROADCAST[side]();
  await new Promise<void>((resolve) => setImmediate(resolve));
  return performance.now() - startedAt;
}

async function readMemory(): Promise<Memory> {
  for (let i = 0; i < COLLECTIONS; i++) {
    collectGarbage();
    await delay(PAUSE);
  }
  const { rss, heapUsed } = Deno.memoryUsage();
  return { rss, heapUsed };
}

/** What `--expose-gc` gives. */
function collectGarbage(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") {
    throw new TypeError("Cannot collect garbage: V8 was started without --expose-gc");
  }
  collect();
}

const addresses: CrowdAddresses = { ours, floor };
await answerQuestions(addresses, (question: CrowdServerQuestion) => {
  switch (question.ask) {
    case "cpu":
      return cpuTime();
    case "memory":
      return readMemory();
    case "broadcast":
      return broadcast(question.side);
  }
});
