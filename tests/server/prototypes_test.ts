import { assertEquals } from "@std/assert";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { mintToken, SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";

/** What every object has of its prototype, by name. */
const NAMES = Object.getOwnPropertyNames(Object.prototype);

/** A value that pollutes whoever merges it carelessly, as JSON. */
const POISON = '{"__proto__":{"isPolluted":true},"constructor":{"prototype":{"isPolluted":true}}}';

async function withServer(
  test: (server: MCPWebSocketServer, url: string, port: number) => Promise<void>,
): Promise<void> {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  const { url, port } = await server.start({ port: 0 });
  try {
    await test(server, url, port);
  } finally {
    await server.stop({ timeout: 0 });
  }
  assertEquals(Object.getOwnPropertyNames(Object.prototype), NAMES);
  assertEquals("isPolluted" in {}, false);
}

Deno.test("MCPWebSocketServer answers methods of a prototype's names with -32601, in both eras", async () => {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  await withServer(async (server, url) => {
    server.handle("tools/call", () => ({ content: [] }));
    await using socket = await JsonSocket.open(url);
    for (const method of NAMES) {
      for (const params of [{}, { _meta: meta }]) {
        const { error } = await socket.request(method, params);
        assertEquals([error.code, error.message], [-32601, `Method not found: "${method}"`]);
      }
      socket.notify(method, { requestId: "__proto__" });
    }
    assertEquals((await socket.request("ping")).result, {});
    assertEquals(server.health().errors, 0);
  });
});

Deno.test("MCPWebSocketServer gives handlers params that have no members but their own", async () => {
  await withServer(async (server, url) => {
    const seen: unknown[] = [];
    server.onRequest((params) => {
      seen.push(params.isPolluted, Object.getPrototypeOf(params) === Object.prototype);
      return params;
    });
    server.onNotification("x", ({ isPolluted }) => seen.push(isPolluted));
    await using socket = await JsonSocket.open(url);
    const answer = new Promise<string>((resolve) => {
      socket.socket.addEventListener("message", ({ data }) => resolve(data), { once: true });
    });
    socket.send(`{"jsonrpc":"2.0","method":"x","params":${POISON}}`);
    socket.send(`{"jsonrpc":"2.0","id":"__proto__","method":"x","params":${POISON}}`);
    // It comes back as it went out.
    assertEquals(await answer, `{"jsonrpc":"2.0","id":"__proto__","result":${POISON}}`);
    await until(() => seen.length === 3);
    assertEquals(seen, [undefined, undefined, true]);
  });
});

Deno.test("MCPWebSocketServer takes no part of initialize from a prototype", async () => {
  await withServer(async (server, url) => {
    await using socket = await JsonSocket.open(url);
    const params = '{"__proto__":{"protocolVersion":"2025-11-25","capabilities":{}}}';
    socket.send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":${params}}`);
    assertEquals((await socket.next()).error.code, -32602);
    const capabilities =
      `{"protocolVersion":"2025-11-25","capabilities":${POISON},"clientInfo":${POISON}}`;
    socket.send(`{"jsonrpc":"2.0","id":2,"method":"initialize","params":${capabilities}}`);
    assertEquals((await socket.next()).result.serverInfo.name, "a");
    assertEquals(server.health().errors, 0);
  });
});

Deno.test("MCPWebSocketServer takes no part of a hello from a prototype", async () => {
  await withServer(async (server, _url, port) => {
    await using peer = new SessionPeer(port);
    await peer.dial();
    const hello = `{"session":"s","token":"${mintToken()}","attempt":1,"limits":${POISON}`;
    peer.write(`["hello",{"__proto__":${hello}}}]`);
    assertEquals((await peer.control("end")).code, 4400);
    await peer.dial();
    peer.write(`["hello",${hello},"client":${POISON}}]`);
    assertEquals((await peer.control("welcome")).resumed, false);
    peer.write('["__proto__",{"isPolluted":true}]');
    assertEquals((await peer.control("end")).code, 4400);
    await until(() => server.health().activeConnections === 0);
  });
});
