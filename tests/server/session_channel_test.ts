import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type HandlerContext,
  MCPConnectionError,
  MCPWebSocketServer,
  MemorySessionStore,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { mintToken, SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, note, serve } from "./_serving.ts";

Deno.test("SessionChannel keeps what is sent while nobody is there, and handlers keep running", async () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  const contexts: HandlerContext[] = [];
  const work = Promise.withResolvers<void>();
  server.onRequest(async (_params, context) => {
    contexts.push(context);
    await work.promise;
    context.notify("x/almost");
    return { done: true };
  });
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  await peer.open();
  for (let i = 0; i < 1_000; i++) peer.ask("x/work");
  await until(() => contexts.length === 1_000);
  await peer.drop();
  await until(() => server.health().detachedSessions === 1);
  work.resolve();
  await until(() => server.health().messagesOut === 2_000);
  assert(server.health().bufferedBytes > 100_000);
  assertEquals((await peer.open()).resumed, true);
  for (let i = 1; i <= 1_000; i++) assertEquals((await peer.next()).method, "x/almost");
  for (let i = 1; i <= 1_000; i++) {
    const { id, result } = await peer.next();
    assertEquals([id, result.done], [i, true]);
  }
  assertEquals(contexts.some(({ signal }) => signal.aborted), false);
  await until(() => server.health().bufferedBytes === 0);
  await server.stop({ timeout: 0 });
});

Deno.test("SessionChannel survives ten thousand answers during a short drop", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  for (let i = 0; i < 10_000; i++) sessions[0]!.post(note(i));
  await peer.open();
  for (let i = 0; i < 10_000; i++) assertEquals((await peer.next()).params.i, i);
});

Deno.test("SessionChannel ends a session for which too much waits, and says why", async () => {
  const bounds = [
    { bufferMessages: 2, maxWaitingMessages: 2 },
    { bufferBytes: 4_096, maxWaitingBytes: 4_096 },
  ];
  for (const session of bounds) {
    const { sessions, onSession } = collectSessions();
    await using serving = serve(onSession, { session });
    await using peer = new SessionPeer(serving.port);
    peer.acks = false;
    await peer.open();
    await peer.drop();
    await until(() => !sessions[0]!.isAttached);
    const message = { jsonrpc: "2.0", method: "x".repeat(2_000) } as const;
    for (let i = 0; i < 4; i++) {
      sessions[0]!.post(message);
      assertEquals(sessions[0]!.isOpen, true);
    }
    sessions[0]!.post(message);
    assertEquals(await sessions[0]!.closed, {
      code: 4429,
      reason: "Too much waits for the client",
    });
    assertThrows(() => sessions[0]!.post(message), MCPConnectionError, "has ended");
    await peer.dial();
    peer.hello();
    assertEquals((await peer.control("welcome")).resumed, false);
  }
});

Deno.test("SessionChannel ends a session whose client acknowledges nothing, and tells it", async () => {
  const { sessions, onSession } = collectSessions();
  const session = { bufferMessages: 2, maxWaitingMessages: 2 };
  await using serving = serve(onSession, { session });
  await using peer = new SessionPeer(serving.port);
  peer.acks = false;
  await peer.open();
  for (let i = 0; i < 5; i++) sessions[0]!.post(note(i));
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason, peer.waiting], [4429, "Too much waits for the client", 2]);
});

Deno.test("SessionChannel makes senders wait until there is room", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { bufferMessages: 2 } });
  await using peer = new SessionPeer(serving.port);
  peer.acks = false;
  await peer.open();
  const [session] = sessions;
  await session!.send(note(0));
  const sent: number[] = [];
  const sending = [1, 2].map((i) => session!.send(note(i)).then(() => sent.push(i)));
  await until(() => peer.waiting === 2);
  assertEquals(sent, []);
  peer.ack();
  await Promise.all(sending);
  await until(() => peer.waiting === 3);
});

