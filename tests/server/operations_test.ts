import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  createWebSocketHandler,
  MCPWebSocketServer,
  type OperationsOptions,
  type WebSocketHandlerOptions,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { until } from "../support/until.ts";
import { echo, serve } from "./_serving.ts";
import { parseMetrics, sample } from "./_prometheus.ts";

const ALL: WebSocketHandlerOptions = { operations: {} };
/** Of the range for documentation: nobody's. */
const STRANGER = "203.0.113.7";

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function ask(port: number, path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The status for a request whose every header is the test's. */
async function statusOf(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  const { socket, head } = await RawSocket.request(port, headers, `GET ${path} HTTP/1.1`);
  socket.close();
  return head.status;
}

/** A handler that believes its clients to come from somewhere. */
function serveFrom(
  remoteAddress: string,
  operations: OperationsOptions = {},
): { port: number } & AsyncDisposable {
  const handler = createWebSocketHandler(echo, { operations });
  const remoteAddr = { transport: "tcp", hostname: remoteAddress, port: 1 } as const;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => handler.fetch(request, { remoteAddr }),
  );
  return {
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      await handler.close();
      await server.shutdown();
    },
  };
}

Deno.test("operations are answered by nobody who was not asked to", async () => {
  for (const options of [{}, { operations: false as const }]) {
    await using serving = serve(echo, options);
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      assertEquals((await ask(serving.port, path)).status, 404);
    }
  }
});

Deno.test("/healthz and /readyz tell this machine how the server is doing, and all it counts", async () => {
  await using serving = serve(echo, ALL);
  await using client = await JsonSocket.open(serving.url);
  await client.request("a");
  for (const path of ["/healthz", "/readyz"]) {
    const { status, headers, text } = await ask(serving.port, path);
    assertEquals(status, 200);
    assertEquals(headers.get("Content-Type"), "application/json");
    assertEquals(headers.get("Cache-Control"), "no-store");
    const { uptime: _, ...health } = JSON.parse(text);
    const { uptime: __, ...expected } = serving.handler.health();
    assertEquals(health, expected);
    assertEquals([health.status, health.messagesIn], ["ok", 1]);
  }
});

Deno.test("/metrics is told in the format that its media type names", async () => {
  await using serving = serve(echo, ALL);
  const { status, headers, text } = await ask(serving.port, "/metrics");
  assertEquals(status, 200);
  assertEquals(headers.get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
  assertEquals(headers.get("Cross-Origin-Resource-Policy"), "same-origin");
  assertEquals([...parseMetrics(text).keys()], [...parseMetrics(serving.handler.metrics()).keys()]);
});

Deno.test("operations are answered where the options say, and nowhere else", async () => {
  const operations = { healthz: "/live", readyz: false, metrics: "/deep/numbers" } as const;
  await using serving = serve(echo, { operations });
  const table: [string, number][] = [
    ["/live", 200],
    ["/deep/numbers", 200],
    ["/live?whatever", 200],
    ["/healthz", 404],
    ["/readyz", 404],
    ["/metrics", 404],
    ["/live/", 404],
    ["/mcp", 426],
  ];
  for (const [path, status] of table) {
    assertEquals((await ask(serving.port, path)).status, status, path);
  }
});

Deno.test("operations are read with GET and HEAD", async () => {
  await using serving = serve(echo, ALL);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    const head = await ask(serving.port, path, { method: "HEAD" });
    assertEquals([head.status, head.text], [200, ""]);
    const post = await ask(serving.port, path, { method: "POST" });
    assertEquals([post.status, post.headers.get("Allow")], [405, "GET, HEAD"]);
  }
});

Deno.test("/readyz says 503 while the server is full; /healthz says that it lives", async () => {
  await using serving = serve(echo, { ...ALL, maxConnections: 1 });
  const client = await JsonSocket.open(serving.url);
  const { status, headers, text } = await ask(serving.port, "/readyz");
  assertEquals([status, headers.get("Retry-After")], [503, "5"]);
  assertEquals(JSON.parse(text).status, "full");
  assertEquals((await ask(serving.port, "/healthz")).status, 200);
  assertEquals(sample((await ask(serving.port, "/metrics")).text, "bowline_ready"), 0);
  await client.close();
  await until(() => serving.handler.health().activeConnections === 0);
  assertEquals((await ask(serving.port, "/readyz")).status, 200);
});

Deno.test("/readyz says 503 while the server drains, and after that", async () => {
  await using server = new MCPWebSocketServer({ name: "a", version: "1", ...ALL });
  const work = Promise.withResolvers<void>();
  server.onRequest(() => work.promise);
  const { port, url } = await server.start({ port: 0 });
  const client = await JsonSocket.open(url);
  client.ask("x/work");
  await until(() => server.health().messagesIn === 1);
  assertEquals((await ask(port, "/readyz")).status, 200);
  const stopped = server.stop();
  const { status, text } = await ask(port, "/readyz");
  assertEquals([status, JSON.parse(text).status], [503, "draining"]);
  const live = await ask(port, "/healthz");
  assertEquals([live.status, JSON.parse(live.text).status], [200, "draining"]);
  work.resolve();
  await client.closed;
  await stopped;
  const { status: last } = await server.fetch(new Request(`http://127.0.0.1:${port}/readyz`));
  assertEquals(last, 503);
});

