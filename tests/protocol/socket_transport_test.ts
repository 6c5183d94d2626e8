import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { JsonRpcPeer } from "../../protocol/peer.ts";
import {
  adopt,
  SocketTransport,
  type SocketTransportOptions,
} from "../../protocol/socket_transport.ts";
import type { MessageExtra } from "../../protocol/transport.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { nextEvent, openPair, openRawPair, swallow } from "./_sockets.ts";
import { until } from "../support/until.ts";

interface Listening {
  readonly transport: SocketTransport;
  readonly messages: JsonRpcMessage[];
  readonly extras: (MessageExtra | undefined)[];
  readonly errors: Error[];
  /** How many times `onclose` was called. */
  closes(): number;
}

function listen(
  socket: WebSocket,
  options?: SocketTransportOptions,
): Listening {
  const transport = new SocketTransport(socket, options);
  const messages: JsonRpcMessage[] = [];
  const extras: (MessageExtra | undefined)[] = [];
  const errors: Error[] = [];
  let closes = 0;
  transport.onmessage = (message, extra) => {
    messages.push(message);
    extras.push(extra);
  };
  transport.onerror = (error) => errors.push(error);
  transport.onclose = () => closes++;
  return { transport, messages, extras, errors, closes: () => closes };
}

/** Counts the frames that reach the socket, whoever else listens. */
function countFrames(socket: WebSocket): () => number {
  let frames = 0;
  socket.addEventListener("message", () => frames++);
  return () => frames;
}

/** What the socket at the other end gets. */
function collect(socket: WebSocket): {
  frames: unknown[];
  closed: Promise<{ code: number; reason: string }>;
} {
  const frames: unknown[] = [];
  socket.addEventListener("message", ({ data }) => frames.push(data));
  const closed = nextEvent(socket, "close").then((event) => {
    assertInstanceOf(event, CloseEvent);
    return { code: event.code, reason: event.reason };
  });
  return { frames, closed };
}

function numbered(n: number): JsonRpcMessage {
  return { jsonrpc: "2.0", method: "x/count", params: { n } };
}

const LARGE: JsonRpcMessage = {
  jsonrpc: "2.0",
  method: "x/large",
  params: { text: "x".repeat(16 * 1024 * 1024) },
};

// Opening.

Deno.test("new SocketTransport() refuses a socket that is not open", async () => {
  const pair = await openPair();
  await pair[Symbol.asyncDispose]();
  assertThrows(
    () => new SocketTransport(pair.client),
    TypeError,
    "Cannot adopt socket: it is not open",
  );
});

Deno.test("SocketTransport carries messages both ways, in order", async () => {
  await using pair = await openPair();
  const client = listen(pair.client);
  const server = listen(pair.server, { end: "server" });
  await Promise.all([client.transport.start(), server.transport.start()]);
  for (let n = 0; n < 100; n++) {
    await client.transport.send(numbered(n));
    await server.transport.send(numbered(-n));
  }
  await until(() => client.messages.length + server.messages.length === 200);
  assertEquals(server.messages, Array.from({ length: 100 }, (_, n) => numbered(n)));
  assertEquals(client.messages, Array.from({ length: 100 }, (_, n) => numbered(-n)));
  assertEquals([client.errors, server.errors], [[], []]);
});

Deno.test("SocketTransport gives the application what it knows besides", async () => {
  await using pair = await openPair();
  const extra = { requestInfo: { headers: {} } };
  const { transport, extras } = listen(pair.server, { end: "server", extra });
  await transport.start();
  pair.client.send(JSON.stringify(numbered(1)));
  await until(() => extras.length === 1);
  assertStrictEquals(extras[0], extra);
});

Deno.test("SocketTransport has no session, and slots that can be written to", async () => {
  await using pair = await openPair();
  const transport = adopt(pair.client);
  assertEquals(transport.sessionId, undefined);
  const start = () => Promise.resolve();
  transport.start = start;
  assertStrictEquals(transport.start, start);
});

