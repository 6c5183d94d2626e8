import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { type MessageExtra, WebSocketServerTransport } from "../../server/mod.ts";
import { openPair } from "../protocol/_sockets.ts";
import type { WebSocketHandlerOptions } from "../../server/mod.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { OPCODES, RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { serve, type Serving, until } from "./_serving.ts";

/** One session that does nothing by itself, and its client. */
async function openSession(
  options: WebSocketHandlerOptions = {},
  headers: HeadersInit = {},
): Promise<{ serving: Serving; client: JsonSocket; session: WebSocketServerTransport }> {
  const opened = Promise.withResolvers<WebSocketServerTransport>();
  const serving = serve(async (session) => {
    await session.start();
    opened.resolve(session);
  }, options);
  const client = await JsonSocket.open(serving.url, { headers });
  return { serving, client, session: await opened.promise };
}

Deno.test("WebSocketServerTransport knows where its client comes from", async () => {
  const { serving, client, session } = await openSession({}, { "X-Tenant": "a" });
  await using _ = serving;
  assertMatch(session.id, /^[0-9A-HJKMNP-TV-Z]{26}$/);
  assertEquals(session.sessionId, session.id);
  assertEquals(session.request?.remoteAddress, "127.0.0.1");
  assertEquals(session.request?.headers.get("X-Tenant"), "a");
  assertEquals(Math.abs(Date.now() - session.connectedAt) < 10_000, true);
  await client.close();
});

Deno.test("WebSocketServerTransport gives both SDKs' extras, made once and copied along", async () => {
  const { serving, client, session } = await openSession({}, { "Authorization": "Bearer a" });
  await using _ = serving;
  const extras: (MessageExtra | undefined)[] = [];
  session.onmessage = (_message, extra) => extras.push(extra);
  client.notify("a");
  client.notify("b");
  await until(() => extras.length === 2);
  const [first, second] = extras;
  assertEquals(first === second, true);
  assertEquals(first?.request === second?.request, true);
  assertEquals(first?.request?.url, serving.url.replace("ws:", "http:"));
  assertEquals(first?.request?.headers.get("Authorization"), "Bearer a");
  const copy = { ...first };
  assertEquals(copy.requestInfo?.headers.authorization, "Bearer a");
  assertEquals(copy.requestInfo?.url?.pathname, "/mcp");
  await client.close();
});

Deno.test("WebSocketServerTransport counts messages and notes activity", async () => {
  let now = 5;
  const clock = { now: () => now, after: () => ({ clear() {} }) };
  const { serving, client, session } = await openSession({ clock });
  const received = Promise.withResolvers<void>();
  session.onmessage = () => received.resolve();
  assertEquals([session.connectedAt, session.lastActivity], [5, 5]);
  now = 9;
  client.notify("a");
  await received.promise;
  await session.send({ jsonrpc: "2.0", method: "b" });
  session.post({ jsonrpc: "2.0", method: "c" });
  assertEquals(session.relay('{"jsonrpc":"2.0","method":"d"}'), true);
  assertEquals([session.connectedAt, session.lastActivity], [5, 9]);
  assertEquals([session.messagesIn, session.messagesOut], [1, 3]);
  for (const method of ["b", "c", "d"]) assertEquals((await client.next()).method, method);
  await client.close();
  await serving[Symbol.asyncDispose]();
});

Deno.test("WebSocketServerTransport.running counts requests until they are answered or cancelled", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  for (let i = 0; i < 3; i++) client.ask("a");
  client.ask("subscriptions/listen");
  await until(() => session.messagesIn === 4);
  assertEquals(session.running, 3);
  await session.send({ jsonrpc: "2.0", id: 1, result: {} });
  await session.send({ jsonrpc: "2.0", id: 2, error: { code: 1, message: "no" } });
  assertEquals(session.running, 1);
  const idle = session.idle();
  client.notify("notifications/cancelled", { requestId: 3 });
  await idle;
  assertEquals(session.running, 0);
  await client.close();
});

Deno.test("WebSocketServerTransport.idle() resolves when the client leaves", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  client.ask("a");
  await until(() => session.running === 1);
  const idle = session.idle(new AbortController().signal);
  await client.close();
  await idle;
});

Deno.test("WebSocketServerTransport answers requests above maxInFlight with -32603", async () => {
  const { serving, client, session } = await openSession({ maxInFlight: 2 });
  await using _ = serving;
  const methods: unknown[] = [];
  session.onmessage = (message) => methods.push("method" in message && message.method);
  client.ask("a");
  client.ask("subscriptions/listen");
  client.ask("b");
  assertEquals(await client.next(), {
    jsonrpc: "2.0",
    id: 3,
    error: {
      code: -32603,
      message: "More than 2 requests are in flight",
      data: { limit: 2 },
    },
  });
  await session.send({ jsonrpc: "2.0", id: 1, result: {} });
  client.ask("c");
  await until(() => methods.length === 3);
  assertEquals(methods, ["a", "subscriptions/listen", "c"]);
  await client.close();
});

