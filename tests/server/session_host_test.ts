import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type HandlerContext,
  MCPWebSocketServer,
  MemorySessionStore,
  type RequestSnapshot,
  type WebSocketHandlerOptions,
} from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { recordLog } from "../support/recorded_log.ts";
import { mintToken, SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, echo, note, serve } from "./_serving.ts";

/** Five sessions for everybody who says who he is. */
const USERS: WebSocketHandlerOptions = {
  principalOf: ({ headers }: RequestSnapshot) => headers.get("X-User") ?? undefined,
};
const ADA = { headers: { "X-User": "ada" } };

Deno.test("SessionHost tells a new session its limits, its intervals and who the server is", async () => {
  await using server = new MCPWebSocketServer({
    name: "demo",
    version: "1.2.3",
    maxMessageBytes: 5_000,
    session: { window: 60_000, bufferMessages: 10, bufferBytes: 20_000, pingInterval: 7_000 },
  });
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  assertEquals(await peer.open(), {
    resumed: false,
    received: 0,
    windowMs: 60_000,
    limits: { messageBytes: 5_000, bufferBytes: 20_000, bufferMessages: 10 },
    pingMs: 7_000,
    accept: [],
    server: { name: "demo", version: "1.2.3" },
  });
  assertEquals((await peer.request("ping")).result, {});
  const [client] = server.clients;
  assertEquals([client!.protocol, client!.isAttached], ["bowline.v1", true]);
  await peer.drop();
  await until(() => !server.clients[0]!.isAttached);
  assertEquals(server.health().detachedSessions, 1);
  assertEquals((await peer.open()).server, { name: "demo", version: "1.2.3" });
  assertEquals(server.health().detachedSessions, 0);
});

Deno.test("SessionHost leaves out who a bare handler is, as it does not know", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  const welcome = await peer.open();
  assertEquals([welcome.resumed, "server" in welcome, "reason" in welcome], [false, false, false]);
});

Deno.test("SessionHost resumes a session and sends again, in order, what the client lacks", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const [session] = sessions;
  for (let i = 0; i < 5; i++) await session!.send(note(i));
  for (let i = 0; i < 5; i++) assertEquals((await peer.next()).params.i, i);
  peer.acks = false;
  // Of these, two are taken: the others get lost on the way, as it seems.
  for (let i = 5; i < 10; i++) await session!.send(note(i));
  await until(() => peer.waiting === 5);
  peer.received -= 3;
  for (let i = 5; i < 10; i++) assertEquals((await peer.next()).params.i, i);
  await peer.drop();
  await until(() => !session!.isAttached);
  for (let i = 10; i < 13; i++) session!.post(note(i));
  const { resumed, received } = await peer.open();
  assertEquals([resumed, received], [true, 0]);
  for (let i = 7; i < 13; i++) assertEquals((await peer.next()).params.i, i);
  assertEquals(sessions.length, 1);
  assertEquals(session!.bufferedMessages, 6);
  peer.ack();
  await until(() => session!.bufferedMessages === 0);
});

Deno.test("SessionHost counts what it was sent over all connections", async () => {
  const heard: unknown[] = [];
  await using serving = serve(async (session) => {
    session.onmessage = (message) => heard.push("params" in message && message.params?.i);
    await session.start();
  });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  for (let i = 0; i < 3; i++) peer.send(note(i));
  await until(() => heard.length === 3);
  await peer.drop();
  for (let i = 3; i < 6; i++) peer.send(note(i));
  assertEquals((await peer.open()).received, 3);
  await until(() => heard.length === 6);
  assertEquals(heard, [0, 1, 2, 3, 4, 5]);
});

Deno.test("SessionHost delivers every message once, in order, over any number of drops", async () => {
  const heard: unknown[] = [];
  await using serving = serve(async (session) => {
    session.onmessage = (message) => {
      if (!("method" in message) || message.params === undefined) return;
      heard.push(message.params.i);
      session.post({ jsonrpc: "2.0", method: "heard", params: message.params });
    };
    await session.start();
  });
  await using peer = new SessionPeer(serving.port);
  let sent = 0;
  await peer.open();
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 25; i++) {
      const padding = "x".repeat(i === round % 25 ? 150_000 : i * 10);
      peer.send({ jsonrpc: "2.0", method: "a", params: { i: sent++, padding } });
    }
    // Some time for some of it.
    for (let turn = 0; turn < round % 5; turn++) await new Promise((go) => setTimeout(go, 1));
    if (round % 4 === 0) peer.freeze();
    else await peer.drop();
    assertEquals((await peer.open()).resumed, true);
  }
  for (let i = 0; i < sent; i++) assertEquals((await peer.next()).params.i, i);
  assertEquals(heard, Array.from({ length: sent }, (_, i) => i));
  assertEquals([peer.waiting, serving.handler.health().totalConnections], [0, 1]);
});