Deno.test("SocketTransport.start() delivers first what came before it", async () => {
  await using pair = await openPair();
  const { transport, messages, errors } = listen(pair.client);
  const frames = countFrames(pair.client);
  for (let n = 0; n < 1_024; n++) {
    pair.server.send(JSON.stringify(numbered(n)));
  }
  await until(() => frames() === 1_024);
  assertEquals(messages, []);
  const started = transport.start();
  assertEquals(messages, Array.from({ length: 1_024 }, (_, n) => numbered(n)));
  await started;
  pair.server.send(JSON.stringify(numbered(1_024)));
  await until(() => messages.length === 1_025);
  assertEquals([messages[1_024], errors], [numbered(1_024), []]);
});

Deno.test("SocketTransport closes if more than 1,024 messages come before start()", async () => {
  await using pair = await openPair();
  const { transport, messages, errors } = listen(pair.client);
  const { closed } = collect(pair.server);
  for (let n = 0; n < 1_100; n++) {
    pair.server.send(JSON.stringify(numbered(n)));
  }
  const told = { code: 4002, reason: "Too many messages before the start" };
  assertEquals(await closed, told);
  assertEquals(await transport.closed, told);
  assertEquals([messages.length, errors.length], [0, 1]);
  await assertRejects(() => transport.start(), MCPConnectionError);
});

Deno.test("SocketTransport holds as much before start() as one message may take", async () => {
  await using pair = await openPair();
  const text = JSON.stringify(numbered(1));
  const { transport, messages, errors } = listen(pair.client, {
    maxReceiveBytes: 2 * text.length,
  });
  const frames = countFrames(pair.client);
  const { closed } = collect(pair.server);
  pair.server.send(text);
  pair.server.send(text);
  await until(() => frames() === 2);
  assertEquals([transport.isOpen, errors], [true, []]);
  pair.server.send(text);
  assertEquals((await closed).code, 4002);
  await transport.closed;
  assertEquals([messages.length, errors.length], [0, 1]);
});

Deno.test("SocketTransport closes on a binary frame before start(), too", async () => {
  await using pair = await openPair();
  const { transport, errors } = listen(pair.client);
  pair.server.send(new Uint8Array(1));
  assertEquals((await transport.closed).code, 4003);
  assertEquals(errors.length, 1);
});

Deno.test("SocketTransport.start() after the end rejects, with onerror and onclose", async () => {
  await using pair = await openPair();
  const transport = new SocketTransport(pair.client);
  pair.server.close(4001, "enough");
  await transport.closed;
  const heard: string[] = [];
  transport.onerror = () => heard.push("error");
  transport.onclose = () => heard.push("close");
  const error = await assertRejects(
    () => transport.start(),
    MCPConnectionError,
    "Cannot start transport: the connection has ended",
  );
  assertEquals(error.code, 4001);
  assertEquals(heard, ["error", "close"]);
  await assertRejects(() => transport.start(), MCPConnectionError);
  assertEquals(heard, ["error", "close", "error"]);
});

Deno.test("SocketTransport.start() after the end does not call onclose a second time", async () => {
  await using pair = await openPair();
  const { transport, closes } = listen(pair.client);
  await transport.close();
  await assertRejects(() => transport.start(), MCPConnectionError);
  assertEquals(closes(), 1);
});

// Sending.

Deno.test("SocketTransport.send() writes one JSON-RPC object in one text frame", async () => {
  await using pair = await openPair();
  const { transport } = listen(pair.client);
  const { frames } = collect(pair.server);
  await transport.send(numbered(1), { relatedRequestId: 1 });
  await until(() => frames.length === 1);
  assertEquals(frames, [JSON.stringify(numbered(1))]);
});

Deno.test("SocketTransport.post() makes no promise where there is room", async () => {
  await using pair = await openPair();
  const { transport } = listen(pair.client);
  assertEquals(transport.post(numbered(1)), undefined);
});

for (
  const [title, message, error, text] of [
    [
      "what is no message",
      { jsonrpc: "2.0" },
      TypeError,
      "Cannot send message: ",
    ],
    [
      "what cannot be serialised",
      { jsonrpc: "2.0", method: "x", params: { n: 1n } },
      TypeError,
      "BigInt",
    ],
    [
      "what is too large",
      { jsonrpc: "2.0", method: "x", params: { text: "x".repeat(100) } },
      RangeError,
      "size must be <= 100 bytes",
    ],
  ] as const
) {
  Deno.test(`SocketTransport.send() rejects ${title}, and nothing leaves`, async () => {
    await using pair = await openPair();
    const { transport } = listen(pair.client, { maxSendBytes: 100 });
    const { frames } = collect(pair.server);
    const sent = transport.send(message as JsonRpcMessage);
    await assertRejects(() => sent, error, text);
    await transport.send(numbered(1));
    await until(() => frames.length > 0);
    assertEquals(frames, [JSON.stringify(numbered(1))]);
  });
}

