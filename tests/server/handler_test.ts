import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  createWebSocketHandler,
  MCPCapacityError,
  MCPConnectionError,
  type WebSocketServerTransport,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { echo, serve, until } from "./_serving.ts";

async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url.replace("ws:", "http:"), init);
  await response.body?.cancel();
  return response.status;
}

Deno.test("WebSocketHandler.fetch() says 426 to browsers and tells why", async () => {
  await using serving = serve();
  const response = await fetch(serving.url.replace("ws:", "http:"));
  assertEquals(response.status, 426);
  assertEquals(response.headers.get("Upgrade"), "websocket");
  assertMatch(await response.text(), /WebSocket/);
});

Deno.test("WebSocketHandler.fetch() serves the path it was given, and no other", async () => {
  await using serving = serve(echo, { path: "/deep/socket" });
  assertEquals(await statusOf(serving.url), 404);
  await using client = await JsonSocket.open(serving.url.replace("/mcp", "/deep/socket"));
  assertEquals((await client.request("a")).result, {});
});

Deno.test("WebSocketHandler.fetch() needs no this", async () => {
  const { fetch: detached } = createWebSocketHandler(echo);
  const headers = { "Host": "localhost" };
  const response = await detached(new Request("http://localhost/mcp", { headers }));
  assertEquals(response.status, 426);
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, detached);
  const client = await JsonSocket.open(`ws://127.0.0.1:${server.addr.port}/mcp`);
  assertEquals((await client.request("a")).result, {});
  await client.close();
});

Deno.test("WebSocketHandler.fetch() answers 500 to what was upgraded before", async () => {
  const errors: Error[] = [];
  const statuses: number[] = [];
  await using handler = createWebSocketHandler(echo, { onError: (error) => errors.push(error) });
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request, info) => {
      const response = handler.fetch(request, info);
      statuses.push((await handler.fetch(request, info)).status);
      return response;
    },
  );
  const client = await JsonSocket.open(`ws://127.0.0.1:${server.addr.port}/mcp`);
  assertEquals((await client.request("a")).result, {});
  assertEquals(statuses, [500]);
  assertEquals(errors.length, 1);
  assertEquals(handler.health().activeConnections, 1);
  await client.close();
});

Deno.test("WebSocketHandler.fetch() frees the place of an upgrade that somebody dropped", async () => {
  const clock = new ManualClock();
  const handler = createWebSocketHandler(echo, { clock });
  const request = new Request("http://127.0.0.1/mcp", { headers: UPGRADE_HEADERS });
  assertEquals((await handler.fetch(request)).status, 101);
  assertEquals(handler.health().activeConnections, 1);
  clock.advance(10_000);
  assertEquals(handler.health().activeConnections, 0);
  assertEquals(clock.timers, 0);
});

Deno.test("WebSocketHandler.fetch() survives an origin predicate that throws", async () => {
  const errors: Error[] = [];
  await using serving = serve(echo, {
    allowedOrigins() {
      throw new TypeError("oops");
    },
    onError: (error) => errors.push(error),
  });
  const { socket, head } = await RawSocket.request(serving.port, {
    ...UPGRADE_HEADERS,
    "Origin": "https://a.example",
  });
  using _ = socket;
  assertEquals(head.status, 500);
  assertEquals(errors.map((error) => error.message), ["oops"]);
  assertEquals(await serving.isListening(), true);
});

Deno.test("WebSocketHandler.fetch() lets in the origins it was given", async () => {
  await using serving = serve(echo, { allowedOrigins: ["https://a.example"] });
  const statuses = [];
  for (const origin of ["https://a.example", "https://b.example", "http://localhost"]) {
    const { socket, head } = await RawSocket.request(serving.port, {
      ...UPGRADE_HEADERS,
      "Origin": origin,
    });
    using _ = socket;
    statuses.push(head.status);
  }
  assertEquals(statuses, [101, 403, 403]);
});

