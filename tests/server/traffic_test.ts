import { assertEquals } from "@std/assert";
import { STRANGERS, type WebSocketServerTransport } from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, echo, note, serve, type Serving } from "./_serving.ts";

const BRIEF = { messages: { perSecond: 10 } };

/** Whether the server has nothing left of any connection, and serves the next one. */
async function assertServes({ handler, url }: Serving): Promise<void> {
  await until(() => handler.health().activeConnections === 0);
  await using socket = await JsonSocket.open(url);
  assertEquals((await socket.request("x", { a: 1 })).result, { a: 1 });
}

Deno.test("rate.messages closes a plain connection with 4429 that sends more, and no other one", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { rate: BRIEF, clock });
  await using other = await JsonSocket.open(serving.url);
  const socket = await JsonSocket.open(serving.url);
  for (let i = 0; i < 11; i++) socket.send(note(i));
  assertEquals(await socket.closed, { code: 4429, reason: "Too much traffic; retry-after=1" });
  await until(() => !sessions[1]!.isOpen);
  assertEquals(sessions[1]!.messagesIn, 10);
  assertEquals((await other.request("x", { a: 1 })).result, { a: 1 });
  assertEquals(serving.handler.health().errors, 1);
});

Deno.test("rate.bytes closes a plain connection that sends more, and says when to come back", async () => {
  const clock = new ManualClock();
  await using serving = serve(echo, { rate: { bytes: { perSecond: 1_000 } }, clock });
  const socket = await JsonSocket.open(serving.url);
  const { result } = await socket.request("x", { text: "x".repeat(4_000) });
  assertEquals(result.text.length, 4_000);
  socket.notify("x");
  assertEquals(await socket.closed, { code: 4429, reason: "Too much traffic; retry-after=4" });
  await assertServes(serving);
});

Deno.test("rate lets through for ever what keeps to it", async () => {
  const clock = new ManualClock();
  await using serving = serve(echo, { rate: BRIEF, clock });
  await using socket = await JsonSocket.open(serving.url);
  for (let i = 0; i < 100; i++) {
    assertEquals((await socket.request("x", { i })).result, { i });
    clock.advance(100);
  }
});

Deno.test("rate.messages ends the connection of a session, which loses nothing and keeps its rate", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { rate: BRIEF, clock });
  await using peer = new SessionPeer(serving.port);
  peer.acks = false;
  await peer.open();
  const [session] = sessions;
  const heard: unknown[] = [];
  session!.onmessage = (message) => heard.push("params" in message && message.params?.i);
  for (let i = 0; i < 11; i++) peer.send(note(i));
  const end = { code: 4429, reason: "Too much traffic", retryAfterMs: 100 };
  assertEquals(await peer.control("end"), end);
  assertEquals([session!.isOpen, session!.isAttached, heard.length], [true, false, 10]);
  // Coming back does not fill the bucket.
  const welcome = await peer.open();
  assertEquals([welcome.resumed, welcome.received], [true, 10]);
  assertEquals(await peer.control("end"), end);
  clock.advance(100);
  await peer.open();
  await until(() => heard.length === 11);
  assertEquals(heard, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(serving.handler.sessions.size, 1);
});

Deno.test("rate.messages counts each line of a session's frame, and what steers; a piece counts bytes alone", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { rate: BRIEF, clock });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  peer.write([0, 1, 2].map((i) => JSON.stringify(note(i))).join("\n"));
  const text = JSON.stringify(note(3));
  for (const character of text.slice(0, -1)) peer.write(`+${character}`);
  peer.write(`=${text.slice(-1)}`);
  for (let i = 0; i < 5; i++) peer.say("ping", i, 0);
  await until(() => peer.count("pong") === 5);
  assertEquals([sessions[0]!.messagesIn, sessions[0]!.isAttached], [4, true]);
  peer.say("ping", 5, 0);
  await until(() => peer.count("pong") === 6);
  peer.say("ping", 6, 0);
  assertEquals((await peer.control("end")).code, 4429);
  assertEquals(peer.count("pong"), 6);
});

Deno.test("rate ends a session's connection within a second also if its client stays, and the server can close", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  const serving = serve(onSession, { rate: BRIEF, clock });
  await using peer = new SessionPeer(serving.port);
  peer.leaves = false;
  await peer.open();
  for (let i = 0; i < 11; i++) peer.send(note(i));
  await peer.control("end");
  let isClosed = false;
  const closed = sessions[0]!.close().then(() => isClosed = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isClosed, false);
  clock.advance(1_000);
  await closed;
  await serving[Symbol.asyncDispose]();
  assertEquals(clock.timers, 0);
});

/** Requests of its client wait until they are told to go on. */
function holdRequests() {
  const held: { session: WebSocketServerTransport; id: string | number }[] = [];
  const onSession = async (session: WebSocketServerTransport) => {
    session.onmessage = (message) => {
      if ("method" in message && "id" in message) held.push({ session, id: message.id! });
    };
    await session.start();
  };
  return { held, onSession };
}

