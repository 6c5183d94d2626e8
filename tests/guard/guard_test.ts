import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { MCPError, startGuard } from "../../guard/mod.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { until } from "../support/until.ts";
import { serveGuarded } from "./_guarded.ts";

const TLS = new URL("../support/tls/", import.meta.url);
const readPem = (name: string) => Deno.readTextFileSync(new URL(name, TLS));
const [cert, key] = [readPem("server_cert.pem"), readPem("server_key.pem")];

/** Everything that is said until the other side hangs up. */
async function readAll(port: number, request: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(request));
  const text = await new Response(connection.readable).text();
  return text;
}

for (const inner of ["unix", "loopback"] as const) {
  for (const protocol of ["mcp", "bowline.v1.mcp"]) {
    Deno.test(`startGuard() serves ${protocol} over ${inner}`, async () => {
      const server = new MCPWebSocketServer({
        name: "guarded",
        version: "1",
        ...(protocol === "mcp" ? { session: false as const } : {}),
      });
      server.handle("tools/call", ({ arguments: args }) => ({
        content: [{ type: "text", text: `${args?.text}` }],
      }));
      await using guard = startGuard({ port: 0, inner }, server.fetch);
      await using client = new MCPWebSocketClient(`ws://127.0.0.1:${guard.port}/mcp`);
      await client.connect();
      for (const length of [1, 1_500, 300_000]) {
        const text = "x".repeat(length);
        const { content } = await client.request("tools/call", {
          name: "echo",
          arguments: { text },
        });
        assertEquals(content[0]?.text, text);
      }
      assertEquals([guard.stats().connections, guard.stats().handshakes], [1, 0]);
      await client.disconnect();
      await until(() => guard.stats().connections === 0);
      assertEquals(guard.stats().ended, { done: 1 });
      await server.stop();
    });
  }
}

Deno.test("startGuard() serves TLS", async () => {
  await using guarded = serveGuarded({ cert, key });
  using client = Deno.createHttpClient({ caCerts: [readPem("ca_cert.pem")] });
  await using socket = await JsonSocket.open(guarded.url, { client });
  const params = { a: "x".repeat(300_000) };
  assertEquals((await socket.request("any", params)).result, params);
  await socket.close();
  await until(() => guarded.guard.stats().connections === 0);
  assertEquals(guarded.guard.stats().ended, { done: 1 });
});

Deno.test("startGuard() lets the server's own answers through, and hangs up afterwards", async () => {
  await using guarded = serveGuarded({}, { operations: {}, maxConnections: 1 });
  const upgrade = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
  const table: [string, readonly string[], number][] = [
    ["/healthz", ["Host: 127.0.0.1"], 200],
    ["/readyz", ["Host: 127.0.0.1"], 200],
    ["/metrics", ["Host: 127.0.0.1"], 200],
    ["/mcp", ["Host: 127.0.0.1"], 426],
    ["/elsewhere", upgrade, 404],
    ["/mcp", [...upgrade, "Origin: https://evil.example"], 403],
  ];
  for (const [path, headers, status] of table) {
    const text = await readAll(
      guarded.port,
      [`GET ${path} HTTP/1.1`, ...headers, "", ""].join("\r\n"),
    );
    assertEquals(Number(text.split(" ")[1]), status, text);
  }
});

Deno.test("startGuard() answers one request on each connection, and no second one behind it", async () => {
  const seen: string[] = [];
  await using guard = startGuard({ port: 0 }, (request) => {
    seen.push(new URL(request.url).pathname);
    return new Response("ok");
  });
  const text = await readAll(
    guard.port,
    "GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  assertEquals([seen, text.match(/HTTP\/1\.1/g)?.length], [["/first"], 1]);
});

Deno.test("startGuard() refuses heads that are too large, ambiguous, or announce a body", async () => {
  let asked = 0;
  await using guard = startGuard({ port: 0, maxHeaderBytes: 1_000 }, () => {
    asked++;
    return new Response("ok");
  });
  const table: [string, number][] = [
    [`GET / HTTP/1.1\r\nX: ${"x".repeat(2_000)}\r\n\r\n`, 431],
    ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413],
    ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413],
  ];
  for (const [request, status] of table) {
    assertEquals(Number((await readAll(guard.port, request)).split(" ")[1]), status);
  }
  await until(() => guard.stats().connections === 0);
  assertEquals([asked, guard.stats().ended], [0, { refused: 4 }]);
});