Deno.test("SessionChannel evicts the session that lost its connection first when memory is short", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { maxTotalBytes: 3_000 } });
  await using stack = new AsyncDisposableStack();
  const peers = [0, 1, 2].map(() => stack.use(new SessionPeer(serving.port)));
  for (const peer of peers) {
    await peer.open();
    peer.acks = false;
  }
  const message = { jsonrpc: "2.0", method: "x".repeat(1_000) } as const;
  for (const index of [1, 0]) {
    await peers[index]!.drop();
    await until(() => !sessions[index]!.isAttached);
    sessions[index]!.post(message);
  }
  sessions[2]!.post(message);
  assertEquals(sessions.map(({ isOpen }) => isOpen), [true, false, true]);
  assertEquals((await sessions[1]!.closed).code, 1013);
  sessions[2]!.post(message);
  assertEquals(sessions.map(({ isOpen }) => isOpen), [false, false, true]);
  // Whoever is connected is not evicted: senders wait.
  let isSent = false;
  const sending = sessions[2]!.send(message).then(() => isSent = true);
  await until(() => peers[2]!.waiting === 3);
  assertEquals(isSent, false);
  peers[2]!.ack();
  await sending;
  assertEquals(serving.handler.health().bufferedBytes, 0);
});

Deno.test("SessionChannel pings a silent client, gives up its connection, and keeps its session", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { clock });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  clock.advance(25_000);
  await peer.control("ping");
  const pong = peer.request("a");
  await pong;
  clock.advance(24_000);
  assertEquals(peer.count("ping"), 0);
  peer.pongs = false;
  peer.freeze();
  clock.advance(1_000);
  for (let i = 0; i < 3; i++) {
    assertEquals(sessions[0]!.isAttached, true);
    clock.advance(5_000);
  }
  assertEquals([sessions[0]!.isAttached, sessions[0]!.isOpen], [false, true]);
  sessions[0]!.post(note(1));
  assertEquals((await peer.open()).resumed, true);
  assertEquals((await peer.next()).params, { i: 1 });
});

Deno.test("SessionChannel gives up a connection that is not read for ten seconds, with 4429", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  const session = { bufferBytes: 256 * 2 ** 20, maxTotalBytes: 2 ** 30, pingInterval: 200_000 };
  await using serving = serve(onSession, { clock, session, heartbeatTimeout: false });
  const headers = { ...UPGRADE_HEADERS, "Sec-WebSocket-Protocol": "bowline.v1" };
  const { socket } = await RawSocket.request(serving.port, headers);
  using _ = socket;
  const token = mintToken();
  const limits = { messageBytes: 2 ** 30, bufferBytes: 2 ** 30, bufferMessages: 2 ** 20 };
  const hello = { session: "s", token, attempt: 1, received: 0, limits };
  await socket.writeFrame(1, JSON.stringify(["hello", hello]));
  await until(() => sessions.length === 1);
  const message = { jsonrpc: "2.0", method: "x".repeat(100_000) } as const;
  for (let i = 0; i < 300; i++) sessions[0]!.post(message);
  // The kernel takes its part first.
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let i = 0; i < 9; i++) clock.advance(1_000);
  assertEquals(sessions[0]!.isAttached, true);
  assert(sessions[0]!.bufferedAmount > 2 ** 20);
  for (let i = 0; i < 3; i++) clock.advance(1_000);
  assertEquals([sessions[0]!.isAttached, sessions[0]!.isOpen], [false, true]);

  await using peer = new SessionPeer(serving.port);
  Object.assign(peer, { session: "s", token, attempt: 1, wasWelcomed: true });
  assertEquals((await peer.open()).resumed, true);
  while (peer.waiting < 300) {
    clock.advance(5);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
});