Deno.test("SocketTransport.send() rejects after the end, saying that nothing was sent", async () => {
  await using pair = await openPair();
  const { transport } = listen(pair.client);
  const closed = transport.close(4001, "enough");
  assertEquals(transport.isOpen, false);
  await assertRejects(() => transport.send(numbered(1)), MCPConnectionError);
  await closed;
  const error = await assertRejects(
    () => transport.send(numbered(1)),
    MCPConnectionError,
    "Cannot send message: the connection has ended",
  );
  assertEquals([error.code, error.outcome], [4001, "not-sent"]);
  assertThrows(() => transport.post(numbered(1)), MCPConnectionError);
});

Deno.test("SocketTransport.send() waits while more than 1 MiB waits, until the peer reads", async () => {
  await using pair = await openRawPair();
  const clock = new ManualClock();
  const { transport } = listen(pair.client, { clock });
  let isSent = false;
  const sent = transport.send(LARGE).then(() => isSent = true);
  clock.advance(1_000);
  await Promise.resolve();
  assert(transport.bufferedAmount > 1024 * 1024);
  assertEquals([isSent, clock.timers], [false, 1]);

  const swallowed = swallow(pair.connection);
  await until(() => transport.bufferedAmount <= 1024 * 1024);
  clock.advance(5);
  await sent;
  assertEquals(clock.timers, 0);
  await pair[Symbol.asyncDispose]();
  await swallowed;
});

Deno.test("SocketTransport.send() does not wait for ever for a peer that reads no more", async () => {
  await using pair = await openRawPair();
  const { transport } = listen(pair.client);
  const sent = transport.send(LARGE);
  await pair[Symbol.asyncDispose]();
  await Promise.all([sent, transport.closed]);
});

Deno.test("SocketTransport gives up a peer that does not read: what waits is bounded", async () => {
  await using pair = await openRawPair();
  const { transport, errors } = listen(pair.client, { maxSendBytes: 1024 * 1024 });
  const megabyte: JsonRpcMessage = {
    jsonrpc: "2.0",
    method: "x",
    params: { text: "x".repeat(1_000_000) },
  };
  const sent: Promise<void>[] = [];
  while (transport.isOpen && sent.length < 100) sent.push(transport.send(megabyte));
  assertLess(transport.bufferedAmount, 4 * 1024 * 1024);
  assertLess(sent.length, 100);
  assertEquals(errors.map(({ message }) => message), ["The peer reads too slowly"]);
  await Promise.all(sent);
  assertEquals((await transport.closed).code, 4429);
});

// Receiving.

for (
  const [end, binary, tooBig, garbage] of [
    ["client", 4003, 4413, 4002],
    ["server", 1003, 1009, 1002],
  ] as const
) {
  const other = end === "client" ? "server" : "client";

  Deno.test(`SocketTransport of a ${end} closes with ${binary} on a binary frame`, async () => {
    await using pair = await openPair();
    const { transport, messages, errors, closes } = listen(pair[end], { end });
    const { closed } = collect(pair[other]);
    await transport.start();
    pair[other].send(new Uint8Array([123, 125]));
    assertEquals(await closed, {
      code: binary,
      reason: "Binary frames were not negotiated",
    });
    await transport.closed;
    const [error] = errors;
    assertInstanceOf(error, MCPConnectionError);
    assertEquals(
      [error.kind, error.code, error.retryable],
      ["protocol", binary, false],
    );
    assertEquals([messages.length, errors.length, closes()], [0, 1, 1]);
  });

  Deno.test(`SocketTransport of a ${end} closes with ${tooBig} on a message above its bound`, async () => {
    await using pair = await openPair();
    const text = JSON.stringify(numbered(1));
    const { transport, messages, errors } = listen(pair[end], {
      end,
      maxReceiveBytes: text.length,
    });
    const { closed } = collect(pair[other]);
    await transport.start();
    pair[other].send(text);
    pair[other].send(text + " ");
    assertEquals((await closed).code, tooBig);
    await transport.closed;
    assertEquals([messages.length, errors.length], [1, 1]);
  });

  Deno.test(`SocketTransport of a ${end} answers garbage, and closes with ${garbage} at the tenth in a row`, async () => {
    await using pair = await openPair();
    const { transport, errors } = listen(pair[end], { end });
    const { frames, closed } = collect(pair[other]);
    await transport.start();
    for (let i = 0; i < 10; i++) pair[other].send("garbage");
    assertEquals(await closed, {
      code: garbage,
      reason: "10 invalid messages in a row",
    });
    await transport.closed;
    assertEquals(errors.length, 10);
    assertEquals(
      frames.map((frame) => JSON.parse(String(frame))),
      Array(9).fill({
        jsonrpc: "2.0",
        error: { code: -32700, message: "Parse error: the text is not JSON" },
      }),
    );
  });
}

