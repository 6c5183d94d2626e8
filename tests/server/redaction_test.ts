import { assert, assertEquals } from "@std/assert";
import {
  createWebSocketHandler,
  MCPWebSocketServer,
  type WebSocketHandler,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { recordLog } from "../support/recorded_log.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { echo } from "./_serving.ts";

/** In everything that a client here says or holds. */
const CANARY = "canary-3e7a";

/** Frames that are no message, each with the canary in it. */
const BAD_FRAMES: readonly string[] = [
  CANARY,
  `{"jsonrpc":"2.0","id":1,"method":"${CANARY}`,
  `["${CANARY}"]`,
  `{"jsonrpc":"1.0","${CANARY}":1}`,
  `{"jsonrpc":"2.0","id":{},"method":"${CANARY}"}`,
  `{"jsonrpc":"2.0","id":1,"params":{"${CANARY}":${"[".repeat(99)}${"]".repeat(99)}},"method":"x"}`,
];

function listen(handler: WebSocketHandler): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler.fetch);
}

/** All that an error holds: properties, causes and stacks. */
function inspectAll(errors: readonly unknown[]): string {
  return errors.map((error) => Deno.inspect(error, { depth: 20, showHidden: true })).join("\n");
}

Deno.test("createWebSocketHandler() tells logger and onError nothing of what clients send", async () => {
  const { logger, lines } = recordLog();
  const errors: Error[] = [];
  await using handler = createWebSocketHandler(echo, {
    logger,
    onError: (error) => errors.push(error),
    maxMessageBytes: 20_000,
  });
  await using server = listen(handler);
  const { port } = server.addr;
  const headers = { Authorization: `Bearer ${CANARY}`, Cookie: CANARY };
  const url = `ws://127.0.0.1:${port}/mcp?token=${CANARY}`;
  for (const frames of [BAD_FRAMES, [new Blob([CANARY])], [CANARY.repeat(9_999)]]) {
    const socket = await JsonSocket.open(url, { headers });
    for (const frame of frames) socket.socket.send(frame);
    if (frames === BAD_FRAMES) {
      for (const _ of BAD_FRAMES) assertEquals((await socket.next()).error.code < -32_000, true);
      await socket.close();
    } else await socket.closed;
  }
  await using peer = new SessionPeer(port, { headers });
  await peer.open();
  for (const frame of BAD_FRAMES.slice(1, 2)) peer.send(frame);
  await until(() => peer.waiting === 1);
  peer.write(`?${CANARY}`);
  await peer.control("end");
  // Requests that are refused, each for another reason.
  for (
    const [path, changes] of [
      [`/${CANARY}?token=${CANARY}`, {}],
      [`/mcp?token=${CANARY}`, { Origin: `https://${CANARY}.example` }],
      [`/mcp?token=${CANARY}`, { Host: `${CANARY}.example` }],
      [`/mcp?token=${CANARY}`, { "Sec-WebSocket-Version": "7" }],
      [`/mcp?token=${CANARY}`, { "Sec-WebSocket-Protocol": CANARY }],
    ] as const
  ) {
    const request = { ...UPGRADE_HEADERS, ...headers, ...changes };
    const { socket } = await RawSocket.request(port, request, `GET ${path} HTTP/1.1`);
    socket[Symbol.dispose]();
  }
  assert(errors.length >= BAD_FRAMES.length && lines.length > errors.length);
  const told = lines.join("\n") + inspectAll(errors);
  assertEquals(told.includes("canary"), false, told);
});

Deno.test("createWebSocketHandler() logs one line for each event, whatever a close reason holds", async () => {
  const { logger, lines } = recordLog();
  await using handler = createWebSocketHandler(echo, { logger });
  await using server = listen(handler);
  const reason = "a\r\nerror The database is gone\u2028\u202e\u009b2J\u0000";
  for (const protocol of ["mcp", "bowline.v1"]) {
    const socket = await JsonSocket.open(`ws://127.0.0.1:${server.addr.port}/mcp`, {
      protocols: [protocol],
    });
    socket.socket.close(4_321, reason);
    await socket.closed;
  }
  await until(() => lines.some((line) => line.includes("4321")));
  for (const line of lines) assertEquals(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line), false, line);
  assert(lines.some((line) => line.includes('"a\\r\\nerror The database is gone\\u2028\\u202e')));
});

Deno.test("MCPWebSocketServer tells clients nothing of what handlers throw", async () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  server.onRequest(() => {
    throw new Error(CANARY, { cause: CANARY });
  });
  const { url } = await server.start({ port: 0 });
  const socket = await JsonSocket.open(url);
  assertEquals((await socket.request("x")).error, { code: -32603, message: "Internal error" });
  await socket.close();
  await server.stop();
});