Deno.test("WebSocketHandler.fetch() says 503 above maxConnections, until somebody leaves", async () => {
  await using serving = serve(echo, { maxConnections: 2 });
  const first = await JsonSocket.open(serving.url);
  await using _second = await JsonSocket.open(serving.url);
  assertEquals(serving.handler.health().status, "full");
  const { socket, head } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  socket.close();
  assertEquals(head.status, 503);
  assertEquals(head.headers.get("Retry-After"), "5");
  await first.close();
  await until(() => serving.handler.health().activeConnections === 1);
  await using third = await JsonSocket.open(serving.url);
  assertEquals((await third.request("a")).result, {});
});

Deno.test("createWebSocketHandler() closes a connection whose listener throws or rejects", async () => {
  const errors: string[] = [];
  let calls = 0;
  await using serving = serve((session) => {
    calls++;
    if (calls === 1) throw new Error("sync");
    if (calls === 2) return Promise.reject(new Error("async"));
    return echo(session);
  }, { onError: (error) => errors.push(error.message) });
  for (const _ of [1, 2]) {
    const client = await JsonSocket.open(serving.url);
    assertEquals(await client.closed, { code: 1011, reason: "Internal error" });
  }
  await using client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("a")).result, {});
  assertEquals(errors, ["sync", "async"]);
  assertEquals(serving.handler.health().errors, 2);
});

Deno.test("createWebSocketHandler() holds messages until the session is started", async () => {
  const gate = Promise.withResolvers<void>();
  await using serving = serve(async (session) => {
    await gate.promise;
    await echo(session);
  });
  await using client = await JsonSocket.open(serving.url);
  client.ask("a", { n: 1 });
  client.ask("b", { n: 2 });
  await until(() => serving.handler.sessions.size === 1);
  gate.resolve();
  assertEquals((await client.next()).result, { n: 1 });
  assertEquals((await client.next()).result, { n: 2 });
});

Deno.test("createWebSocketHandler() forgets a session that was never started", async () => {
  await using serving = serve(() => {});
  const client = await JsonSocket.open(serving.url);
  client.ask("a");
  await client.close();
  await until(() => serving.handler.sessions.size === 0);
  assertEquals(serving.handler.health().activeConnections, 0);
});

Deno.test("createWebSocketHandler() bounds what is held before the start", async () => {
  await using serving = serve(() => {}, { maxMessageBytes: 1_000 });
  const client = await JsonSocket.open(serving.url);
  for (let i = 0; i < 30; i++) client.ask("a", { text: "x".repeat(100) });
  await client.closed;
  await until(() => serving.handler.sessions.size === 0);
});

Deno.test("createWebSocketHandler() throws at bad options", () => {
  assertThrows(() => createWebSocketHandler(echo, { maxConnections: 0 }), RangeError);
});

Deno.test("createWebSocketHandler() logs what happens, and no credentials", async () => {
  const lines: string[] = [];
  const log = (text: string) => void lines.push(text);
  {
    await using serving = serve(echo, {
      logger: { debug: log, info: log, warn: log, error: log },
    });
    const client = await JsonSocket.open(serving.url, {
      protocols: ["mcp", "mcp.auth.CANARY"],
      headers: { "Authorization": "Bearer CANARY", "Cookie": "a=CANARY" },
    });
    client.send('{"CANARY":');
    await client.next();
    await client.request("a", { secret: "CANARY" });
    await client.close();
    assertEquals(await statusOf(`${serving.url}?token=CANARY`), 426);
  }
  const text = lines.join("\n");
  assertMatch(text, /opened from 127\.0\.0\.1/);
  assertMatch(text, /closed with 1005/);
  assertMatch(text, /refused with 426/);
  assertMatch(text, /Parse error/);
  assertEquals(text.includes("CANARY"), false);
});

