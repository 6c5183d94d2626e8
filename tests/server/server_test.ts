import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { MCPError, MCPWebSocketServer } from "../../server/mod.ts";
import type { CallToolResult, McpMethods, StartOptions } from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { until } from "./_serving.ts";

const TLS = new URL("../support/tls/", import.meta.url);

function createServer(): MCPWebSocketServer {
  return new MCPWebSocketServer({ name: "test", version: "1" });
}

/** A server whose `x/slow` lasts until the test lets it go. */
function createSlowServer(): { server: MCPWebSocketServer; release: () => void } {
  const server = createServer();
  const gate = Promise.withResolvers<object>();
  server.handle("x/slow", () => gate.promise);
  return { server, release: () => gate.resolve({ done: true }) };
}

Deno.test("MCPWebSocketServer checks its options", () => {
  const create = (options: object) =>
    new MCPWebSocketServer({ name: "a", version: "1", ...options });
  assertThrows(() => create({ name: "" }), TypeError, '"name" must be a text');
  assertThrows(() => create({ version: undefined }), TypeError, '"version" must be a text');
  assertThrows(() => create({ maxConnections: 0 }), RangeError, '"maxConnections"');
  assertThrows(() => create({ requestTimeout: 0 }), RangeError, '"requestTimeout"');
  assertThrows(() => create({ maxRequestTimeout: NaN }), RangeError, '"maxRequestTimeout"');
});

Deno.test("MCPWebSocketServer.handle() is typed by its table of methods", () => {
  interface Methods extends McpMethods {
    "x/double": { params: { n: number }; result: { n: number } };
  }
  // The compiler is the test: each unused expectation is an error.
  function check(plain: MCPWebSocketServer, own: MCPWebSocketServer<Methods>): void {
    plain.handle("tools/call", ({ name }): CallToolResult => ({
      content: [{ type: "text", text: name.toUpperCase() }],
    }));
    // @ts-expect-error a tool's result has content
    plain.handle("tools/call", () => ({ contents: [] }));
    // @ts-expect-error the parameters are MCP's
    plain.handle("resources/read", (params: { url: string }) => ({ contents: [params.url] }));
    // @ts-expect-error a result is an object
    plain.handle("x/custom", () => 5);
    plain.handle("x/custom", (params) => Promise.resolve({ a: params.a }));
    own.handle("x/double", ({ n }) => ({ n: 2 * n }));
    // @ts-expect-error the table says what it gives
    own.handle("x/double", ({ n }) => ({ n: `${n}` }));
  }
  assertEquals(typeof check, "function");
});