Deno.test("startGuard() tells the handler the client's address, which no client can forge", async () => {
  const seen: unknown[] = [];
  await using guard = startGuard({ port: 0 }, (request, { remoteAddr }) => {
    seen.push([remoteAddr.hostname, remoteAddr.port]);
    return new Response(request.headers.get("Bowline-Guard"));
  });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: guard.port });
  const { hostname, port } = connection.localAddr;
  const forged = crypto.randomUUID();
  await connection.write(
    new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: a\r\nbowline-guard: ${forged}\r\n\r\n`),
  );
  const text = await new Response(connection.readable).text();
  assertEquals([seen, text.includes(forged)], [[[hostname, port]], false]);
});

Deno.test({
  name: "startGuard() answers nobody who goes round it",
  ignore: Deno.build.os === "windows",
  async fn() {
    const socketDir = await Deno.makeTempDir();
    await using guard = startGuard({ port: 0, socketDir }, () => new Response("secret"));
    const path = `${socketDir}/guard.sock`;
    using client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const response = await fetch("http://localhost/", {
      client,
      headers: { "Bowline-Guard": "x" },
    });
    assertEquals([response.status, await response.text()], [403, "This way in is closed\n"]);
    await guard.close();
    assertEquals([...Deno.readDirSync(socketDir)], []);
    await Deno.remove(socketDir);
  },
});

Deno.test("startGuard() takes frames that come in one packet with the request", async () => {
  await using guarded = serveGuarded();
  using socket = await RawSocket.connect(guarded.port);
  const lines = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
  const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "x" });
  const head = new TextEncoder().encode(["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n"));
  const frame = new TextEncoder().encode(text);
  await socket.write(new Uint8Array([...head, 0x81, 0x80 | frame.length, 0, 0, 0, 0, ...frame]));
  assertEquals((await socket.readHead()).status, 101);
  const answer = JSON.parse(new TextDecoder().decode((await socket.readFrame()).payload));
  assertEquals(answer, { jsonrpc: "2.0", id: 1, result: {} });
});

Deno.test("startGuard() throws when it cannot listen, and leaves nothing open", async () => {
  await using guard = startGuard({ port: 0 }, () => new Response());
  const again = (options: object) => () =>
    startGuard({ port: guard.port, ...options }, () => new Response());
  assertThrows(again({}), MCPError, `Cannot listen on 127.0.0.1:${guard.port}`);
  const socketDir = "/does/not/exist";
  assertThrows(again({ port: 0, socketDir }), MCPError, "Cannot listen behind the guard (unix)");
});

Deno.test("Guard.close() ends clients that do not answer, and may be called twice", async () => {
  const guarded = serveGuarded();
  const { socket } = await RawSocket.request(guarded.port, UPGRADE_HEADERS);
  using open = socket;
  using half = await RawSocket.connect(guarded.port);
  await half.write("GET /mcp HTTP/1.1\r\n");
  await until(() => guarded.guard.stats().accepted === 2);
  await Promise.all([guarded.guard.close(), guarded.guard.close()]);
  await open.awaitEnd();
  await half.awaitEnd();
  assertEquals(guarded.guard.stats(), {
    connections: 0,
    handshakes: 0,
    accepted: 2,
    unfinishedBytes: 0,
    ended: { closed: 2 },
  });
  await until(() => guarded.handler.health().activeConnections === 0);
  await guarded[Symbol.asyncDispose]();
  await assertRejects(() => RawSocket.connect(guarded.port), Deno.errors.ConnectionRefused);
});

// Deno never completes an upgrade whose response it did not get.
Deno.test("startGuard() listens again behind itself after Deno has stopped listening", {
  sanitizeOps: false,
}, async () => {
  const lines: string[] = [];
  const log = (text: string) => void lines.push(text);
  const logger = { debug() {}, info: log, warn: log, error: log };
  await using guard = startGuard({ port: 0, logger }, (request) => {
    if (request.headers.has("Upgrade")) Deno.upgradeWebSocket(request);
    return new Response("ok");
  });
  using socket = await RawSocket.connect(guard.port);
  const headers = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
  await socket.write(["GET / HTTP/1.1", ...headers, "", ""].join("\r\n"));
  await until(() => lines.includes("Listening behind the guard again"));
  const text = await readAll(guard.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assertEquals(text.endsWith("ok"), true);
});