Deno.test("SessionHost closes an older open connection with 4409 and does not read it any more", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const { socket: old, closed } = peer;
  assertEquals((await peer.open()).resumed, true);
  if (old.readyState === WebSocket.OPEN) old.send('{"jsonrpc":"2.0","id":"old","method":"x"}');
  assertEquals((await peer.request("a", { new: true })).result, { new: true });
  assertEquals((await closed).code, 4409);
  assertEquals([sessions.length, sessions[0]!.messagesIn], [1, 1]);
  assertEquals((await peer.request("b")).result, {});
});

Deno.test("SessionHost resumes a session whose old connection is half-open", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  peer.freeze();
  const answered = peer.ask("a");
  sessions[0]!.post(note(1));
  const { resumed, received } = await peer.open();
  assertEquals([resumed, received], [true, 0]);
  assertEquals((await peer.next()).params, { i: 1 });
  assertEquals((await peer.next()).id, answered);
});

Deno.test("SessionHost resumes all of a principal's sessions, but opens no sixth", async () => {
  await using serving = serve(echo, USERS);
  await using stack = new AsyncDisposableStack();
  const peers = Array.from({ length: 5 }, () => stack.use(new SessionPeer(serving.port, ADA)));
  for (const peer of peers) await peer.open();
  for (const peer of peers) peer.freeze();
  for (const peer of peers) assertEquals((await peer.open()).resumed, true);

  await using sixth = new SessionPeer(serving.port, ADA);
  await sixth.dial();
  sixth.hello();
  const { code, reason } = await sixth.control("end");
  assertEquals([code, reason], [4503, "Too many sessions of this principal"]);
  await sixth.closed;
  await using other = new SessionPeer(serving.port, { headers: { "X-User": "bob" } });
  await other.open();
  await using anonymous = new SessionPeer(serving.port);
  await anonymous.open();

  for (const peer of peers) assertEquals((await peer.request("a")).result, {});
  await peers[0]!.bye();
  sixth.renew();
  assertEquals((await sixth.open()).resumed, false);
});

Deno.test("SessionHost frees the place of a session that expired or was evicted", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  const store = new MemorySessionStore({ maxSessionsPerPrincipal: 1, clock });
  const session = { store, window: 1_000, maxTotalBytes: 1_000 };
  await using serving = serve(onSession, { ...USERS, clock, session });
  await using peer = new SessionPeer(serving.port, ADA);
  const ends = [
    () => clock.advance(1_000),
    () => sessions[1]!.post({ jsonrpc: "2.0", method: "x".repeat(1_000) }),
  ];
  for (const end of ends) {
    peer.renew();
    await peer.open();
    const session = sessions.at(-1)!;
    await peer.drop();
    await until(() => !session.isAttached);
    session.post(note(1));
    assertEquals([store.size, session.isOpen], [1, true]);
    end();
    assertEquals([store.size, session.isOpen], [0, false]);
    await session.closed;
  }
  peer.renew();
  assertEquals((await peer.open()).resumed, false);
  const { activeConnections, bufferedBytes } = serving.handler.health();
  assertEquals([activeConnections, bufferedBytes], [1, 0]);
});

Deno.test("SessionHost lets one of two resumes at once win", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using first = new SessionPeer(serving.port);
  await first.open();
  await using second = new SessionPeer(serving.port);
  Object.assign(second, { session: first.session, token: first.token });
  await Promise.all([first.dial(), second.dial()]);
  for (const peer of [first, second]) peer.hello({ attempt: 2, resume: true });
  await until(() => first.count("end") + second.count("end") === 1);
  const [winner, loser] = first.count("end") === 0 ? [first, second] : [second, first];
  assertEquals((await loser.control("end")).code, 4409);
  await loser.closed;
  assertEquals((await winner.control("welcome")).resumed, true);
  assertEquals((await winner.request("a")).result, {});
  assertEquals([sessions.length, loser.count("welcome")], [1, 0]);
});

Deno.test("SessionHost closes a late dial alone: a live connection stays", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.open();
  await using late = new SessionPeer(serving.port);
  await late.dial();
  for (const attempt of [1, 2]) {
    await late.dial();
    late.hello({ token: peer.token, attempt, resume: true });
    const { code, reason } = await late.control("end");
    assertEquals([code, reason], [4409, "A later connection was accepted before"]);
    assertEquals((await late.closed).code, 1005);
  }
  assertEquals((await peer.request("a")).result, {});
});

Deno.test("SessionHost knows no wrong token, and opens a session at the second hello", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.dial();
  peer.hello({ token: mintToken() });
  const { resumed, received, reason } = await peer.control("welcome");
  assertEquals([resumed, received, reason], [false, 0, "The session is unknown"]);
  assertEquals(sessions.length, 1);
  peer.renew();
  peer.hello();
  // It rides behind the hello.
  peer.ask("a");
  assertEquals("reason" in await peer.control("welcome"), false);
  assertEquals((await peer.next()).result, {});
  assertEquals(sessions.length, 2);
  assertEquals(sessions[0]!.isOpen, true);
});