Deno.test("MCPWebSocketServer.start() tells the address, also to onListen", async () => {
  await using server = createServer();
  let told: unknown;
  const address = await server.start({
    port: 0,
    onListen(listening) {
      told = listening;
      throw new Error("oops");
    },
  });
  assertMatch(address.url, /^ws:\/\/127\.0\.0\.1:\d+\/mcp$/);
  assertEquals(address.url, `ws://127.0.0.1:${address.port}/mcp`);
  assertEquals(told, address);
  await using client = await JsonSocket.open(address.url);
  assertEquals((await client.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.start() listens on IPv6", async () => {
  await using server = createServer();
  const { hostname, url } = await server.start({ hostname: "[::1]", port: 0 });
  assertEquals(hostname, "::1");
  await using client = await JsonSocket.open(url);
  assertEquals((await client.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.start() throws when it listens already", async () => {
  await using server = createServer();
  await server.start({ port: 0 });
  await assertRejects(
    () => server.start({ port: 0 }),
    TypeError,
    "Cannot start server: it listens already",
  );
});

Deno.test("MCPWebSocketServer.start() says which port is in use", async () => {
  await using first = createServer();
  const { port } = await first.start({ port: 0 });
  await using second = createServer();
  const error = await assertRejects(
    () => second.start({ port }),
    MCPError,
    `Cannot listen on 127.0.0.1:${port}: `,
  );
  assertEquals(error.kind, "network");
  assertEquals(error.cause instanceof Deno.errors.AddrInUse, true);
  // It can be started elsewhere afterwards.
  await second.start({ port: 0 });
});

Deno.test("MCPWebSocketServer.start() does not open to the network unasked", async () => {
  await using server = createServer();
  await assertRejects(() => server.start({ hostname: "0.0.0.0", port: 0 }), MCPError, "everybody");
  const { url, port } = await server.start({ hostname: "0.0.0.0", port: 0, allowStrangers: true });
  assertEquals(url, `ws://0.0.0.0:${port}/mcp`);
  await using client = await JsonSocket.open(`ws://127.0.0.1:${port}/mcp`);
  assertEquals((await client.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.start() serves wss with a certificate", async () => {
  const read = (name: string) => Deno.readTextFile(new URL(name, TLS));
  const [cert, key, ca] = await Promise.all(
    ["server_cert.pem", "server_key.pem", "ca_cert.pem"].map(read),
  );
  await using server = createServer();
  const options: StartOptions = { port: 0, cert: cert!, key: key! };
  const { url } = await server.start(options);
  assertMatch(url, /^wss:/);
  using trusting = Deno.createHttpClient({ caCerts: [ca!] });
  const client = await JsonSocket.open(url, { client: trusting });
  assertEquals((await client.request("ping")).result, {});
  await client.close();
  await assertRejects(() => JsonSocket.open(url), Error, "UnknownIssuer");
});

Deno.test("MCPWebSocketServer.start() does not repeat a key that it cannot read", async () => {
  const server = createServer();
  const error = await assertRejects(
    () => server.start({ port: 0, cert: "CANARY", key: "CANARY" }),
    MCPError,
    "Cannot listen on 127.0.0.1:0: ",
  );
  assertEquals(error.message.includes("CANARY"), false);
});

Deno.test("MCPWebSocketServer.start() stops at its signal", async () => {
  const controller = new AbortController();
  const server = createServer();
  const { url } = await server.start({ port: 0, signal: controller.signal });
  const client = await JsonSocket.open(url);
  controller.abort();
  assertEquals((await client.closed).code, 1001);
  await server.stop();
  await assertRejects(() => JsonSocket.open(url));
  const reason = new RangeError("too late");
  await assertRejects(
    () => server.start({ port: 0, signal: AbortSignal.abort(reason) }),
    RangeError,
    "too late",
  );
});

Deno.test("MCPWebSocketServer.stop() lets running requests finish, then says 1001", async () => {
  const { server, release } = createSlowServer();
  const { url, port } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  const idle = await JsonSocket.open(url);
  client.ask("x/slow");
  await until(() => server.clients.some(({ running }) => running === 1));
  const stopping = server.stop();
  assertEquals((await idle.closed).code, 1001);
  assertEquals(server.health().status, "draining");
  const { socket, head } = await RawSocket.request(port, UPGRADE_HEADERS);
  socket.close();
  assertEquals([head.status, head.headers.has("Retry-After")], [503, true]);
  release();
  assertEquals((await client.next()).result, { done: true });
  assertEquals(await client.closed, { code: 1001, reason: "Server is shutting down" });
  await stopping;
  await assertRejects(() => JsonSocket.open(url));
});

Deno.test("MCPWebSocketServer.stop() aborts what has not finished in time", async () => {
  await using server = createServer();
  const aborted = Promise.withResolvers<void>();
  server.handle("x/slow", async (_params, { signal }) => {
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    aborted.resolve();
  });
  const { url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  client.ask("x/slow");
  await until(() => server.clients[0]?.running === 1);
  await server.stop({ timeout: 20, code: 1012, reason: "Restarting" });
  assertEquals(await client.closed, { code: 1012, reason: "Restarting" });
  await aborted.promise;
  assertEquals(server.health().errors, 0);
});

Deno.test("MCPWebSocketServer.stop() may be called before the start, and twice", async () => {
  const server = createServer();
  await server.stop();
  const { url } = await server.start({ port: 0 });
  await Promise.all([server.stop(), server.stop()]);
  await server.stop();
  await assertRejects(() => JsonSocket.open(url));
});

Deno.test("MCPWebSocketServer.stop() changes nothing when its options make no sense", async () => {
  await using server = createServer();
  const { url } = await server.start({ port: 0 });
  await assertRejects(() => server.stop({ code: 1006 }), RangeError);
  await using client = await JsonSocket.open(url);
  assertEquals((await client.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.stop() ends although a peer says nothing", async () => {
  const server = createServer();
  const { port } = await server.start({ port: 0 });
  const { socket } = await RawSocket.request(port, UPGRADE_HEADERS);
  using _ = socket;
  await until(() => server.clients.length === 1);
  const started = Date.now();
  await server.stop();
  assertEquals(Date.now() - started < 3_000, true);
  await socket.awaitEnd();
});

Deno.test("MCPWebSocketServer.stop() ends although a peer reads nothing", async () => {
  const server = createServer();
  const { port } = await server.start({ port: 0 });
  const { socket } = await RawSocket.request(port, UPGRADE_HEADERS);
  using _ = socket;
  await until(() => server.clients.length === 1);
  const text = "x".repeat(1024 * 1024);
  for (let i = 0; i < 20; i++) server.broadcast("x/note", { text });
  const started = Date.now();
  await server.stop();
  assertEquals(Date.now() - started < 4_000, true);
});

Deno.test("MCPWebSocketServer.stop() ends although requests are never completed", async () => {
  const server = createServer();
  const { port } = await server.start({ port: 0 });
  using silent = await RawSocket.connect(port);
  using halfway = await RawSocket.connect(port);
  await halfway.write("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n");
  using slow = await RawSocket.connect(port);
  await slow.write("GET /mcp HTTP/1.1\r\n");
  assertEquals((await halfway.readHead()).status, 405);
  await server.stop();
  await Promise.all([silent, halfway, slow].map((socket) => socket.awaitEnd()));
});

Deno.test("MCPWebSocketServer can be started again after a stop, on the same port", async () => {
  await using server = createServer();
  const { port, url } = await server.start({ port: 0 });
  const before = await JsonSocket.open(url);
  await server.stop();
  assertEquals((await before.closed).code, 1001);
  assertEquals((await server.start({ port })).url, url);
  await using after = await JsonSocket.open(url);
  assertEquals((await after.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.start() waits for a stop that is under way", async () => {
  const { server, release } = createSlowServer();
  await using _ = server;
  const { url, port } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  client.ask("x/slow");
  await until(() => server.clients[0]?.running === 1);
  const stopping = server.stop();
  const starting = server.start({ port });
  release();
  await stopping;
  assertEquals((await starting).port, port);
  assertEquals((await client.closed).code, 1001);
});

Deno.test("MCPWebSocketServer.fetch() serves inside another listener", async () => {
  const server = createServer();
  const { fetch: detached } = server;
  await using outer = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request, info) =>
      new URL(request.url).pathname === "/mcp" ? detached(request, info) : new Response("hello"),
  );
  const origin = `127.0.0.1:${outer.addr.port}`;
  const client = await JsonSocket.open(`ws://${origin}/mcp`);
  assertEquals((await client.request("ping")).result, {});
  assertEquals(await (await fetch(`http://${origin}/`)).text(), "hello");
  assertEquals(server.clients[0]?.remoteAddress, "127.0.0.1");
  await server.stop();
  assertEquals((await client.closed).code, 1001);
});

Deno.test("MCPWebSocketServer.clients tells who is there", async () => {
  await using server = createServer();
  const { url } = await server.start({ port: 0 });
  await using client = await JsonSocket.open(url);
  await client.request("ping");
  const [snapshot] = server.clients;
  assertMatch(snapshot!.id, /^[0-9A-Z]{26}$/);
  assertEquals(snapshot!.lastActivity >= snapshot!.connectedAt, true);
  const { id: _id, connectedAt: _at, lastActivity: _last, ...rest } = snapshot!;
  assertEquals(rest, {
    clientInfo: undefined,
    protocol: "mcp",
    isAttached: true,
    principal: undefined,
    remoteAddress: "127.0.0.1",
    messagesIn: 1,
    messagesOut: 1,
    running: 0,
  });
});

Deno.test("MCPWebSocketServer.broadcast() and sendTo() reach whom they name", async () => {
  await using server = createServer();
  const { url } = await server.start({ port: 0 });
  await using first = await JsonSocket.open(url);
  await first.request("ping");
  await using second = await JsonSocket.open(url);
  await second.request("ping");
  const [a, b] = server.clients.map(({ id }) => id);
  assertEquals(server.broadcast("x/all", { n: 1 }), 2);
  assertEquals(server.broadcast("x/others", undefined, { except: [a!] }), 1);
  assertEquals(await server.sendTo(b!, "x/one", { n: 2 }), true);
  assertEquals(await server.sendTo("nobody", "x/one"), false);
  assertEquals((await first.next()).params, { n: 1 });
  assertEquals((await second.next()).params, { n: 1 });
  assertEquals(await second.next(), { jsonrpc: "2.0", method: "x/others" });
  assertEquals((await second.next()).params, { n: 2 });
  assertEquals((await first.request("ping")).result, {});
});

Deno.test("MCPWebSocketServer.adopt() serves a socket that the server dialled", async () => {
  const accepted = Promise.withResolvers<WebSocket>();
  await using host = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => accepted.resolve(socket);
    return response;
  });
  await using server = createServer();
  server.handle("x/who", (_params, { session }) => ({ id: session.id }));
  const dialled = new WebSocket(`ws://127.0.0.1:${host.addr.port}`);
  await new Promise((resolve) => dialled.onopen = resolve);
  const session = server.adopt(dialled);
  const peer = await accepted.promise;
  const answer = new Promise<string>((resolve) => peer.onmessage = ({ data }) => resolve(data));
  peer.send('{"jsonrpc":"2.0","id":1,"method":"x/who"}');
  assertEquals(JSON.parse(await answer).result, { id: session.id });
  assertEquals(server.clients.map(({ id }) => id), [session.id]);
  const closed = new Promise<number>((resolve) => peer.onclose = ({ code }) => resolve(code));
  await session.disconnect("Bye", 4000);
  assertEquals(await closed, 4000);
});