Deno.test("WebSocketServerTransport.disconnect() tells the client why", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  await session.disconnect("You have been idle", 4000);
  assertEquals(await client.closed, { code: 4000, reason: "You have been idle" });
  assertEquals(session.relay("{}"), false);
  await assertRejects(() => session.send({ jsonrpc: "2.0", method: "a" }));
});

Deno.test("WebSocketServerTransport.disconnect() by default tells the client not to come back", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  await session.disconnect("Bye");
  assertEquals(await client.closed, { code: 1000, reason: "Bye" });
});

Deno.test("WebSocketServerTransport.close() refuses reserved codes", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  await assertRejects(() => session.close(1006), RangeError, "current value is 1006");
  assertEquals(session.isOpen, true);
  await client.close();
});

Deno.test("WebSocketServerTransport calls onclose once, whoever closes", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  let closes = 0;
  session.onclose = () => closes++;
  await client.close();
  await session.closed;
  await session.close();
  assertEquals(closes, 1);
});

Deno.test("WebSocketServerTransport closes with 1003 at a binary frame", async () => {
  const { serving, client } = await openSession();
  await using _ = serving;
  client.socket.send(new Uint8Array([1, 2]));
  assertEquals(await client.closed, { code: 1003, reason: "Binary frames were not negotiated" });
});

Deno.test("WebSocketServerTransport closes with 1009 at a message that is too large", async () => {
  const { serving, client } = await openSession({ maxMessageBytes: 1_000 });
  await using _ = serving;
  client.notify("a", { text: "x".repeat(1_000) });
  assertEquals(await client.closed, { code: 1009, reason: "Message larger than 1000 bytes" });
});

Deno.test("WebSocketServerTransport closes with 1002 at the tenth invalid frame in a row", async () => {
  const { serving, client } = await openSession();
  await using _ = serving;
  for (let i = 0; i < 9; i++) client.send("garbage");
  for (let i = 0; i < 9; i++) {
    const { id, error } = await client.next();
    assertEquals([id, error.code], [undefined, -32700]);
  }
  client.notify("a");
  for (let i = 0; i < 9; i++) client.send("garbage");
  for (let i = 0; i < 9; i++) assertEquals((await client.next()).error.code, -32700);
  client.send("garbage");
  assertEquals((await client.closed).code, 1002);
});

Deno.test("WebSocketServerTransport.send() refuses what is too large or no message", async () => {
  const { serving, client, session } = await openSession({ maxSendBytes: 100 });
  await using _ = serving;
  const big = { jsonrpc: "2.0", method: "x".repeat(100) } as const;
  await assertRejects(() => session.send(big), RangeError, "<= 100 bytes");
  assertThrows(() => session.post({} as never), TypeError);
  assertEquals(session.messagesOut, 0);
  await client.close();
});

Deno.test("WebSocketServerTransport survives listeners that throw", async () => {
  const { serving, client, session } = await openSession();
  await using _ = serving;
  const errors: string[] = [];
  session.onmessage = () => {
    throw new Error("message");
  };
  session.onerror = (error) => {
    errors.push(error.message);
    throw new Error("error");
  };
  session.onclose = () => {
    throw new Error("close");
  };
  client.notify("a");
  client.send("garbage");
  assertEquals((await client.next()).error.code, -32700);
  await client.close();
  await session.closed;
  assertEquals(errors[0], "message");
  assertEquals(errors.at(-1), "close");
});

Deno.test("WebSocketServerTransport gives up on a peer that never answers its close", async () => {
  const sessions: WebSocketServerTransport[] = [];
  await using serving = serve((session) => void sessions.push(session));
  const { socket } = await RawSocket.request(serving.port, UPGRADE_HEADERS);
  using _ = socket;
  await until(() => sessions.length === 1);
  const started = Date.now();
  await sessions[0]!.disconnect("Bye");
  assertEquals(Date.now() - started < 1_500, true);
  assertEquals((await socket.readFrame()).opcode, OPCODES.CLOSE);
  assertEquals(serving.handler.sessions.size, 0);
});

Deno.test("WebSocketServerTransport tells its end once, after onclose", async () => {
  const told: string[] = [];
  await using pair = await openPair();
  const transport = new WebSocketServerTransport(pair.server, {
    onEnd: ({ code }, ended) => told.push(`onEnd ${code} ${ended === transport}`),
  });
  transport.onclose = () => told.push("onclose");
  await transport.start();
  await transport.close(4000, "enough");
  await transport.close();
  assertEquals(told, ["onclose", "onEnd 4000 true"]);
  assertEquals((await transport.closed).code, 4000);
});