Deno.test("SessionHost refuses a third hello", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  for (let i = 0; i < 3; i++) peer.hello({ resume: true, token: mintToken() });
  assertEquals((await peer.control("welcome")).resumed, false);
  assertEquals((await peer.control("welcome")).resumed, false);
  assertEquals((await peer.control("end")).code, 4400);
  await peer.closed;
  assertEquals([peer.count("welcome"), serving.handler.sessions.size], [0, 0]);
});

Deno.test("SessionHost gives nobody a session of somebody else", async () => {
  await using serving = serve(echo, USERS);
  await using peer = new SessionPeer(serving.port, ADA);
  await peer.open();
  for (const options of [{ headers: { "X-User": "bob" } }, {}]) {
    await using thief = new SessionPeer(serving.port, options);
    await thief.dial();
    thief.hello({ token: peer.token, session: peer.session, attempt: 9, resume: true });
    const { code } = await thief.control("end");
    assertEquals(code, 4403);
    await thief.closed;
  }
  assertEquals((await peer.request("a")).result, {});
  assertEquals((await peer.open()).resumed, true);
});

Deno.test("SessionHost refuses a count from the future and leaves the session alone", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await sessions[0]!.send(note(1));
  await peer.next();
  await using liar = new SessionPeer(serving.port);
  await liar.dial();
  liar.hello({ token: peer.token, attempt: 2, resume: true, received: 2 });
  const { code, reason } = await liar.control("end");
  assertEquals([code, reason], [4400, "More was received than was ever sent"]);
  await liar.closed;
  assertEquals((await peer.request("a")).result, {});
  peer.attempt = 2;
  assertEquals((await peer.open()).resumed, true);
});

Deno.test("SessionHost opens no session for who has received something from it already", async () => {
  const store = new MemorySessionStore();
  await using serving = serve(echo, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  peer.hello({ received: 1 });
  assertEquals((await peer.control("end")).code, 4400);
  await peer.closed;
  assertEquals([store.size, serving.handler.sessions.size], [0, 0]);
});

Deno.test("SessionHost says so when it has forgotten what the client lacks, and aborts", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  for (let i = 0; i < 3; i++) await sessions[0]!.send(note(i));
  await until(() => sessions[0]!.bufferedMessages === 0 && peer.waiting === 3);
  await peer.dial();
  peer.hello({ received: 1 });
  const { resumed, reason } = await peer.control("welcome");
  assertEquals([resumed, reason], [
    false,
    "Messages were forgotten that the client does not have",
  ]);
  assertEquals((await sessions[0]!.closed).code, 4409);
  peer.renew();
  peer.hello();
  assertEquals((await peer.control("welcome")).resumed, false);
  await until(() => sessions.length === 2);
  assertEquals(serving.handler.sessions.size, 1);
});

Deno.test("SessionHost knows an expired session no more, and its handlers were told", async () => {
  const clock = new ManualClock();
  const server = new MCPWebSocketServer({ name: "a", version: "1", clock });
  const contexts: HandlerContext[] = [];
  server.onRequest((_params, context) => {
    contexts.push(context);
    return new Promise(() => {});
  });
  const { port } = await server.start({ port: 0 });
  await using peer = new SessionPeer(port);
  await peer.open();
  peer.ask("x/slow");
  await until(() => contexts.length === 1);
  const { signal } = contexts[0]!;
  await peer.drop();
  await until(() => server.health().detachedSessions === 1);
  clock.advance(119_999);
  assertEquals(signal.aborted, false);
  assertEquals(server.health().activeConnections, 1);
  clock.advance(1);
  assertEquals(signal.aborted, true);
  await until(() => server.health().activeConnections === 0);
  await peer.dial();
  peer.hello();
  const { resumed, reason } = await peer.control("welcome");
  assertEquals([resumed, reason], [false, "The session is unknown"]);
  await peer.drop();
  await server.stop({ timeout: 0 });
});

Deno.test("SessionHost answers bye with what it has, and a late hello with end", async () => {
  const clock = new ManualClock();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { clock });
  await using peer = new SessionPeer(serving.port);
  let closes = 0;
  await peer.open();
  sessions[0]!.onclose = () => closes++;
  await peer.request("a");
  peer.send(note(1));
  assertEquals(await peer.bye(), 2);
  assertEquals(await sessions[0]!.closed, { code: 1000, reason: "" });
  assertEquals(closes, 1);
  for (const resume of [true, false]) {
    await peer.dial();
    peer.hello({ resume });
    const { code, reason } = await peer.control("end");
    assertEquals([code, reason], [1000, "The session was ended"]);
    await peer.closed;
  }
  clock.advance(120_000);
  await peer.dial();
  peer.hello();
  assertEquals((await peer.control("welcome")).reason, "The session is unknown");
});