Deno.test("SessionChannel ends the session of a client that breaks the protocol", async () => {
  const violations: [string | Uint8Array<ArrayBuffer>, string][] = [
    [new Uint8Array([1, 2]), "Unknown kind of frame"],
    ["garbage", "Unknown kind of frame"],
    ["", "Unknown kind of frame"],
    ["[garbage", "Malformed control frame"],
    ['["ack",-1]', "Malformed control frame"],
    ['["nonsense"]', "Malformed control frame"],
    ['["ack",2]', "Acknowledgement of a message that was never sent"],
    ['["ping",0,9]', "Acknowledgement of a message that was never sent"],
    ['["welcome",{"resumed":true}]', 'A client cannot say "welcome" now'],
    ['["end",{"code":1000}]', 'A client cannot say "end" now'],
    ["+", "A piece is empty"],
  ];
  for (const [frame, told] of violations) {
    const { sessions, onSession } = collectSessions();
    const store = new MemorySessionStore();
    await using serving = serve(onSession, { session: { store } });
    await using peer = new SessionPeer(serving.port);
    await peer.open();
    let closes = 0;
    sessions[0]!.onclose = () => closes++;
    await sessions[0]!.send(note(1));
    peer.write(frame);
    peer.write(frame);
    const { code, reason } = await peer.control("end");
    assertEquals([code, reason], [4400, told], String(frame));
    await peer.closed;
    assertEquals([(await sessions[0]!.closed).code, closes, store.size], [4400, 1, 0]);
  }
});

Deno.test("SessionChannel waits a second for a client to leave, not longer", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  peer.leaves = false;
  await peer.open();
  const started = Date.now();
  await Promise.all([sessions[0]!.disconnect("Bye"), sessions[0]!.close(4000, "Twice")]);
  assert(Date.now() - started < 1_500);
  assertEquals(await sessions[0]!.closed, { code: 1000, reason: "Bye" });
  assertEquals(await peer.closed, { code: 1000, reason: "Bye" });
});

Deno.test("SessionChannel takes messages in pieces and joined, and counts each once", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const text = "x".repeat(100_000);
  const message = JSON.stringify({ jsonrpc: "2.0", id: "big", method: "a", params: { text } });
  for (let start = 0; start < message.length; start += 1_023) {
    const isLast = start + 1_023 >= message.length;
    peer.write((isLast ? "=" : "+") + message.slice(start, start + 1_023));
  }
  const { id, result } = await peer.next();
  assertEquals([id, result.text.length], ["big", 100_000]);
  const lines = [1, 2, 3].map((i) => JSON.stringify({ ...note(i), id: i }));
  peer.write(lines.join("\n"));
  for (let i = 1; i <= 3; i++) assertEquals((await peer.next()).result, { i });
  peer.write("+{");
  peer.write('["drop"]');
  assertEquals((await peer.request("b")).result, {});
  assertEquals(sessions[0]!.messagesIn, 5);
  assertEquals(await peer.bye(), 5);
});

Deno.test("SessionChannel sends a large message in pieces, also to a client that was away", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const text = "é".repeat(2 ** 19);
  sessions[0]!.post({ jsonrpc: "2.0", method: "big", params: { text } });
  await until(() => peer.frames.some((frame) => frame.startsWith("+")));
  assertEquals((await peer.next()).params.text, text);
  assert(peer.frames.every((frame) => new TextEncoder().encode(frame).length <= 128 * 1024));

  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  sessions[0]!.post({ jsonrpc: "2.0", method: "big", params: { text } });
  await peer.open();
  assertEquals((await peer.next()).params.text, text);
});

Deno.test("SessionChannel refuses to send what is too large for the client", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port, { limits: { messageBytes: 2_000 } });
  await peer.open();
  const big = { jsonrpc: "2.0", method: "x".repeat(2_000) } as const;
  await assertRejects(
    () => sessions[0]!.send(big),
    RangeError,
    "Cannot send message as the client takes 2000 bytes: current size is 2029",
  );
  assertEquals([sessions[0]!.isOpen, sessions[0]!.messagesOut], [true, 0]);
});

Deno.test("SessionChannel: an answer that is too large for the client becomes an error", async () => {
  await using server = new MCPWebSocketServer({ name: "a", version: "1" });
  server.onRequest(() => ({ text: "x".repeat(5_000) }));
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port, { limits: { messageBytes: 2_000 } });
  await peer.open();
  assertEquals((await peer.request("x/any")).error.code, -32603);
  await peer.bye();
});

