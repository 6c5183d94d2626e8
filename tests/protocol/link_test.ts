import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { systemClock } from "../../protocol/clock.ts";
import { type CloseInfo, errorText, Link } from "../../protocol/link.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { nextEvent, openPair, openRawPair, swallow } from "./_sockets.ts";
import { isPending, until } from "../support/until.ts";

interface Listening {
  readonly link: Link;
  readonly frames: unknown[];
  readonly ends: CloseInfo[];
  readonly closed: Promise<CloseInfo>;
}

const MEBIBYTE = "x".repeat(1024 * 1024);

/** Sends more than the buffers of both kernels hold (about 6 MiB on Linux). */
function congest(link: Link): void {
  for (let i = 0; i < 16; i++) link.send(MEBIBYTE);
}

function listen(socket: WebSocket, clock = systemClock): Listening {
  const frames: unknown[] = [];
  const ends: CloseInfo[] = [];
  const { promise, resolve } = Promise.withResolvers<CloseInfo>();
  const link = new Link(socket, {
    frame: (data) => frames.push(data),
    closed: (info) => {
      ends.push(info);
      resolve(info);
    },
  }, clock);
  return { link, frames, ends, closed: promise };
}

Deno.test("Link hands on frames in order, text and binary", async () => {
  await using pair = await openPair();
  const { link, frames } = listen(pair.client);
  pair.server.send("one");
  pair.server.send(new Uint8Array([1]));
  pair.server.send("two");
  await until(() => frames.length === 3);
  assertEquals([frames[0], frames[2]], ["one", "two"]);
  assertNotEquals(typeof frames[1], "string");
  assert(link.isOpen);
  assertEquals([link.protocol, link.bufferedAmount], ["", 0]);
});

Deno.test("Link.adopt() takes a socket that is open", async () => {
  await using pair = await openPair();
  const frames: unknown[] = [];
  const events = { frame: (data: unknown) => frames.push(data), closed() {} };
  assert(Link.adopt(pair.client, events, systemClock).isOpen);
  pair.server.send("one");
  await until(() => frames.length === 1);
});

Deno.test("Link.adopt() takes the handlers of the socket over", async () => {
  await using pair = await openPair();
  const before: unknown[] = [];
  const frames: unknown[] = [];
  pair.client.onmessage = ({ data }) => before.push(data);
  const link = Link.adopt(
    pair.client,
    { frame: (data) => frames.push(data), closed() {} },
    systemClock,
  );
  assertEquals(pair.client.onmessage, null);
  pair.server.send("one");
  await until(() => frames.length === 1);
  assertEquals(before, []);
  link.abandon();
});

Deno.test("Link says which of several it is", async () => {
  await using first = await openPair();
  await using second = await openPair();
  const heard: [string, Link][] = [];
  const events = {
    frame: (data: string | ArrayBuffer, from: Link) => heard.push([String(data), from]),
    closed() {},
  };
  const links = [first, second].map(({ client }) => new Link(client, events, systemClock));
  first.server.send("a");
  await until(() => heard.length === 1);
  second.server.send("b");
  await until(() => heard.length === 2);
  assertEquals(heard.map(([data]) => data), ["a", "b"]);
  assert(heard[0]?.[1] === links[0] && heard[1]?.[1] === links[1]);
});

Deno.test("Link.adopt() refuses a socket that has ended", async () => {
  const pair = await openPair();
  await pair[Symbol.asyncDispose]();
  const events = { frame() {}, closed() {} };
  assertThrows(
    () => Link.adopt(pair.client, events, systemClock),
    TypeError,
    "Cannot adopt socket: it is not open",
  );
});

Deno.test("Link.send() sends a text frame", async () => {
  await using pair = await openPair();
  const { link } = listen(pair.client);
  const { frames } = listen(pair.server);
  link.send("one");
  link.send("");
  await until(() => frames.length === 2);
  assertEquals(frames, ["one", ""]);
});

Deno.test("Link tells how the peer closed", async () => {
  await using pair = await openPair();
  const { link, closed } = listen(pair.client);
  pair.server.close(4001, "enough");
  assertEquals(await closed, { code: 4001, reason: "enough" });
  assertEquals(link.isOpen, false);
});

