import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Throttle } from "../../protocol/channel.ts";
import { systemClock } from "../../protocol/clock.ts";
import { MCPError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { type CloseInfo, Link } from "../../protocol/link.ts";
import { PlainChannel } from "../../protocol/plain_channel.ts";
import { SocketTransport } from "../../protocol/socket_transport.ts";
import { until } from "../support/until.ts";
import { nextEvent, openPair } from "./_sockets.ts";

const OPTIONS = {
  end: "server",
  maxSendBytes: 1_000,
  maxReceiveBytes: 1_000,
  clock: systemClock,
} as const;

function createChannel(socket: WebSocket, frames?: readonly string[], throttle?: Throttle) {
  const messages: JsonRpcMessage[] = [];
  const faults: string[] = [];
  const closed = Promise.withResolvers<CloseInfo>();
  const unheard = { frame: () => {}, closed: () => {} };
  const channel = new PlainChannel(
    new Link(socket, unheard, systemClock),
    {
      message: (message) => messages.push(message),
      fault: ({ message }) => faults.push(message),
      closed: closed.resolve,
    },
    { ...OPTIONS, throttle },
    frames,
  );
  return { channel, messages, faults, closed: closed.promise };
}

function note(method: string): string {
  return JSON.stringify({ jsonrpc: "2.0", method });
}

Deno.test("PlainChannel delivers first what came in before it was made, then what came since", async () => {
  await using pair = await openPair();
  const { channel, messages } = createChannel(pair.server, [note("a"), note("b")]);
  pair.client.send(note("c"));
  await nextEvent(pair.server, "message");
  assertEquals(messages, []);
  channel.listen();
  pair.client.send(note("d"));
  await until(() => messages.length === 4);
  assertEquals(messages.map((message) => "method" in message && message.method), [
    ..."abcd",
  ]);
});

Deno.test("PlainChannel is as open as its socket, and keeps nothing for the peer", async () => {
  await using pair = await openPair();
  const { channel, closed } = createChannel(pair.server);
  assertEquals([channel.protocol, channel.isOpen, channel.isAttached], ["mcp", true, true]);
  assertEquals([channel.bufferedMessages, channel.bufferedAmount], [undefined, 0]);
  pair.client.close(4000, "Bye");
  assertEquals(await closed, { code: 4000, reason: "Bye" });
  assertEquals([channel.isOpen, channel.isAttached], [false, false]);
});

Deno.test("PlainChannel cannot confirm a delivery, and sends nothing then", async () => {
  await using pair = await openPair();
  const { channel } = createChannel(pair.server);
  assertThrows(
    () => channel.send(note("a"), undefined, { delivered: true }),
    MCPError,
    "Cannot confirm delivery",
  );
  const received = nextEvent(pair.client, "message");
  channel.send(note("b"));
  assertEquals((await received as MessageEvent).data, note("b"));
});

Deno.test("PlainChannel cannot ask its peer to move", async () => {
  await using pair = await openPair();
  const { channel } = createChannel(pair.server);
  assertEquals(channel.retire(), false);
});

Deno.test("SocketTransport says the same of a plain peer", async () => {
  await using pair = await openPair();
  await using transport = new SocketTransport(pair.server, { end: "server" });
  assertEquals([transport.protocol, transport.isAttached], ["mcp", true]);
  assertEquals(transport.bufferedMessages, undefined);
  assertEquals(transport.retire(1_000, "Moving house"), false);
  await assertRejects(
    () => transport.send({ jsonrpc: "2.0", method: "a" }, { delivered: true }),
    MCPError,
    "Cannot confirm delivery",
  );
});

Deno.test("new SocketTransport() refuses a socket that has negotiated sessions", () => {
  const socket = { protocol: "bowline.v1", readyState: WebSocket.OPEN } as WebSocket;
  assertThrows(() => new SocketTransport(socket), TypeError, 'it negotiated "bowline.v1"');
});

Deno.test("PlainChannel asks its throttle for every frame of text, before anybody listens too, and closes with 4429", async () => {
  await using pair = await openPair();
  const asked: unknown[] = [];
  const take = (frame: string, messages: number) => {
    asked.push([frame, messages]);
    return asked.length > 2 ? 1_001 : 0;
  };
  const { channel, messages, faults, closed } = createChannel(pair.server, [], { take });
  pair.client.send(note("a"));
  await nextEvent(pair.server, "message");
  channel.listen();
  pair.client.send(note("b"));
  pair.client.send(note("c"));
  const reason = "Too much traffic; retry-after=2";
  assertEquals(await closed, { code: 4429, reason });
  assertEquals([messages.length, faults], [2, [reason]]);
  assertEquals(asked, ["a", "b", "c"].map((method) => [note(method), 1]));
});
