import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPConnectionError, MCPError, MCPTimeoutError } from "../../protocol/errors.ts";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { isPending, until } from "../support/until.ts";
import { Watched } from "./_watched.ts";

const DELIVERED = { delivered: true };

Deno.test("send() with delivered resolves when the server has acknowledged, and not before", async () => {
  const ack = Promise.withResolvers<void>();
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.next();
    await ack.promise;
    await visit.ack();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const delivery = client.notify("x/note", {}, DELIVERED);
  await until(() => server.visits[0]?.received === 1);
  assertEquals(await isPending(delivery), true);
  ack.resolve();
  await delivery;
});

Deno.test("send() with delivered gives up in time, and the message may still arrive", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const error = await assertRejects(
    () => client.notify("x/note", {}, { ...DELIVERED, deliveryTimeout: 20 }),
    MCPTimeoutError,
  );
  assertEquals(error.timeout, 20);
  assertEquals(server.visits[0]?.received, 1);
});

Deno.test("send() with delivered gives up with its signal", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const controller = new AbortController();
  const delivery = client.notify("x/note", {}, { ...DELIVERED, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => delivery, Error, "enough");
  const late = client.notify("x/late", {}, { ...DELIVERED, signal: controller.signal });
  await assertRejects(() => late, Error, "enough");
  assertEquals(client.transport.getStats().messagesSent, 0);
});

Deno.test("send() with delivered survives a resume", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: 0 });
    await visit.next();
    if (visit.number === 1) return;
    await visit.ack();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.notify("x/note", {}, DELIVERED);
  assertEquals(client.events, ["lost", "resumed", "recovered"]);
});

Deno.test("send() with delivered is confirmed by the welcome of a resumed session", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: visit.number - 1 });
    if (visit.number === 1) return void await visit.next();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  await client.notify("x/note", {}, DELIVERED);
  assertEquals(server.visits[1]?.received, 1);
});

Deno.test("send() with delivered fails when the session is lost, as nobody knows", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number === 1) {
      await visit.welcome();
      return void await visit.next();
    }
    await visit.welcome({ resumed: false, reason: "Unknown" });
    await visit.control("hello");
    await visit.welcome();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  const error = await assertRejects(
    () => client.notify("x/note", {}, DELIVERED),
    MCPConnectionError,
  );
  assertEquals([error.kind, error.outcome], ["session", "unknown"]);
});

for (const connect of ["connected", "not yet connected"]) {
  Deno.test(`send() with delivered sends nothing to a plain peer, when ${connect}`, async () => {
    const heard: string[] = [];
    await using server = new ScriptedServer((visit) =>
      playLegacy(visit, ({ method }) => void heard.push(method))
    );
    await using client = new Watched(server.url);
    const start = client.transport.start();
    if (connect === "connected") await start;
    const error = await assertRejects(() => client.notify("x/note", {}, DELIVERED), MCPError);
    assertEquals(error.kind, "session");
    const request = client.transport.send(
      { jsonrpc: "2.0", id: 9, method: "x/request" },
      DELIVERED,
    );
    await assertRejects(() => request, MCPError);
    await start;
    await client.request("tools/list");
    assertEquals(heard, ["tools/list"]);
    assertEquals(client.transport.getStats().pendingRequests, 0);
  });
}

Deno.test("send() with delivered waits in the queue for a session that comes back", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open({ received: 0 });
    if (visit.number === 1) return void await visit.next();
    await visit.play();
  });
  await using client = await Watched.open(server.url);
  const first = client.notify("x/note", { n: 1 }, DELIVERED);
  await client.told("lost");
  const second = client.notify("x/note", { n: 2 }, DELIVERED);
  await Promise.all([first, second]);
  assertEquals(server.visits[1]?.received, 2);
});

Deno.test("send() with delivered fails when the transport is closed, or never was started", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    await visit.visit.silence();
  });
  const client = await Watched.open(server.url);
  const delivery = client.notify("x/note", {}, DELIVERED);
  const failed = assertRejects(() => delivery, MCPConnectionError);
  await client.transport.close();
  await failed;
  await assertRejects(() => client.notify("x/note", {}, DELIVERED), MCPConnectionError);
});

