import { assertEquals } from "@std/assert";
import { OPCODES, RawSocket, SAMPLE_KEY, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { serve, until } from "./_serving.ts";

Deno.test("upgrade() answers 101 with the accept key and the selected subprotocol", async () => {
  await using serving = serve();
  const { socket, head } = await RawSocket.request(serving.port, {
    ...UPGRADE_HEADERS,
    "Sec-WebSocket-Protocol": "mcp.auth.c2VjcmV0, mcp",
  });
  using _ = socket;
  assertEquals(head.status, 101);
  assertEquals(head.headers.get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assertEquals(head.headers.get("Sec-WebSocket-Protocol"), "mcp");
});

Deno.test("upgrade() copes with offers that Deno itself cannot take apart", async () => {
  await using serving = serve();
  const table: [offer: string | string[], selected: string | null][] = [
    ["mcp,bowline.v1", "bowline.v1"],
    ["bowline.v1 ,\tmcp", "bowline.v1"],
    [["bowline.v1", "mcp"], "bowline.v1"],
    ["mcp,graphql-ws", "mcp"],
    ["mcp.auth.c2VjcmV0,mcp.version.2025-11-25", "mcp.version.2025-11-25"],
    ["mcp.auth.c2VjcmV0", null],
    [",,", null],
  ];
  for (const [offer, selected] of table) {
    const { socket, head } = await RawSocket.request(serving.port, {
      ...UPGRADE_HEADERS,
      "Sec-WebSocket-Protocol": offer,
    });
    using _ = socket;
    assertEquals([head.status, head.headers.get("Sec-WebSocket-Protocol")], [101, selected]);
  }
});

Deno.test("upgrade() opens for peers that offer no subprotocol", async () => {
  await using serving = serve();
  await using client = await JsonSocket.open(serving.url, { protocols: [] });
  assertEquals(client.socket.protocol, "");
  assertEquals((await client.request("a", { b: 1 })).result, { b: 1 });
});

Deno.test("upgrade() refuses what Deno would let pass, and goes on listening", async () => {
  await using serving = serve();
  const without = (name: string) => {
    const { [name]: _, ...rest } = UPGRADE_HEADERS;
    return rest;
  };
  const table: [name: string, Record<string, string | string[]>, line: string, status: number][] = [
    ["POST", UPGRADE_HEADERS, "POST /mcp HTTP/1.1", 405],
    ["version 8", { ...UPGRADE_HEADERS, "Sec-WebSocket-Version": "8" }, "GET /mcp HTTP/1.1", 426],
    ["no version", without("Sec-WebSocket-Version"), "GET /mcp HTTP/1.1", 426],
    ["no key", without("Sec-WebSocket-Key"), "GET /mcp HTTP/1.1", 400],
    ["a short key", { ...UPGRADE_HEADERS, "Sec-WebSocket-Key": "abc" }, "GET /mcp HTTP/1.1", 400],
    [
      "two keys",
      { ...UPGRADE_HEADERS, "Sec-WebSocket-Key": [SAMPLE_KEY, SAMPLE_KEY] },
      "GET /mcp HTTP/1.1",
      400,
    ],
    ["two hosts", { ...UPGRADE_HEADERS, "Host": ["a", "b"] }, "GET /mcp HTTP/1.1", 400],
    ["a garbage host", { ...UPGRADE_HEADERS, "Host": "a b<script>" }, "GET /mcp HTTP/1.1", 400],
    [
      "two origins",
      { ...UPGRADE_HEADERS, "Origin": ["http://localhost", "http://localhost"] },
      "GET /mcp HTTP/1.1",
      403,
    ],
    ["no Connection", without("Connection"), "GET /mcp HTTP/1.1", 426],
    ["no Upgrade", without("Upgrade"), "GET /mcp HTTP/1.1", 426],
    ["another path", UPGRADE_HEADERS, "GET /mcp/x HTTP/1.1", 404],
    ["HEAD", UPGRADE_HEADERS, "HEAD /mcp HTTP/1.1", 426],
    ["OPTIONS", UPGRADE_HEADERS, "OPTIONS /mcp HTTP/1.1", 204],
  ];
  for (const [name, headers, line, status] of table) {
    const { socket, head } = await RawSocket.request(serving.port, headers, line);
    using _ = socket;
    assertEquals(head.status, status, name);
  }
  assertEquals(await serving.isListening(), true);
  assertEquals(serving.handler.health().activeConnections, 0);
});

Deno.test("upgrade() frees the place of a peer that leaves at once", async () => {
  await using serving = serve();
  for (let i = 0; i < 20; i++) {
    using socket = await RawSocket.connect(serving.port);
    const lines = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
    await socket.write(["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n"));
  }
  assertEquals(await serving.isListening(), true);
  await until(() => serving.handler.health().activeConnections === 0);
  assertEquals(serving.handler.sessions.size, 0);
});

Deno.test("upgrade() loses no frame that came together with the request", async () => {
  await using serving = serve();
  using socket = await RawSocket.connect(serving.port);
  const lines = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
  const head = new TextEncoder().encode(["GET /mcp HTTP/1.1", ...lines, "", ""].join("\r\n"));
  const text = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"x"}');
  const frame = [0x81, 0x80 | text.length, 0, 0, 0, 0, ...text];
  await socket.write(new Uint8Array([...head, ...frame]));
  assertEquals((await socket.readHead()).status, 101);
  const { opcode, payload } = await socket.readFrame();
  assertEquals(opcode, OPCODES.TEXT);
  assertEquals(new TextDecoder().decode(payload), '{"jsonrpc":"2.0","id":1,"result":{}}');
});

Deno.test("upgrade() drops a client that answers no ping", async () => {
  await using serving = serve(undefined, { heartbeatTimeout: 400 });
  const { socket } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  using _ = socket;
  const [session] = serving.handler.sessions.values();
  const started = Date.now();
  await session!.closed;
  assertEquals(Date.now() - started < 2_000, true);
  await until(() => serving.handler.health().activeConnections === 0);
  assertEquals((await socket.readFrame()).opcode, OPCODES.PING);
});

Deno.test("upgrade() keeps a silent client that answers pings", async () => {
  await using serving = serve(undefined, { heartbeatTimeout: 200 });
  const { socket } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  using _ = socket;
  for (let i = 0; i < 5; i++) {
    const { opcode, payload } = await socket.readFrame();
    assertEquals(opcode, OPCODES.PING);
    await socket.writeFrame(OPCODES.PONG, payload);
  }
  assertEquals(serving.handler.sessions.size, 1);
});

Deno.test("upgrade() pings nobody when the heartbeat is off", async () => {
  await using serving = serve(undefined, { heartbeatTimeout: false });
  await using client = await JsonSocket.open(serving.url);
  assertEquals((await client.request("a")).result, {});
});
