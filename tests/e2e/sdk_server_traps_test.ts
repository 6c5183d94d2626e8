import { Client } from "@modelcontextprotocol/client";
import { serveStdio, type StdioServerHandle } from "@modelcontextprotocol/server/stdio";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import { CLIENT_KINDS, connectClient, LEGACY_KINDS } from "./support/clients.ts";
import { createScene, GROWING, Journal } from "./support/scene.ts";
import { initializing, serveScript } from "./support/scripted.ts";
import { ClientV1 } from "./support/sdk_v1.ts";
import { createV1Server } from "./support/sdk_v1_server.ts";
import { createV2Server } from "./support/sdk_v2_server.ts";
import { serve, serveSessions } from "./support/serving.ts";

const INFO = { name: "test", version: "1.0.0" };
const PINNED = { versionNegotiation: { mode: { pin: "2026-07-28" } } };

/** Sends frames over a bare socket, one after another, and gathers the answers. */
async function converse(url: string, frames: readonly string[]): Promise<string[]> {
  const socket = new WebSocket(url, "mcp");
  const answers: string[] = [];
  const ended = new Promise<void>((resolve) => socket.onclose = () => resolve());
  socket.onopen = () => socket.send(frames[0] ?? "");
  socket.onmessage = ({ data }) => {
    const next = frames[answers.push(data)];
    if (next === undefined) socket.close();
    else socket.send(next);
  };
  await ended;
  return answers;
}

const INITIALIZE = JSON.stringify({
  jsonrpc: "2.0",
  id: "first",
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: INFO },
});

for (const server of ["own", "v1", "v2"] as const) {
  Deno.test(`server "${server}" answers under exactly the id it was asked with`, async () => {
    await using served = await serve(server, createScene());
    const ids = ["first", 0, "0", 7, "7", "listen:0", -3, ""];
    const frames = ids.slice(1).map((id) => JSON.stringify({ jsonrpc: "2.0", id, method: "ping" }));
    const answers = await converse(served.url, [INITIALIZE, ...frames]);
    assertEquals(answers.map((answer) => JSON.parse(answer).id), ids);
  });

  Deno.test(`server "${server}" answers what is no JSON, and goes on`, async () => {
    await using served = await serve(server, createScene());
    const [, bad, , pong] = await converse(served.url, [
      INITIALIZE,
      "{nonsense",
      '{"jsonrpc":"1.0"}',
      '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    ]);
    assertEquals(JSON.parse(bad ?? "").error.code, -32700);
    assertEquals(JSON.parse(pong ?? ""), { jsonrpc: "2.0", id: 1, result: {} });
  });

  for (const client of CLIENT_KINDS) {
    if (server === "v1" && client === "v2, pinned") continue;

    Deno.test(`server "${server}" aborts its handlers when client "${client}" leaves`, async () => {
      const journal = new Journal();
      await using served = await serve(server, { journal, holds: true });
      const connected = await connectClient(client, served.url);
      const call = assertRejects(() => connected.call("change"));
      await journal.seen("change started");
      await connected[Symbol.asyncDispose]();
      await journal.seen("change aborted");
      await call;
    });
  }
}

for (const client of LEGACY_KINDS) {
  Deno.test(`client "${client}" survives what is no JSON`, async () => {
    await using served = serveScript({
      "initialize": initializing(),
      "tools/list": (_, session) => (session.relay("{nonsense"), { tools: [] }),
    }, new Journal());
    await using connected = await connectClient(client, served.url);
    assertEquals(await connected.listTools(), []);
  });
}

Deno.test("an SDK v2 server speaks the legacy era alone when it is connected by hand", async () => {
  await using served = serveSessions((session) => createV2Server(createScene()).connect(session));
  await using connected = await connectClient("v2, auto", served.url);
  assertEquals(connected.era, "legacy");
  await assertRejects(() => connectClient("v2, pinned", served.url), Error, "2026-07-28");
});

for (const client of ["v2", "v2, pinned"] as const) {
  Deno.test(`serveStdio() hides session and request of client "${client}" without withSession()`, async () => {
    await using served = serveSessions((transport) => {
      serveStdio(() => createV2Server(createScene()), { transport });
    });
    await using connected = await connectClient(client, served.url);
    assertEquals(await connected.call("whoami"), "[null,null]");
  });
}

Deno.test("serveStdio() ends subscriptions in good order when its handle is closed", async () => {
  let handle: StdioServerHandle | undefined;
  await using served = serveSessions((transport) => {
    handle = serveStdio(() => createV2Server(createScene()), { transport });
  });
  const client = new Client(INFO, PINNED);
  const ended = Promise.withResolvers<void>();
  client.onclose = () => ended.resolve();
  await client.connect(new WebSocketClientTransport(served.url));
  const subscription = await client.listen({ resourceSubscriptions: [GROWING] });
  await handle?.close();
  assertEquals(await subscription.closed, "graceful");
  await ended.promise;
});

Deno.test("an SDK v1 server that is used twice costs the second client alone its connection", async () => {
  const server = createV1Server(createScene());
  await using served = serveSessions((session) => server.connect(session));
  await using first = await connectClient("v1", served.url);
  const second = new ClientV1(INFO);
  const transport = new WebSocketClientTransport(served.url, { reconnect: false });
  await assertRejects(() => second.connect(transport), Error);
  const { state } = transport;
  assertStringIncludes(state.status === "failed" ? state.error.message : "", "1011");
  assertEquals(await first.call("echo", { text: "still here" }), "still here");
});