Deno.test("Link tells the end once, although the runtime tells it twice", async () => {
  await using pair = await openPair();
  const { ends, closed } = listen(pair.client);
  pair.server.close(4001, "enough");
  await closed;
  pair.client.dispatchEvent(new CloseEvent("close", { code: 1005 }));
  assertEquals(ends.length, 1);
});

Deno.test("Link tells in the runtime's words what broke the connection", async () => {
  await using pair = await openRawPair();
  const { ends, closed } = listen(pair.client);
  // No extension gave the reserved bits a meaning (RFC 6455, 5.2).
  await pair.connection.write(new Uint8Array([0xf1, 0]));
  const { code, reason } = await closed;
  assert([0, 1002, 1006].includes(code), String(code));
  assertNotEquals(reason, "");
  assertEquals(ends.length, 1);
});

Deno.test("Link tells the end of a connection that was cut", async () => {
  await using pair = await openRawPair();
  const { ends, closed } = listen(pair.client);
  await pair[Symbol.asyncDispose]();
  assert([0, 1006].includes((await closed).code));
  assertEquals(ends.length, 1);
});

Deno.test("Link.close() closes both ends with its code and reason", async () => {
  await using pair = await openPair();
  const { link, ends, closed } = listen(pair.client);
  const server = listen(pair.server);
  link.close(4002, "garbage");
  assertEquals(link.isOpen, false);
  assertEquals(await closed, { code: 4002, reason: "garbage" });
  assertEquals(await server.closed, { code: 4002, reason: "garbage" });
  assertEquals(ends.length, 1);
});

Deno.test("Link.close() counts the first time only", async () => {
  await using pair = await openPair();
  const { link, ends, closed } = listen(pair.client);
  const server = listen(pair.server);
  link.close(4002, "first");
  link.close(4003, "second");
  await closed;
  link.close(4003, "third");
  assertEquals((await server.closed).reason, "first");
  assertEquals(ends.length, 1);
});

Deno.test("Link.close() is told as it was meant, although the peer cuts the connection", async () => {
  await using pair = await openRawPair();
  const { link, ends, closed } = listen(pair.client);
  link.close(4002, "garbage");
  await pair[Symbol.asyncDispose]();
  assertEquals(await closed, { code: 4002, reason: "garbage" });
  assertEquals(ends.length, 1);
});

Deno.test("Link.close() shortens its reason to what fits", async () => {
  await using pair = await openPair();
  const { link } = listen(pair.client);
  const server = listen(pair.server);
  link.close(4002, "ä".repeat(100));
  assertEquals((await server.closed).reason, "ä".repeat(61));
});

for (const code of [1002, 1005, 99_999, NaN]) {
  Deno.test(`Link.close() leaves out ${code}, which a client may not send, and closes`, async () => {
    await using pair = await openPair();
    const { link, ends, closed } = listen(pair.client);
    const server = listen(pair.server);
    link.close(code, "why");
    assertEquals((await server.closed).code, 1005);
    await closed;
    assertEquals(ends.length, 1);
  });
}

Deno.test("Link.close() waits one second for a silent peer, and no longer", async () => {
  await using pair = await openRawPair();
  const clock = new ManualClock();
  const { link, ends } = listen(pair.client, clock);
  link.close(1000, "done");
  clock.advance(999);
  assertEquals(ends, []);
  clock.advance(1);
  assertEquals(ends, [{ code: 1000, reason: "done" }]);
  await pair[Symbol.asyncDispose]();
  assertEquals([ends.length, clock.timers], [1, 0]);
});

Deno.test("Link.close() leaves no timer behind a peer that answers", async () => {
  await using pair = await openPair();
  const clock = new ManualClock();
  const { link, closed } = listen(pair.client, clock);
  link.close(1000, "done");
  await closed;
  assertEquals(clock.timers, 0);
});

Deno.test("Link.send() drops what comes after the end", async () => {
  await using pair = await openPair();
  const { link, closed } = listen(pair.client);
  const { frames, closed: serverClosed } = listen(pair.server);
  link.send("before");
  link.close(1000, "done");
  link.send("while closing");
  await closed;
  link.send("after");
  await serverClosed;
  assertEquals(frames, ["before"]);
});