Deno.test("WebSocketHandler.health() counts connections, messages and errors", async () => {
  await using serving = serve();
  const client = await JsonSocket.open(serving.url);
  await client.request("a");
  client.notify("b");
  client.send("garbage");
  await client.next();
  const { uptime, ...health } = serving.handler.health();
  assertEquals(health, {
    status: "ok",
    activeConnections: 1,
    totalConnections: 1,
    messagesIn: 2,
    messagesOut: 1,
    detachedSessions: 0,
    bufferedBytes: 0,
    errors: 1,
  });
  assertEquals(uptime >= 0, true);
  await client.close();
  await until(() => serving.handler.health().activeConnections === 0);
  const after = serving.handler.health();
  assertEquals([after.messagesIn, after.messagesOut, after.totalConnections], [2, 1, 1]);
});

Deno.test("WebSocketHandler.broadcast() reaches all but those left out", async () => {
  await using serving = serve();
  await using first = await JsonSocket.open(serving.url);
  await using second = await JsonSocket.open(serving.url);
  await until(() => serving.handler.sessions.size === 2);
  const [id] = serving.handler.sessions.keys();
  const note = { jsonrpc: "2.0", method: "x/note" } as const;
  assertEquals(serving.handler.broadcast(note), 2);
  assertEquals(serving.handler.broadcast({ ...note, params: { n: 1 } }, { except: [id!] }), 1);
  assertEquals(await first.next(), note);
  assertEquals(await second.next(), note);
  assertEquals(await second.next(), { ...note, params: { n: 1 } });
  // The first client's next message is its own answer: it was left out.
  assertEquals((await first.request("a")).result, {});
});

Deno.test("WebSocketHandler.broadcast() throws at what is no message", async () => {
  await using serving = serve(echo, { maxSendBytes: 100 });
  assertThrows(() => serving.handler.broadcast({} as never), TypeError);
  const big = { jsonrpc: "2.0", method: "x".repeat(100) } as const;
  assertThrows(() => serving.handler.broadcast(big), RangeError);
});

Deno.test("WebSocketHandler.close() closes idle connections at once", async () => {
  await using serving = serve();
  const client = await JsonSocket.open(serving.url);
  await client.request("a");
  await serving.handler.close();
  assertEquals(await client.closed, { code: 1001, reason: "Server is shutting down" });
  assertEquals(serving.handler.health().status, "closed");
});

Deno.test("WebSocketHandler.close() waits for running requests and refuses newcomers", async () => {
  const sessions: WebSocketServerTransport[] = [];
  await using serving = serve(async (session) => {
    sessions.push(session);
    await session.start();
  });
  const client = await JsonSocket.open(serving.url);
  const id = client.ask("slow");
  await until(() => sessions[0]?.running === 1);
  const closing = serving.handler.close();
  assertEquals(serving.handler.health().status, "draining");
  const { socket, head } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  socket.close();
  assertEquals(head.status, 503);
  await sessions[0]!.send({ jsonrpc: "2.0", id, result: { done: true } });
  assertEquals((await client.next()).result, { done: true });
  assertEquals((await client.closed).code, 1001);
  await closing;
});

Deno.test("WebSocketHandler.close() loses patience after its timeout", async () => {
  await using serving = serve((session) => session.start());
  const client = await JsonSocket.open(serving.url);
  client.ask("never");
  await until(() => [...serving.handler.sessions.values()][0]?.running === 1);
  const started = Date.now();
  await serving.handler.close({ timeout: 50, code: 1012, reason: "Restarting" });
  assertEquals(await client.closed, { code: 1012, reason: "Restarting" });
  const took = Date.now() - started;
  assertEquals(took >= 45 && took < 1_000, true, `${took} ms`);
});

Deno.test("WebSocketHandler.close() does not wait for requests that were cancelled", async () => {
  await using serving = serve((session) => session.start());
  const client = await JsonSocket.open(serving.url);
  const id = client.ask("never");
  client.notify("notifications/cancelled", { requestId: id });
  await until(() => [...serving.handler.sessions.values()][0]?.messagesIn === 2);
  await serving.handler.close();
  assertEquals((await client.closed).code, 1001);
});