Deno.test("SocketTransport listens no more to a peer that broke the protocol", async () => {
  await using pair = await openPair();
  const { transport, messages, errors } = listen(pair.client);
  await transport.start();
  for (let i = 0; i < 30; i++) pair.server.send("garbage");
  pair.server.send(JSON.stringify(numbered(1)));
  assertEquals((await transport.closed).code, 4002);
  assertEquals([messages.length, errors.length], [0, 10]);
});

Deno.test("SocketTransport survives nine bad frames, and answers each", async () => {
  await using pair = await openPair();
  const { transport, messages, errors } = listen(pair.server, {
    end: "server",
  });
  const { frames } = collect(pair.client);
  await transport.start();
  for (let id = 0; id < 9; id++) {
    pair.client.send(`{"jsonrpc":"1.0","id":${id},"method":"x"}`);
  }
  pair.client.send(JSON.stringify(numbered(1)));
  await until(() => frames.length === 9 && messages.length === 1);
  assertEquals(
    frames.map((frame) => JSON.parse(String(frame)).id),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  assertEquals(errors.length, 9);
  assert(errors.every((error) => error instanceof MCPRpcError));
  assert(transport.isOpen);
});

Deno.test("SocketTransport never answers an answer", async () => {
  await using pair = await openPair();
  const { transport, messages } = listen(pair.server, { end: "server" });
  const { frames } = collect(pair.client);
  await transport.start();
  pair.client.send('{"jsonrpc":"2.0","id":7,"result":null}');
  await until(() => messages.length === 1);
  await transport.send(numbered(1));
  await until(() => frames.length > 0);
  assertEquals(frames, [JSON.stringify(numbered(1))]);
});

for (
  const [title, fail] of [
    ["throws", () => {
      throw new RangeError("listener");
    }],
    ["rejects", () => Promise.reject(new RangeError("listener"))],
    [
      "throws what is no error",
      () => {
        throw "listener";
      },
    ],
  ] as const
) {
  Deno.test(`SocketTransport reports an onmessage that ${title}, and goes on`, async () => {
    await using pair = await openPair();
    const { transport, errors } = listen(pair.client);
    let messages = 0;
    transport.onmessage = () => {
      messages++;
      return fail();
    };
    await transport.start();
    pair.server.send(JSON.stringify(numbered(1)));
    pair.server.send(JSON.stringify(numbered(2)));
    await until(() => messages === 2 && errors.length === 2);
    assertEquals(errors.map(({ message }) => message), [
      "listener",
      "listener",
    ]);
  });

  Deno.test(`SocketTransport is not harmed by an onerror that ${title}`, async () => {
    await using pair = await openPair();
    const { transport, messages } = listen(pair.client);
    transport.onerror = fail;
    await transport.start();
    pair.server.send("garbage");
    pair.server.send(JSON.stringify(numbered(1)));
    await until(() => messages.length === 1);
    assert(transport.isOpen);
  });

  Deno.test(`SocketTransport reports an onclose that ${title}`, async () => {
    await using pair = await openPair();
    const { transport, errors } = listen(pair.client);
    transport.onclose = fail;
    await transport.close();
    await until(() => errors.length === 1);
    assertEquals(errors[0]?.message, "listener");
  });
}

Deno.test("SocketTransport needs no listeners", async () => {
  await using pair = await openPair();
  const transport = new SocketTransport(pair.client);
  await transport.start();
  pair.server.send(JSON.stringify(numbered(1)));
  pair.server.send("garbage");
  pair.server.send(new Uint8Array(1));
  assertEquals((await transport.closed).code, 4003);
});

// Closing.

Deno.test("SocketTransport calls onclose once when the peer closes", async () => {
  await using pair = await openPair();
  const { transport, errors, closes } = listen(pair.client);
  await transport.start();
  pair.server.close(1001, "restart");
  assertEquals(await transport.closed, { code: 1001, reason: "restart" });
  pair.client.dispatchEvent(new CloseEvent("close", { code: 1005 }));
  await transport.close();
  assertEquals([errors.length, closes()], [0, 1]);
});

Deno.test("SocketTransport calls onclose once when the connection is cut", async () => {
  await using pair = await openRawPair();
  const { transport, closes } = listen(pair.client);
  await transport.start();
  await pair[Symbol.asyncDispose]();
  assert([0, 1006].includes((await transport.closed).code));
  assertEquals(closes(), 1);
});

Deno.test("SocketTransport.close() closes with 1000, before start() as well", async () => {
  await using pair = await openPair();
  const { transport, closes } = listen(pair.client);
  const { closed } = collect(pair.server);
  await transport.close();
  assertEquals((await closed).code, 1000);
  assertEquals([transport.isOpen, closes()], [false, 1]);
});

Deno.test("SocketTransport.close() can be called twice, also at once", async () => {
  await using pair = await openPair();
  const { transport, closes } = listen(pair.client);
  const { closed } = collect(pair.server);
  await Promise.all([
    transport.close(4001, "first"),
    transport.close(4002, "second"),
  ]);
  await transport.close();
  assertEquals(await closed, { code: 4001, reason: "first" });
  assertEquals(closes(), 1);
});

Deno.test("SocketTransport.close() can be called from every listener", async () => {
  await using pair = await openPair();
  const { transport } = listen(pair.client);
  let closes = 0;
  transport.onclose = () => {
    closes++;
    transport.close();
  };
  transport.onmessage = () => transport.close();
  transport.onerror = () => transport.close();
  await transport.start();
  pair.server.send("garbage");
  pair.server.send(JSON.stringify(numbered(1)));
  await transport.closed;
  assertEquals(closes, 1);
});

Deno.test("SocketTransport.close() takes a second towards a silent peer", async () => {
  await using pair = await openRawPair();
  const { transport, closes } = listen(pair.client);
  const start = performance.now();
  await transport.close();
  const elapsed = performance.now() - start;
  assert(elapsed >= 990, `${elapsed} ms`);
  assertLess(elapsed, 2_000);
  assertEquals(closes(), 1);
  await pair[Symbol.asyncDispose]();
  assertEquals(closes(), 1);
});

Deno.test("SocketTransport is closed at the end of its scope", async () => {
  await using pair = await openPair();
  const { closed } = collect(pair.server);
  {
    await using transport = adopt(pair.client);
    await transport.start();
  }
  assertEquals((await closed).code, 1000);
});

// All together.

Deno.test("adopt() connects two peers over one socket, whoever dialled", async () => {
  await using pair = await openPair();
  const ends = [adopt(pair.client), adopt(pair.server, { end: "server" })];
  const [client, server] = ends.map((transport) => {
    const peer = new JsonRpcPeer({
      send: (message, options) => transport.post(message, options),
    });
    transport.onmessage = (message, extra) => peer.receive(message, extra);
    transport.onclose = () => peer.close();
    return peer;
  });
  assert(client !== undefined && server !== undefined);
  await Promise.all(ends.map((transport) => transport.start()));
  for (const peer of [client, server]) {
    peer.handle("double", ({ n }) => ({ n: 2 * Number(n) }));
    peer.handle("wait", () => new Promise(() => {}));
  }
  const answers = Array.from(
    { length: 100 },
    (_, n) => (n % 2 ? client : server).request("double", { n }),
  );
  assertEquals(
    await Promise.all(answers),
    Array.from({ length: 100 }, (_, n) => ({ n: 2 * n })),
  );
  const lost = client.request("wait");
  await ends[1]?.close();
  const error = await assertRejects(() => lost, MCPConnectionError);
  assertMatch(error.message, /connection was closed/);
});
