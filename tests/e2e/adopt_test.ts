import { Client } from "@modelcontextprotocol/client";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { assertEquals, assertRejects } from "@std/assert";
import { adopt, MCPWebSocketClient, WebSocketClientTransport } from "../../client/mod.ts";
import { adopt as adoptForServer, type JsonRpcMessage } from "../../protocol/mod.ts";
import { createOwnServer } from "./support/own_server.ts";
import { createScene } from "./support/scene.ts";
import { ClientV1 } from "./support/sdk_v1.ts";
import { createV1Server } from "./support/sdk_v1_server.ts";
import { createV2Server } from "./support/sdk_v2_server.ts";

const INFO = { name: "host", version: "1.0.0" };

/** A host that is dialled by its MCP server, and the two ends of their connection. */
interface Dialled extends AsyncDisposable {
  /** The end of the host, who is the MCP client. */
  readonly accepted: WebSocket;
  /** The end of the device, who is the MCP server. */
  readonly dialled: WebSocket;
}

async function dial(): Promise<Dialled> {
  const accepted = Promise.withResolvers<WebSocket>();
  const host = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mcp" });
    socket.onopen = () => accepted.resolve(socket);
    return response;
  });
  const dialled = new WebSocket(`ws://127.0.0.1:${host.addr.port}/`, "mcp");
  await new Promise((resolve) => dialled.onopen = resolve);
  return {
    accepted: await accepted.promise,
    dialled,
    [Symbol.asyncDispose]: () => host.shutdown(),
  };
}

Deno.test("WebSocketClientTransport holds what a socket says before the start", async () => {
  await using ends = await dial();
  const transport = new WebSocketClientTransport(ends.accepted);
  const arrived = new Promise((resolve) => ends.accepted.addEventListener("message", resolve));
  ends.dialled.send('{"jsonrpc":"2.0","method":"x/early"}');
  await arrived;
  const heard: JsonRpcMessage[] = [];
  transport.onmessage = (message) => heard.push(message);
  await transport.start();
  assertEquals(heard, [{ jsonrpc: "2.0", method: "x/early" }]);
  await transport.close();
});

const SDK_CLIENTS = {
  "v1": () => new ClientV1(INFO),
  "v2": () => new Client(INFO),
  "v2, auto": () => new Client(INFO, { versionNegotiation: { mode: "auto" } }),
} as const;

for (const [name, create] of Object.entries(SDK_CLIENTS)) {
  for (const wrap of [adopt, (socket: WebSocket) => new WebSocketClientTransport(socket)]) {
    const how = wrap === adopt ? "adopt()" : "WebSocketClientTransport";

    Deno.test(`${how} gives client "${name}" a socket that MCPWebSocketServer has dialled`, async () => {
      await using ends = await dial();
      await using server = createOwnServer(createScene());
      const session = server.adopt(ends.dialled);
      const client = create();
      await client.connect(wrap(ends.accepted));
      const { content } = await client.callTool({ name: "echo", arguments: { text: "hi" } });
      assertEquals(content, [{ type: "text", text: "hi" }]);
      assertEquals(server.clients.map(({ id }) => id), [session.id]);
      await client.close();
    });
  }
}

for (const [name, create] of Object.entries(SDK_CLIENTS)) {
  Deno.test(`client "${name}" can connect again after it was given a socket that had ended`, async () => {
    await using ends = await dial();
    const dead = adopt(ends.accepted);
    await dead.close();
    let closes = 0;
    dead.onclose = () => closes++;
    const client = create();
    await assertRejects(() => client.connect(dead), Error, "Cannot start transport");
    assertEquals(closes, 1);

    await using others = await dial();
    await using server = createOwnServer(createScene());
    server.adopt(others.dialled);
    await client.connect(adopt(others.accepted));
    assertEquals((await client.listTools()).tools.length, 9);
    await client.close();
  });
}

Deno.test("adopt() lets SDK v2 fall back to initialize when its probe is not answered", async () => {
  await using ends = await dial();
  ends.dialled.onmessage = ({ data }) => {
    const { id, method } = JSON.parse(data);
    if (method !== "initialize") return;
    const serverInfo = { name: "old", version: "1.0.0" };
    const result = { protocolVersion: "2024-11-05", capabilities: {}, serverInfo };
    ends.dialled.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
  };
  const client = new Client(INFO, {
    versionNegotiation: { mode: "auto", probe: { timeoutMs: 50 } },
  });
  await client.connect(adopt(ends.accepted));
  assertEquals(client.getNegotiatedProtocolVersion(), "2024-11-05");
  await client.close();
});

for (const era of ["legacy", "auto"] as const) {
  Deno.test(`MCPWebSocketClient (${era}) uses a socket that MCPWebSocketServer has dialled`, async () => {
    await using ends = await dial();
    await using server = createOwnServer(createScene());
    server.adopt(ends.dialled);
    await using client = new MCPWebSocketClient(ends.accepted, { era });
    await client.connect();
    const { tools } = await client.request("tools/list");
    assertEquals(tools.length, 9);
  });
}

Deno.test("an SDK v1 server answers over a socket that it has dialled", async () => {
  await using ends = await dial();
  await createV1Server(createScene()).connect(adoptForServer(ends.dialled));
  await using client = new MCPWebSocketClient(ends.accepted);
  await client.connect();
  assertEquals([client.era, client.serverInfo?.name], ["legacy", "v1"]);
});

Deno.test("an SDK v2 server answers over a socket that it has dialled", async () => {
  await using ends = await dial();
  serveStdio(() => createV2Server(createScene()), { transport: adoptForServer(ends.dialled) });
  await using client = new MCPWebSocketClient(ends.accepted);
  await client.connect();
  assertEquals([client.era, client.serverInfo?.name], ["modern", "v2"]);
});

Deno.test("a host asks, and is asked by, the server that has dialled it", async () => {
  await using ends = await dial();
  await using server = createOwnServer(createScene());
  const session = server.adopt(ends.dialled);
  await using client = new MCPWebSocketClient(ends.accepted, {
    era: "legacy",
    capabilities: { roots: {} },
  });
  client.handle("roots/list", () => ({ roots: [{ uri: "file:///home" }] }));
  await client.connect();
  assertEquals(await session.request("roots/list"), { roots: [{ uri: "file:///home" }] });
});

Deno.test("a client over an adopted socket does not dial when it loses it", async () => {
  await using ends = await dial();
  await using server = createOwnServer(createScene());
  const session = server.adopt(ends.dialled);
  const client = new MCPWebSocketClient(ends.accepted);
  const failed = Promise.withResolvers<void>();
  client.addEventListener("statechange", ({ detail }) => {
    if (detail.state.status !== "connected" && detail.state.status !== "connecting") {
      failed.resolve();
    }
  });
  await client.connect();
  await session.disconnect("Bye", 3001);
  await failed.promise;
  assertEquals(client.state.status, "failed");
  await assertRejects(() => client.request("tools/list"), Error, "3001");
});