Deno.test("send() with delivered of a request that is cancelled before it left says so at once", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    await visit.visit.silence();
  });
  await using client = await Watched.open(server.url);
  const request = { jsonrpc: "2.0", id: 9, method: "tools/call", params: {} } as const;
  const delivery = client.transport.send(request, DELIVERED);
  const cancelled = assertRejects(() => delivery, MCPConnectionError, "cancelled");
  await client.notify("notifications/cancelled", { requestId: 9 });
  await cancelled;
});

Deno.test("send() with delivered of an answer that nobody waits for any more says so", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.greet();
    if (visit.number === 1) {
      await visit.welcome();
      await visit.send({ id: 7, method: "roots/list" });
      return void await visit.next();
    }
    await visit.welcome({ resumed: false, reason: "Unknown" });
    await visit.control("hello");
    await visit.welcome();
    await visit.end();
  });
  await using client = await Watched.open(server.url);
  await until(() => client.messages.length > 0);
  await client.notify("x/cut");
  await client.told("recovered");
  const answer = client.transport.send({ jsonrpc: "2.0", id: 7, result: {} }, DELIVERED);
  const error = await assertRejects(() => answer, MCPConnectionError);
  assertEquals(error.outcome, "not-sent");
});

Deno.test("send() with delivered of a request that is answered offline says that it was not sent", async () => {
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    if (visit.number === 1) return void await visit.next();
    await visit.visit.silence();
  });
  const offlineResponse = () => ({ result: {} });
  const reconnect = { minDelay: 10_000, immediate: [] };
  await using client = await Watched.open(server.url, { offlineResponse, reconnect });
  await client.notify("x/cut");
  await client.told("lost");
  await until(() => client.transport.state.status === "reconnecting");
  const request = { jsonrpc: "2.0", id: 9, method: "tools/call", params: {} } as const;
  const error = await assertRejects(
    () => client.transport.send(request, DELIVERED),
    MCPConnectionError,
  );
  assertEquals(error.outcome, "not-sent");
  assertEquals((await client.answer(9)).result._meta, { "bowline/offline": true });
});

for (const deliveryTimeout of [0, -1, NaN, Infinity]) {
  Deno.test(`send() with delivered refuses ${deliveryTimeout} as a time`, async () => {
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      await visit.play();
    });
    await using client = await Watched.open(server.url);
    const options = { ...DELIVERED, deliveryTimeout };
    await assertRejects(() => client.notify("x/note", {}, options), RangeError);
    assert(server.visits[0]?.received !== 1);
  });
}

Deno.test("MCPWebSocketClient.notify() waits until the server's handler has it, over any cut", async () => {
  const heard: unknown[] = [];
  await using server = new MCPWebSocketServer({ name: "test", version: "1.0.0" });
  server.onNotification("x/note", ({ n }) => void heard.push(n));
  const { url } = await server.start({ port: 0 });
  await using link = ChaosLink.open(Number(new URL(url).port));
  const reconnect = { minDelay: 1, immediate: [] };
  await using client = new MCPWebSocketClient(link.url(), { reconnect });
  const events: string[] = [];
  for (const type of ["resumed", "sessionlost", "moved"] as const) {
    client.addEventListener(type, () => events.push(type));
  }
  await client.connect();
  await client.notify("x/note", { n: 1 }, DELIVERED);
  assertEquals(heard, [1]);
  const sent: Promise<void>[] = [];
  for (let n = 2; n <= 30; n++) {
    sent.push(client.notify("x/note", { n }, DELIVERED));
    if (n % 10 === 5) link.cut();
  }
  await Promise.all(sent);
  assertEquals(heard, Array.from({ length: 30 }, (_, n) => n + 1));
  assertEquals(new Set<Json>(events), new Set(["resumed"]));
});