Deno.test("WebSocketServerTransport refuses a request whose id is in use, whatever hears it, and counts it once", async () => {
  const { held, onSession } = holdRequests();
  await using serving = serve(onSession, { maxInFlight: 2 });
  await using socket = await JsonSocket.open(serving.url);
  const ask = (id: string | number) => socket.send({ jsonrpc: "2.0", id, method: "x" });
  const subscribe = { jsonrpc: "2.0", id: "7", method: "subscriptions/listen" };
  ask(7);
  ask(7);
  const { id, error } = await socket.next();
  assertEquals([id, error], [7, { code: -32600, message: "The id of the request is in use" }]);
  socket.send(subscribe);
  socket.send(subscribe);
  assertEquals((await socket.next()).error.code, -32600);
  ask(8);
  assertEquals((await socket.next()).error.code, -32603);
  assertEquals(held.map(({ id }) => id), [7, "7"]);
  // An id is free again when its request was answered or cancelled.
  held[0]!.session.post({ jsonrpc: "2.0", id: 7, result: {} });
  assertEquals(await socket.next(), { jsonrpc: "2.0", id: 7, result: {} });
  ask(7);
  await until(() => held.length === 3);
  socket.notify("notifications/cancelled", { requestId: 7 });
  ask(7);
  await until(() => held.length === 4);
});

Deno.test("WebSocketServerTransport answers a hundred refused requests, then closes a plain connection with 4429", async () => {
  const { onSession } = holdRequests();
  await using serving = serve(onSession, { maxInFlight: 1, clock: new ManualClock() });
  const socket = await JsonSocket.open(serving.url);
  socket.ask("x");
  for (let i = 0; i < 101; i++) assertEquals((await socket.request("x")).error.code, -32603);
  const reason = "Too many requests were refused; retry-after=5";
  assertEquals(await socket.closed, { code: 4429, reason });
  await until(() => serving.handler.health().activeConnections === 0);
});

Deno.test("WebSocketServerTransport ends the connection of a session whose requests are refused, and answers all", async () => {
  const { held, onSession } = holdRequests();
  const clock = new ManualClock();
  await using serving = serve(onSession, { maxInFlight: 1, clock });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  for (let i = 0; i < 102; i++) peer.ask("x");
  assertEquals((await peer.control("end")).code, 4429);
  const before = peer.waiting;
  assertEquals((await peer.open()).resumed, true);
  await until(() => peer.waiting === 101);
  assertEquals(before <= 101, true);
  held[0]!.session.post({ jsonrpc: "2.0", id: 1, result: {} });
  await until(() => peer.waiting === 102);
  for (let i = 2; i <= 102; i++) assertEquals((await peer.next()).id, i);
  assertEquals((await peer.next()).id, 1);
});

Deno.test("WebSocketServerTransport bears one refused request after the other, if they are few each second", async () => {
  const { onSession } = holdRequests();
  const clock = new ManualClock();
  await using serving = serve(onSession, { maxInFlight: 1, clock });
  await using socket = await JsonSocket.open(serving.url);
  socket.ask("x");
  for (let i = 0; i < 500; i++) {
    assertEquals((await socket.request("x")).error.code, -32603);
    clock.advance(10);
  }
});

for (
  const [title, piece, count] of [
    ["that never end", `+${"x".repeat(65_535)}`, 20],
    ["that are tiny", "+x", 70],
  ] as const
) {
  Deno.test(`WebSocketHandler ends a session whose pieces are ones ${title}, with 4400`, async () => {
    const { sessions, onSession } = collectSessions();
    await using serving = serve(onSession, STRANGERS);
    await using peer = new SessionPeer(serving.port);
    await peer.open();
    for (let i = 0; i < count; i++) peer.write(piece);
    assertEquals((await peer.control("end")).code, 4400);
    assertEquals((await sessions[0]!.closed).code, 4400);
    assertEquals(sessions[0]!.messagesIn, 0);
    await assertServes(serving);
  });
}

Deno.test("WebSocketHandler with STRANGERS serves an ordinary client of either protocol", async () => {
  await using serving = serve(echo, STRANGERS);
  await using socket = await JsonSocket.open(serving.url);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  for (let i = 0; i < 20; i++) {
    assertEquals((await socket.request("x", { i })).result, { i });
    assertEquals((await peer.request("x", { i })).result, { i });
  }
  assertEquals(serving.handler.health().errors, 0);
});

for (
  const [title, text] of [
    ["nested arrays", "[".repeat(1_000_000)],
    ["nested objects", '{"a":'.repeat(200_000)],
    ["a batch", `[${'{"jsonrpc":"2.0","id":1,"method":"x"},'.repeat(26_000)}1]`],
    [
      "params of nested arrays",
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${"[".repeat(400_000)}`,
    ],
  ] as const
) {
  Deno.test(`WebSocketHandler answers a megabyte of ${title} with -32600, and goes on`, async () => {
    await using serving = serve();
    await using socket = await JsonSocket.open(serving.url);
    for (let i = 0; i < 9; i++) {
      socket.send(text);
      assertEquals((await socket.next()).error.code, -32600);
    }
    assertEquals((await socket.request("x", { a: 1 })).result, { a: 1 });
  });
}
