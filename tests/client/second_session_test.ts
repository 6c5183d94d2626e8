import { assertEquals } from "@std/assert";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { isObject } from "../../protocol/jsonrpc.ts";
import { until } from "../support/until.ts";

/** What a connection of the server does with the messages it hears. */
type Play = (socket: WebSocket, frame: readonly unknown[] | Record<string, unknown>) => void;

const WELCOME = { resumed: false, received: 0, windowMs: 60_000, pingMs: 25_000 };
const INITIALIZED = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: {} };

const say = (socket: WebSocket, value: unknown) => socket.send(JSON.stringify(value));
const welcome = (socket: WebSocket, reason?: string) =>
  say(socket, ["welcome", { ...WELCOME, reason }]);
const answer = (socket: WebSocket, id: unknown, result: object) =>
  say(socket, { jsonrpc: "2.0", id, result });

/** A server of sessions whose connections each play their part; the last plays on. */
function serve(plays: readonly Play[]): Deno.HttpServer<Deno.NetAddr> {
  let connections = 0;
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const play = plays[Math.min(connections++, plays.length - 1)];
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "bowline.v1" });
    socket.onmessage = ({ data }) => {
      for (const line of String(data).split("\n")) play?.(socket, JSON.parse(line));
    };
    return response;
  });
}

/** Opens MCP and leaves a request in flight; `heard` is what the application hears. */
async function talk(server: Deno.HttpServer<Deno.NetAddr>, heard: unknown[]) {
  const reconnect = { minDelay: 10, maxDelay: 50 };
  const url = `ws://127.0.0.1:${server.addr.port}/mcp`;
  const transport = new WebSocketClientTransport(url, { reconnect });
  transport.onmessage = (message) => heard.push(message);
  await transport.start();
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: {} };
  await transport.send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  await until(() => heard.length === 1);
  await transport.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  await transport.send({ jsonrpc: "2.0", id: 2, method: "tools/list" });
  return transport;
}

Deno.test("a session that is lost before its first welcome is told everything on the next connection", async () => {
  const hear = (socket: WebSocket, frame: readonly unknown[] | Record<string, unknown>) => {
    if (!isObject(frame)) {
      if (Array.isArray(frame) && frame[0] === "hello") welcome(socket);
    } else if (frame.method === "initialize") answer(socket, frame.id, INITIALIZED);
    else if (frame.method === "tools/list") answer(socket, frame.id, { tools: [] });
  };
  let hellos = 0;
  const server = serve([
    (socket, frame) => {
      if (isObject(frame) && frame.method === "tools/list") socket.close(1001);
      else hear(socket, frame);
    },
    (socket, frame) => {
      if (!Array.isArray(frame) || frame[0] !== "hello") return;
      if (++hellos === 1) welcome(socket, "The session is unknown");
      else socket.close(1001);
    },
    hear,
  ]);
  const heard: unknown[] = [];
  const transport = await talk(server, heard);
  await until(() => heard.length === 2);
  assertEquals(heard[1], { jsonrpc: "2.0", id: 2, result: { tools: [] } });
  await transport.close();
  await server.shutdown();
});

Deno.test("no answer to a request of a session that could not be opened reaches the next one", async () => {
  const answers: unknown[] = [];
  const greet = (socket: WebSocket, frame: readonly unknown[] | Record<string, unknown>) => {
    if (Array.isArray(frame) && frame[0] === "hello") welcome(socket);
  };
  const server = serve([
    (socket, frame) => {
      if (!isObject(frame)) return greet(socket, frame);
      if (frame.method === "initialize") answer(socket, frame.id, INITIALIZED);
      if (frame.method === "tools/list") socket.close(1001);
    },
    (socket, frame) => {
      if (Array.isArray(frame) && frame[0] === "hello") {
        const isSecond = frame[1].resume !== true;
        welcome(socket, isSecond ? undefined : "The session is unknown");
      } else if (isObject(frame) && frame.method === "initialize") {
        say(socket, { jsonrpc: "2.0", id: 7, method: "roots/list", params: { of: "A" } });
        setTimeout(() => socket.close(1001), 20);
      }
    },
    (socket, frame) => {
      if (!isObject(frame)) {
        if (Array.isArray(frame) && frame[0] === "hello") {
          welcome(socket, frame[1].resume === true ? "The session is unknown" : undefined);
        }
      } else if (frame.method === "initialize") {
        answer(socket, frame.id, INITIALIZED);
        say(socket, { jsonrpc: "2.0", id: 7, method: "roots/list", params: { of: "B" } });
      } else if (frame.method === "tools/list") answer(socket, frame.id, { tools: [] });
      else if ("result" in frame) answers.push(frame.result);
    },
  ]);
  const heard: Record<string, unknown>[] = [];
  const transport = await talk(server, heard);
  const asked = () => heard.filter((message) => message.method === "roots/list");
  await until(() => asked().length === 2 && heard.some(({ id }) => id === 2));
  for (const { id, params } of asked()) {
    await transport.send({ jsonrpc: "2.0", id: id as number, result: { to: params } });
  }
  await until(() => answers.length === 1);
  assertEquals(answers, [{ to: { of: "B" } }]);
  await transport.close();
  await server.shutdown();
});