Deno.test("SessionHost remembers whom the server has sent away", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const gone = sessions[0]!.disconnect("You have been idle");
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason], [1000, "You have been idle"]);
  await gone;
  await peer.dial();
  peer.hello();
  assertEquals((await peer.control("end")).code, 1000);
  await peer.closed;

  peer.renew();
  await peer.open();
  await peer.drop();
  await until(() => !sessions[1]!.isAttached);
  await sessions[1]!.disconnect("Bye");
  await peer.dial();
  peer.hello();
  assertEquals((await peer.control("end")).code, 1000);
});

Deno.test("SessionHost forgets a session that ended for another reason", async () => {
  const { sessions, onSession } = collectSessions();
  const store = new MemorySessionStore();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const gone = sessions[0]!.disconnect("Try another one", 1013);
  assertEquals((await peer.control("end")).code, 1013);
  await gone;
  assertEquals(store.size, 0);
  await peer.dial();
  peer.hello();
  assertEquals((await peer.control("welcome")).resumed, false);
});

Deno.test("SessionHost resumes after a welcome that was lost", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.dial();
  peer.hello();
  await until(() => sessions.length === 1);
  await peer.drop();
  await using again = new SessionPeer(serving.port);
  Object.assign(again, { session: peer.session, token: peer.token, attempt: 1 });
  assertEquals((await again.open({ resume: false })).resumed, true);
  assertEquals((await again.request("a")).result, {});
  assertEquals(sessions.length, 1);
});

Deno.test("SessionHost takes resume: false for a session it knows as a resume", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.request("a");
  const { resumed, received } = await peer.open({ resume: false });
  assertEquals([resumed, received], [true, 1]);
});

Deno.test("SessionHost counts sessions, also those without a connection", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { maxConnections: 2 });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  await using plain = await JsonSocket.open(serving.url);
  await plain.request("a");
  assertEquals(serving.handler.health().status, "full");

  await assertRejects(() => JsonSocket.open(serving.url));
  await using stranger = new SessionPeer(serving.port);
  await stranger.dial();
  stranger.hello();
  const { code, reason } = await stranger.control("end");
  assertEquals([code, reason], [4503, "The server is at capacity"]);
  await stranger.closed;
  assertEquals((await peer.open()).resumed, true);
  await plain.close();
  await until(() => serving.handler.health().status === "ok");
  stranger.renew();
  assertEquals((await stranger.open()).resumed, false);
});

Deno.test("SessionHost may keep more sessions than its store would by itself", async () => {
  await using serving = serve(echo, { maxConnections: 1 });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.bye();
  peer.renew();
  await peer.open();
});

Deno.test("WebSocketHandler with session: false serves plain MCP alone", async () => {
  await using serving = serve(echo, { session: false });
  await using client = await JsonSocket.open(serving.url, { protocols: ["mcp", "bowline.v1"] });
  assertEquals(client.socket.protocol, "mcp");
  assertEquals((await client.request("a", { b: 1 })).result, { b: 1 });
  assertEquals(serving.handler.sessions.values().next().value!.protocol, "mcp");
  client.send('["hello",{}]');
  assertEquals((await client.next()).error.code, -32600);
});

Deno.test("SessionHost tells no token, whatever happens", async () => {
  const { logger, lines } = recordLog();
  const errors: Error[] = [];
  await using serving = serve(echo, { logger, onError: (error) => errors.push(error) });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.request("a");
  await peer.drop();
  await peer.open();
  await using thief = new SessionPeer(serving.port);
  await thief.dial();
  thief.hello({ token: peer.token, attempt: 1 });
  await thief.control("end");
  await thief.closed;
  peer.write("garbage");
  await peer.control("end");
  await peer.closed;
  await until(() => errors.length === 1);
  const log = lines.join("\n");
  assertMatch(log, new RegExp(`debug Session ${peer.session} was opened`));
  assertMatch(log, new RegExp(`debug Session ${peer.session} goes on over a new connection`));
  const told = [log, ...errors.map(({ message, stack }) => `${message} ${stack}`), ...peer.frames];
  for (const text of told) assert(!text.includes(peer.token));
});

Deno.test("WebSocketHandler.fetch() answers 500 when principalOf throws", async () => {
  const errors: Error[] = [];
  await using serving = serve(echo, {
    principalOf() {
      throw new TypeError("oops");
    },
    onError: (error) => errors.push(error),
  });
  const { socket, head } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  assertEquals(head.status, 500);
  socket.close();
  assertEquals(errors.map(({ message }) => message), ["oops"]);
  assertEquals(await serving.isListening(), true);
});