Deno.test("Link.abandon() says nothing more, and lets the socket close", async () => {
  await using pair = await openPair();
  const { link, frames, ends } = listen(pair.client);
  const closed = nextEvent(pair.client, "close");
  pair.server.send("late");
  link.abandon();
  link.abandon();
  link.send("dropped");
  link.close(1000, "dropped");
  assertEquals(link.isOpen, false);
  await closed;
  assertEquals([frames, ends], [[], []]);
});

Deno.test("Link.abandon() says its code, and leaves out what this end may not send", async () => {
  for (const [code, seen] of [[4409, 4409], [1001, 1005]] as const) {
    await using pair = await openPair();
    const { link } = listen(pair.client);
    const closed = nextEvent(pair.server, "close");
    link.abandon(code, "Replaced");
    assertEquals((await closed as CloseEvent).code, seen);
  }
});

Deno.test("Link.redirect() tells somebody else, once the end as well", async () => {
  await using pair = await openPair();
  const { link, frames, ends } = listen(pair.client);
  const others: unknown[] = [];
  const ended = Promise.withResolvers<CloseInfo>();
  link.redirect({ frame: (data) => others.push(data), closed: ended.resolve });
  pair.server.send("a");
  pair.server.close(4000);
  assertEquals((await ended.promise).code, 4000);
  assertEquals([others, frames, ends], [["a"], [], []]);
  link.redirect({ frame: () => {}, closed: () => ends.push({ code: 0, reason: "" }) });
  link.close(1000, "");
  assertEquals(ends, []);
});

Deno.test("Link.abandon() ends the wait for a silent peer", async () => {
  await using pair = await openRawPair();
  const clock = new ManualClock();
  const { link, ends } = listen(pair.client, clock);
  link.close(1000, "done");
  link.abandon();
  assertEquals(clock.timers, 0);
  clock.advance(1_000);
  assertEquals(ends, []);
});

Deno.test("Link.drained() resolves at once where there is room", async () => {
  await using pair = await openPair();
  const clock = new ManualClock();
  const { link } = listen(pair.client, clock);
  await link.drained();
  assertEquals([link.isCongested, clock.timers], [false, 0]);
});

Deno.test("Link.drained() waits until the peer has read, with one timer for all", async () => {
  await using pair = await openRawPair();
  const clock = new ManualClock();
  const { link } = listen(pair.client, clock);
  congest(link);
  assertGreater(link.bufferedAmount, 1024 * 1024);
  const waiting = [link.drained(), link.drained(), link.drained()];
  assertEquals(clock.timers, 1);
  clock.advance(50);
  assert(await isPending(Promise.race(waiting)));

  const swallowed = swallow(pair.connection);
  await until(() => !link.isCongested);
  clock.advance(5);
  await Promise.all(waiting);
  assertEquals(clock.timers, 0);
  await pair[Symbol.asyncDispose]();
  await swallowed;
});

Deno.test("Link.drained() can be waited for again", async () => {
  await using pair = await openRawPair();
  const { link } = listen(pair.client);
  const swallowed = swallow(pair.connection);
  for (let round = 0; round < 2; round++) {
    congest(link);
    await link.drained();
    assertEquals(link.isCongested, false);
  }
  await pair[Symbol.asyncDispose]();
  await swallowed;
});

for (
  const [title, end] of [
    ["is closed", (link: Link) => link.close(1000, "done")],
    ["is abandoned", (link: Link) => link.abandon()],
  ] as const
) {
  Deno.test(`Link.drained() resolves when the link ${title}`, async () => {
    await using pair = await openRawPair();
    const { link } = listen(pair.client);
    congest(link);
    const drained = link.drained();
    end(link);
    await drained;
    assertEquals(link.isOpen, false);
    link.abandon();
  });
}

Deno.test("Link.drained() resolves when the connection is cut", async () => {
  await using pair = await openRawPair();
  const { link, closed } = listen(pair.client);
  congest(link);
  const drained = link.drained();
  await pair[Symbol.asyncDispose]();
  await Promise.all([drained, closed]);
});

Deno.test("errorText() is the event's message, where there is one", () => {
  const event = new ErrorEvent("error", { message: "Connection refused" });
  assertStrictEquals(errorText(event), "Connection refused");
  assertStrictEquals(errorText(new Event("error")), "");
  const odd = Object.assign(new Event("error"), { message: 1 });
  assertStrictEquals(errorText(odd), "");
});