Deno.test("WebSocketHandler.close() is over within two seconds with a peer that says nothing", async () => {
  await using serving = serve();
  const { socket } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  await until(() => serving.handler.sessions.size === 1);
  const started = Date.now();
  await serving.handler.close();
  assertEquals(Date.now() - started < 2_000, true);
  socket.close();
});

Deno.test("WebSocketHandler.close() also closes what was just being opened", async () => {
  const handler = createWebSocketHandler(() => {
    throw new Error("Nobody is served any more");
  });
  let closing: Promise<void> | undefined;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request, info) => {
      const response = handler.fetch(request, info);
      closing = handler.close();
      return response;
    },
  );
  const client = await JsonSocket.open(`ws://127.0.0.1:${server.addr.port}/mcp`);
  assertEquals(await client.closed, { code: 1001, reason: "Server is shutting down" });
  await closing;
  const { status, activeConnections, errors } = handler.health();
  assertEquals([status, activeConnections, errors], ["closed", 0, 0]);
});

Deno.test("WebSocketHandler.close() may be called twice", async () => {
  await using serving = serve();
  const client = await JsonSocket.open(serving.url);
  await Promise.all([serving.handler.close(), serving.handler.close({ code: 4000 })]);
  await serving.handler.close();
  assertEquals((await client.closed).code, 1001);
});

Deno.test("WebSocketHandler.close() refuses codes and timeouts that make no sense", async () => {
  const handler = createWebSocketHandler(echo);
  await assertRejects(() => handler.close({ code: 1006 }), RangeError);
  await assertRejects(
    () => handler.close({ timeout: -1 }),
    RangeError,
    'Cannot shut down as "timeout" must not be negative: current value is -1',
  );
  assertEquals(handler.health().status, "ok");
});

Deno.test("WebSocketHandler.adopt() serves a socket that this side dialled", async () => {
  // The other side is a plain acceptor that takes the part of the client.
  const accepted = Promise.withResolvers<WebSocket>();
  await using acceptor = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => accepted.resolve(socket);
      return response;
    },
  );
  await using handler = createWebSocketHandler(echo);
  const dialled = new WebSocket(`ws://127.0.0.1:${acceptor.addr.port}`);
  assertThrows(() => handler.adopt(dialled), TypeError, "Cannot adopt socket: it is not open");
  assertEquals(handler.health().activeConnections, 0);
  await new Promise((resolve) => dialled.onopen = resolve);
  const session = handler.adopt(dialled);
  const peer = await accepted.promise;
  const answer = new Promise((resolve) => peer.onmessage = ({ data }) => resolve(data));
  peer.send('{"jsonrpc":"2.0","id":1,"method":"a"}');
  assertEquals(await answer, '{"jsonrpc":"2.0","id":1,"result":{}}');
  assertEquals([session.request, handler.sessions.size], [undefined, 1]);
  const closed = new Promise<number>((resolve) => peer.onclose = ({ code }) => resolve(code));
  await handler.close();
  // A client may not send 1001.
  assertEquals(await closed, 1000);
});

Deno.test("WebSocketHandler.adopt() throws when there is no room, or no more", async () => {
  await using serving = serve();
  const [first, second] = await Promise.all([1, 2].map(async () => {
    const socket = new WebSocket(serving.url);
    await new Promise((resolve) => socket.onopen = resolve);
    return socket;
  }));
  const full = createWebSocketHandler(() => {}, { maxConnections: 1 });
  full.adopt(first!);
  assertThrows(() => full.adopt(second!), MCPCapacityError);
  await full.close();
  assertThrows(() => full.adopt(second!), MCPConnectionError);
  const closed = new Promise((resolve) => second!.onclose = resolve);
  second!.close();
  await closed;
});