Deno.test("SessionChannel tells when the client has a message, over any number of drops", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  peer.acks = peer.pongs = false;
  await peer.open();
  let isDelivered = false;
  const sending = sessions[0]!.send(note(1), { delivered: true }).then(() => isDelivered = true);
  await until(() => peer.waiting === 1);
  peer.received = 0;
  await peer.drop();
  await peer.open();
  await until(() => peer.waiting === 2);
  assertEquals(isDelivered, false);
  peer.ack();
  await sending;

  const lost = assertRejects(
    () => sessions[0]!.send(note(2), { delivered: true }),
    MCPConnectionError,
    "The session has ended: it was closed",
  );
  await peer.bye();
  await lost;
});

Deno.test("SessionChannel answers what is no message, and survives listeners that close it", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  peer.write('{"garbage"\n{}');
  assertEquals((await peer.next()).error.code, -32700);
  assertEquals((await peer.next()).error.code, -32600);
  sessions[0]!.onerror = () => void sessions[0]!.close(4000, "Enough");
  peer.write("{garbage");
  assertEquals((await peer.control("end")).code, 4000);
  await peer.closed;
  assertEquals(await serving.isListening(), true);
});

Deno.test("SessionChannel acknowledges at once for a client that wants it", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { clock });
  await using peer = new SessionPeer(serving.port);
  await peer.open({ promptAck: true });
  peer.send(note(1));
  assertEquals(await peer.control("ack"), 1);
  peer.write("+{");
  assertEquals(await peer.control("ack"), 1);
  await peer.open({ promptAck: false });
  peer.write(JSON.stringify(note(2)));
  await until(() => sessions[0]!.messagesIn === 2);
  assertEquals(peer.count("ack"), 0);
  clock.advance(1_000);
  assertEquals(await peer.control("ack"), 2);
});

Deno.test("stop() asks to move, takes resumes but no new sessions, and ends when all is done", async () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  const work = Promise.withResolvers<void>();
  server.onRequest(async () => {
    await work.promise;
    return { done: true };
  });
  const { port, url } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  await using idle = new SessionPeer(port);
  await peer.open();
  await idle.open();
  peer.ask("x/work");
  await until(() => server.clients[0]!.running === 1);
  const stopping = server.stop({ timeout: 5_000, reason: "Moving house" });
  const { afterMs, reason, sessions } = await idle.control("goaway");
  assertEquals([afterMs, reason, sessions], [5_000, "Moving house", "lost"]);
  assertEquals(await idle.bye(), 0);
  await peer.control("goaway");
  await peer.drop();
  assertEquals((await peer.open()).resumed, true);
  const again = await peer.control("goaway");
  assert(again.afterMs > 0 && again.afterMs <= 5_000);

  await using late = new SessionPeer(port);
  await late.dial();
  late.hello();
  const refusal = await late.control("end");
  assertEquals([refusal.code, refusal.reason], [4503, "Server is shutting down"]);
  await late.closed;
  await assertRejects(() => JsonSocket.open(url));

  work.resolve();
  assertEquals((await peer.next()).result, { done: true });
  const end = await peer.control("end");
  assertEquals([end.code, end.reason], [1001, "Moving house"]);
  await stopping;
  assertEquals(server.health().activeConnections, 0);
});

Deno.test("stop() waits for a client that is away and lacks an answer", async () => {
  const server = new MCPWebSocketServer({ name: "a", version: "1" });
  const work = Promise.withResolvers<void>();
  server.onRequest(async () => {
    await work.promise;
    return { done: true };
  });
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  await peer.open();
  peer.ask("x/work");
  await until(() => server.clients[0]!.running === 1);
  await peer.drop();
  await until(() => server.health().detachedSessions === 1);
  const stopping = server.stop({ timeout: 3_000 });
  work.resolve();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals((await peer.open()).resumed, true);
  assertEquals((await peer.next()).result, { done: true });
  assertEquals((await peer.control("end")).code, 1001);
  await stopping;
});

Deno.test("close() ends sessions that wait for their clients at the timeout", async () => {
  const { sessions, onSession } = collectSessions();
  const serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  sessions[0]!.post(note(1));
  await serving.handler.close({ timeout: 50 });
  assertEquals(sessions[0]!.isOpen, false);
  assertEquals(serving.handler.health().status, "closed");
  await serving[Symbol.asyncDispose]();
});
