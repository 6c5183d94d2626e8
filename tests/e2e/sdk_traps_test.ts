import { Client } from "@modelcontextprotocol/client";
import { assertEquals, assertRejects } from "@std/assert";
import { MCPConnectionError, WebSocketClientTransport } from "../../client/mod.ts";
import { CLIENT_KINDS, connectClient } from "./support/clients.ts";
import { createScene, Journal } from "./support/scene.ts";
import { initializing, serveScript } from "./support/scripted.ts";
import { ClientV1 } from "./support/sdk_v1.ts";
import { serve } from "./support/serving.ts";

const INFO = { name: "test", version: "1.0.0" };

/** The clients of both SDKs, in the modes that differ. */
const SDK_CLIENTS = {
  "v1": () => new ClientV1(INFO),
  "v2": () => new Client(INFO),
  "v2, auto": () => new Client(INFO, { versionNegotiation: { mode: "auto" } }),
} as const;

/** A port where nobody listens. */
function closedPort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

for (const [name, create] of Object.entries(SDK_CLIENTS)) {
  Deno.test(`client "${name}" starts a transport once, and initializes it`, async () => {
    await using served = await serve("own", createScene());
    const client = create();
    const transport = new WebSocketClientTransport(served.url);
    const start = transport.start.bind(transport);
    let starts = 0;
    transport.start = () => (starts++, start());
    await client.connect(transport);
    assertEquals(starts, 1);
    assertEquals(transport.sessionId, undefined);
    assertEquals(typeof client.getServerCapabilities(), "object");
    await client.close();
  });

  Deno.test(`client "${name}" tells a transport the revision when it is agreed`, async () => {
    await using served = await serve("own", createScene());
    const client = create();
    const transport = new WebSocketClientTransport(served.url);
    const versions: string[] = [];
    transport.setProtocolVersion = (version) => void versions.push(version);
    await client.connect(transport);
    assertEquals(versions, [name === "v2, auto" ? "2026-07-28" : "2025-11-25"]);
    await client.close();
  });

  Deno.test(`client "${name}" can connect again after a connect that failed`, async () => {
    const client = create();
    const dead = new WebSocketClientTransport(`ws://127.0.0.1:${closedPort()}/mcp`);
    await assertRejects(() => client.connect(dead), Error, "Cannot connect");

    await using served = await serve("own", createScene());
    await client.connect(new WebSocketClientTransport(served.url));
    assertEquals((await client.listTools()).tools.length, 9);
    await client.close();
  });

  Deno.test(`client "${name}" hears of its close() once, also when it connects again`, async () => {
    await using served = await serve("own", createScene());
    const client = create();
    let closes = 0;
    client.onclose = () => closes++;
    const first = new WebSocketClientTransport(served.url);
    await client.connect(first);
    await client.close();
    assertEquals(closes, 1);

    await client.connect(new WebSocketClientTransport(served.url));
    await first.close();
    assertEquals(closes, 1);
    assertEquals((await client.listTools()).tools.length, 9);
    await client.close();
    assertEquals(closes, 2);
  });

  Deno.test(`client "${name}" fails what is pending once when its server ends for good`, async () => {
    await using server = serveScript({
      "initialize": initializing(),
      "tools/call": (_, session) => void session.disconnect("Go away", 1008),
    }, new Journal());
    const client = create();
    const ended = Promise.withResolvers<void>();
    let closes = 0;
    client.onclose = () => (closes++, ended.resolve());
    await client.connect(new WebSocketClientTransport(server.url), { timeout: 200 });
    const call = client.callTool({ name: "x" });
    await assertRejects(() => call, Error, "Connection lost");
    await ended.promise;
    await assertRejects(() => client.listTools(), Error, "Not connected");
    assertEquals(closes, 1);
  });
}

for (const name of ["v1", "v2"] as const) {
  Deno.test(`client "${name}" takes a session id for a session that is resumed`, async () => {
    const journal = new Journal();
    await using served = serveScript({ initialize: initializing() }, journal);
    const client = SDK_CLIENTS[name]();
    const transport = new WebSocketClientTransport(served.url);
    transport.sessionId = "resumed";
    await client.connect(transport);
    assertEquals(client.getServerCapabilities(), undefined);
    await client.close();
    assertEquals(journal.count("got initialize"), 0);
  });
}

for (const client of CLIENT_KINDS.filter((kind) => !kind.startsWith("ours"))) {
  Deno.test(`client "${client}": a call that takes too long is cancelled at the server`, async () => {
    const journal = new Journal();
    const server = client === "v2, pinned" || client === "v2, auto" ? "v2" : "v1";
    await using served = await serve(server, { journal, holds: true });
    await using connected = await connectClient(client, served.url);
    await assertRejects(() => connected.call("change", {}, { timeout: 50 }), Error, "timed out");
    await journal.seen("change aborted");
    assertEquals(journal.count("got notifications/cancelled"), 1);
    assertEquals(await connected.call("echo", { text: "still here" }), "still here");
  });
}

Deno.test("a transport calls onclose once after a failed start, and tells onerror", async () => {
  const transport = new WebSocketClientTransport(`ws://127.0.0.1:${closedPort()}/mcp`);
  const told: string[] = [];
  transport.onclose = () => told.push("close");
  transport.onerror = () => told.push("error");
  await assertRejects(() => transport.start(), MCPConnectionError);
  assertEquals(told, ["error", "close"]);
  await transport.close();
  assertEquals(told, ["error", "close"]);
});

Deno.test("a transport calls onclose once, before close() resolves, however often it is closed", async () => {
  await using served = await serve("own", createScene());
  const transport = new WebSocketClientTransport(served.url);
  let closes = 0;
  transport.onclose = () => closes++;
  await transport.start();
  await Promise.all([transport.close(), transport.close()]);
  assertEquals(closes, 1);
  await transport.close();
  assertEquals(closes, 1);
});

Deno.test("a transport's send() rejects where it cannot send, and never throws", async () => {
  await using served = await serve("own", createScene());
  const transport = new WebSocketClientTransport(served.url, { maxSendBytes: 100 });
  const ping = { jsonrpc: "2.0", id: 1, method: "ping" } as const;
  await assertRejects(() => transport.send(ping), MCPConnectionError, "disconnected");
  await transport.start();
  await assertRejects(() => transport.send({ ...ping, method: "x".repeat(100) }), RangeError);
  await assertRejects(() => transport.send({} as typeof ping), TypeError);
  await transport.close();
  await assertRejects(() => transport.send(ping), MCPConnectionError, "disconnected");
});

Deno.test("a transport sends frozen messages, and ignores options that are for HTTP", async () => {
  await using served = await serve("own", createScene());
  const transport = new WebSocketClientTransport(served.url);
  const answered = Promise.withResolvers<unknown>();
  transport.onmessage = answered.resolve;
  await transport.start();
  const options = { resumptionToken: "1", onresumptiontoken: () => {}, relatedRequestId: 7 };
  const params = Object.freeze({});
  await transport.send(Object.freeze({ jsonrpc: "2.0", id: "1", method: "ping", params }), options);
  assertEquals(await answered.promise, { jsonrpc: "2.0", id: "1", result: {} });
  await transport.close();
});