Deno.test("operations tell strangers one word, and no numbers", async () => {
  await using serving = serveFrom(STRANGER);
  for (const path of ["/healthz", "/readyz"]) {
    const { status, text } = await ask(serving.port, path);
    assertEquals([status, JSON.parse(text)], [200, { status: "ok" }]);
  }
  const { status, text } = await ask(serving.port, "/metrics");
  assertEquals(status, 403);
  assertEquals(text.includes("bowline"), false);
});

Deno.test("operations take a request without an address for a stranger's", async () => {
  await using handler = createWebSocketHandler(echo, ALL);
  const headers = { "Host": "127.0.0.1" };
  const answer = async (path: string) =>
    await handler.fetch(new Request(`http://127.0.0.1${path}`, { headers }));
  assertEquals((await answer("/metrics")).status, 403);
  assertEquals(await (await answer("/healthz")).json(), { status: "ok" });
});

Deno.test("operations take this machine for what it is, in every notation", async () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    await using serving = serveFrom(address);
    assertEquals((await ask(serving.port, "/metrics")).status, 200, address);
  }
});

Deno.test("operations tell foreign pages nothing, whichever way they ask", async () => {
  await using serving = serve(echo, ALL);
  const asked: Record<string, string>[] = [
    { "Origin": "https://evil.example" },
    { "Origin": "null" },
    { "Origin": "http://evil.example:8787" },
    { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" },
  ];
  for (const headers of asked) {
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      assertEquals((await ask(serving.port, path, { headers })).status, 403);
    }
  }
  const own = { "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site" };
  const { status, headers } = await ask(serving.port, "/metrics", { headers: own });
  // A page of this machine gets it, but cannot read it.
  assertEquals([status, headers.get("Access-Control-Allow-Origin")], [200, null]);
});

Deno.test("/metrics is not told under a name that was made to point here", async () => {
  await using serving = serve(echo, ALL);
  const { port } = serving;
  const table: [Record<string, string>, number][] = [
    [{ "Host": `127.0.0.1:${port}` }, 200],
    [{ "Host": "localhost" }, 200],
    [{ "Host": `evil.example:${port}` }, 403],
    [{ "Host": "localhost.evil.example" }, 403],
  ];
  for (const [headers, status] of table) {
    assertEquals(await statusOf(port, "/metrics", headers), status, JSON.stringify(headers));
    // Who watches a server may call it what he likes.
    assertEquals(await statusOf(port, "/healthz", headers), 200);
  }
});

Deno.test("/metrics is not told to whom a proxy on this machine speaks for", async () => {
  await using serving = serve(echo, ALL);
  const headers = [
    ["X-Forwarded-For", STRANGER],
    ["Forwarded", `for=${STRANGER}`],
    ["X-Real-IP", "127.0.0.1"],
    ["Via", "1.1 proxy"],
    ["X-Forwarded-Host", "mcp.example.com"],
    ["CF-Connecting-IP", STRANGER],
  ];
  for (const [name = "", value = ""] of headers) {
    const { status, text } = await ask(serving.port, "/metrics", { headers: { [name]: value } });
    assertEquals(status, 403, name);
    assertEquals(text.includes("bowline"), false);
    const health = await ask(serving.port, "/healthz", { headers: { [name]: value } });
    assertEquals(JSON.parse(health.text), { status: "ok" });
  }
});

Deno.test("mayRead opens what is counted to whom it says, but never to foreign pages", async () => {
  const mayRead: OperationsOptions["mayRead"] = ({ headers }) =>
    headers.get("Authorization") === "Bearer s3cret";
  await using serving = serveFrom(STRANGER, { mayRead });
  const authorized = { "Authorization": "Bearer s3cret" };
  const { status, text } = await ask(serving.port, "/metrics", { headers: authorized });
  assertEquals(status, 200);
  assert(parseMetrics(text).size > 0);
  const health = await ask(serving.port, "/healthz", { headers: authorized });
  assertEquals(JSON.parse(health.text).totalConnections, 0);
  assertEquals((await ask(serving.port, "/metrics")).status, 403);
  const page = { ...authorized, "Origin": "https://evil.example" };
  assertEquals((await ask(serving.port, "/metrics", { headers: page })).status, 403);
});

Deno.test("mayRead opens nothing with a promise, or when it throws", async () => {
  const answers: unknown[] = [() => Promise.resolve(true), () => 1];
  for (const mayRead of answers) {
    await using serving = serve(echo, { operations: { mayRead } as OperationsOptions });
    assertEquals((await ask(serving.port, "/metrics")).status, 403);
  }
  const errors: string[] = [];
  await using serving = serve(echo, {
    operations: {
      mayRead() {
        throw new Error("oops");
      },
    },
    onError: ({ message }) => errors.push(message),
  });
  const { status, text } = await ask(serving.port, "/metrics");
  assertEquals(status, 500);
  assertMatch(text, /failed/);
  assertEquals(errors, ["oops"]);
});

Deno.test("operations are no refusals, and open no WebSocket", async () => {
  await using serving = serve(echo, ALL);
  await ask(serving.port, "/healthz");
  const { socket, head } = await RawSocket.request(serving.port, {
    "Host": "127.0.0.1",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  }, "GET /metrics HTTP/1.1");
  socket.close();
  assertEquals(head.status, 200);
  const text = serving.handler.metrics();
  assertEquals(sample(text, 'bowline_upgrades_refused_total{reason="path"}'), 0);
  assertEquals(sample(text, 'bowline_connections_opened_total{protocol="plain"}'), 0);
});
