import { assertEquals } from "@std/assert";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { AsyncStore } from "../support/async_store.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, echo, serve } from "./_serving.ts";

Deno.test("Reception serves plain MCP to a client whose first frame is a message", async () => {
  await using server = new MCPWebSocketServer({ name: "demo", version: "1" });
  server.onRequest((params) => params);
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  await peer.dial();
  peer.acks = false;
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "c", version: "1" },
  };
  assertEquals((await peer.request("initialize", params)).result.serverInfo.name, "demo");
  assertEquals((await peer.request("x/any", { a: 1 })).result, { a: 1 });
  const [client] = server.clients;
  assertEquals([client!.protocol, client!.messagesIn], ["mcp", 2]);
  peer.write("garbage");
  assertEquals((await peer.next()).error.code, -32700);
  assertEquals(server.broadcast("x/news"), 1);
  assertEquals((await peer.next()).method, "x/news");
  peer.write(new Uint8Array([1]));
  assertEquals((await peer.closed).code, 1003);
  await until(() => server.clients.length === 0);
});

Deno.test("Reception loses nothing of a plain client that does not wait", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  peer.acks = false;
  const text = "x".repeat(100_000);
  for (let i = 0; i < 3; i++) peer.ask("a", { i, text });
  for (let i = 0; i < 3; i++) assertEquals((await peer.next()).result, { i, text });
});

Deno.test("Reception refuses a plain client when the server is full, and leaves nothing behind", async () => {
  const clock = new ManualClock();
  await using serving = serve(echo, { maxConnections: 1, clock });
  await using first = new SessionPeer(serving.port);
  await first.open();
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  const timers = clock.timers;
  peer.ask("a");
  assertEquals((await peer.closed).code, 4503);
  await until(() => clock.timers === timers - 1);
});

Deno.test("Reception sends away who says nothing for ten seconds", async () => {
  const clock = new ManualClock();
  await using serving = serve(echo, { clock });
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  await until(() => clock.timers === 1);
  clock.advance(9_999);
  assertEquals(peer.count("end"), 0);
  clock.advance(1);
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason], [4400, "No hello came in time"]);
  await peer.closed;
  await until(() => clock.timers === 0);
});

Deno.test("Reception sends away who begins with anything but a hello", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  const token = "a".repeat(43);
  const hello = (changes: object) =>
    JSON.stringify(["hello", { session: "s", token, attempt: 1, received: 0, ...changes }]);
  const frames = [
    new Uint8Array([1, 2, 3]),
    "?",
    "",
    " {}",
    "+{}",
    "[",
    "[]",
    '["ack",0]',
    '["bye",0]',
    '["ping",0,0]',
    '["welcome",{"resumed":true}]',
    '["hello"]',
    hello({ token: "short" }),
    hello({ token: 1 }),
    hello({ session: "a\nb" }),
    hello({ session: "" }),
    hello({ attempt: 0 }),
    hello({ attempt: 1.5 }),
    hello({ received: -1 }),
    hello({ received: 2 ** 53 }),
    hello({ more: "x".repeat(20_000) }),
  ];
  for (const frame of frames) {
    await using peer = new SessionPeer(serving.port);
    await peer.dial();
    peer.write(frame);
    assertEquals((await peer.control("end")).code, 4400, String(frame));
    await peer.closed;
  }
  assertEquals(sessions.length, 0);
});

Deno.test("Reception takes a hello with odd numbers, brought into their ranges", async () => {
  await using serving = serve();
  for (const limits of [null, [], { messageBytes: "x", bufferBytes: -1, bufferMessages: 1e99 }]) {
    await using peer = new SessionPeer(serving.port);
    assertEquals((await peer.open({ limits, accept: 1, client: 2 })).resumed, false);
    assertEquals((await peer.request("a")).result, {});
  }
});

Deno.test("Reception delivers what rides behind the first hello, in order", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  peer.hello();
  const ids = [1, 2, 3].map(() => peer.ask("initialize"));
  assertEquals((await peer.control("welcome")).resumed, false);
  for (const id of ids) assertEquals((await peer.next()).id, id);
});

Deno.test("Reception holds what comes before the welcome, but not more than 64 KiB of it", async () => {
  const store = new AsyncStore();
  store.isHolding = true;
  await using serving = serve(echo, { session: { store } });
  await using modest = new SessionPeer(serving.port);
  await modest.dial();
  modest.hello();
  modest.ask("a", { text: "x".repeat(60_000) });
  await until(() => store.held.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.held[0]!();
  await modest.control("welcome");
  assertEquals((await modest.next()).result.text.length, 60_000);

  await using greedy = new SessionPeer(serving.port);
  await greedy.dial();
  greedy.hello();
  for (let i = 0; i < 20; i++) greedy.ask("a", { text: "x".repeat(10_000) });
  const { code, reason } = await greedy.control("end");
  assertEquals([code, reason], [4400, "Too much came before the session was open"]);
  await greedy.closed;
  store.held[1]!();
  await until(() => store.size === 1);
  assertEquals(serving.handler.sessions.size, 1);
});

Deno.test("Reception sends away who floods it with hellos or binary frames", async () => {
  const store = new AsyncStore();
  store.isHolding = true;
  await using serving = serve(echo, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  for (let i = 0; i < 1_000; i++) peer.hello();
  assertEquals((await peer.control("end")).code, 4400);
  await peer.closed;
  peer.renew();
  await peer.dial();
  peer.hello();
  peer.write(new Uint8Array([1]));
  assertEquals((await peer.control("end")).reason, "Unknown kind of frame");
  await peer.closed;
  for (const answer of store.held) answer();
  await until(() => store.size === 0);
});

Deno.test("Reception: a second hello on a connection that has a session ends it", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  for (const isLate of [true, false]) {
    await using peer = new SessionPeer(serving.port);
    await peer.dial();
    peer.hello();
    if (isLate) await peer.control("welcome");
    peer.hello();
    const { code, reason } = await peer.control("end");
    assertEquals([code, reason], [4400, 'A client cannot say "hello" now']);
    await peer.closed;
  }
  await until(() => serving.handler.sessions.size === 0);
  assertEquals(sessions.length, 2);
});
