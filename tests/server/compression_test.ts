import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import type { Codec } from "../../protocol/session/codec.ts";
import { noCompression } from "../../protocol/session/compression_totals.ts";
import { Compression } from "../../server/compression.ts";
import { createWebSocketHandler, type WebSocketServerTransport } from "../../server/mod.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { image, toolList } from "../support/compressible.ts";
import type { Json } from "../support/json_socket.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { collectSessions, echo, note, serve } from "./_serving.ts";

const DEFLATE = { accept: ["deflate"] };
const BOTH = { session: { compression: { receive: true } } };
const LARGE = { text: toolList(20_000) };

/** A binary frame of a text. */
const deflated = (text: string | Uint8Array, kind = 1) =>
  new Uint8Array([kind, ...deflateRawSync(text)]);
const requestText = (id: number, params: Json) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "x", params });
const broadcast = (sessions: WebSocketServerTransport[], message: JsonRpcMessage) =>
  sessions.forEach((session) => session.post(message));

Deno.test("a server sends deflated to whom asks for it, and the same to all others as text", async () => {
  await using serving = serve();
  for (const [changes, binary] of [[DEFLATE, 1], [{}, 0], [{ accept: ["brotli"] }, 0]] as const) {
    await using peer = new SessionPeer(serving.port);
    await peer.open(changes);
    assertEquals((await peer.request("x", LARGE)).result, LARGE);
    assertEquals(peer.binary.length, binary, JSON.stringify(changes));
    await peer.bye();
  }
});

Deno.test("a server sends a tenth of a list of tools", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  await peer.open(DEFLATE);
  const text = toolList(64 * 1024);
  await peer.request("x", JSON.parse(text).result);
  const [frame] = peer.binary;
  assert(frame !== undefined && frame.length * 10 < text.length, `${frame?.length} bytes`);
  await peer.bye();
});

Deno.test("a server sends nothing deflated where session.compression is false", async () => {
  await using serving = serve(echo, { session: { compression: false } });
  await using peer = new SessionPeer(serving.port);
  const welcome = await peer.open(DEFLATE);
  await peer.request("x", LARGE);
  assertEquals([welcome.accept, peer.binary.length], [[], 0]);
  await peer.bye();
});

Deno.test("a server keeps the order of deflated frames, pieces and text", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open(DEFLATE);
  const picture = image(3_000);
  const texts = ["a", toolList(3_000), picture, "b", toolList(300_000), "c", toolList(30_000)];
  for (const text of texts) {
    await sessions[0]?.post({ jsonrpc: "2.0", method: "n", params: { text } });
  }
  for (const text of texts) assertEquals((await peer.next()).params.text, text);
  assert(peer.binary.length >= 4, `${peer.binary.length} frames`);
  assert(peer.frames.some((frame) => frame.startsWith("+")));
  await peer.bye();
});

Deno.test("Compression deflates what many clients get once for all of them", () => {
  let deflations = 0;
  const codec: Codec = {
    deflate: (text) => {
      deflations++;
      return new Uint8Array(deflateRawSync(text));
    },
    inflate: () => "",
  };
  const settings = { threshold: 1_024, receive: false };
  const compression = new Compression(settings, noCompression(), codec);
  const sent: unknown[] = [];
  for (let client = 0; client < 1_000; client++) {
    const wire = {
      send: (frame: string | Uint8Array) => sent.push(frame),
      isCongested: false,
      bufferedAmount: 0,
    };
    compression.wrap(wire, ["deflate"]).send(LARGE.text);
  }
  assertEquals([deflations, sent.length, new Set(sent).size], [1, 1_000, 1]);
});

Deno.test("a server sends the same deflated frame to all receivers of a broadcast", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  const peers = Array.from({ length: 5 }, () => new SessionPeer(serving.port));
  for (const peer of peers) await peer.open(DEFLATE);
  const message = { jsonrpc: "2.0", method: "n", params: LARGE } as const;
  broadcast(sessions, message);
  const heard = await Promise.all(peers.map((peer) => peer.next()));
  assertEquals(heard.map(({ params }) => params), peers.map(() => LARGE));
  const frames = peers.map(({ binary }) => binary);
  assertEquals(frames, frames.map(() => frames[0]));
  for (const peer of peers) await peer[Symbol.asyncDispose]();
});

Deno.test("a server replays to a client that has come back, deflated or not as it says then", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  peer.acks = false;
  await peer.open(DEFLATE);
  const send = () => sessions[0]?.post({ jsonrpc: "2.0", method: "n", params: LARGE });
  await send();
  await peer.next();
  await peer.drop();
  peer.received = 0;
  await peer.open();
  assertEquals((await peer.next()).params, LARGE);
  assertEquals(peer.binary.length, 1);
  await peer.drop();
  peer.received = 0;
  await peer.open(DEFLATE);
  assertEquals((await peer.next()).params, LARGE);
  assertEquals(peer.binary.length, 2);
  await peer.bye();
});

Deno.test("a server takes deflated frames where it says so, in order", async () => {
  await using serving = serve(echo, BOTH);
  await using peer = new SessionPeer(serving.port);
  assertEquals((await peer.open()).accept, ["deflate"]);
  peer.write(requestText(1, {}));
  peer.write(deflated(`${requestText(2, LARGE)}\n${requestText(3, {})}`));
  peer.write(deflated('["ping",7,0]'));
  peer.write(requestText(4, {}));
  const ids = [await peer.next(), await peer.next(), await peer.next(), await peer.next()]
    .map(({ id }) => id);
  assertEquals(ids, [1, 2, 3, 4]);
  assertEquals(await peer.control("pong"), 7);
  const metrics = serving.handler.metrics();
  assert(metrics.includes('bowline_compressed_frames_total{direction="received"} 2'), metrics);
});

Deno.test("a server that takes no deflated frames ends the session with 4400", async () => {
  await using serving = serve();
  await using peer = new SessionPeer(serving.port);
  assertEquals((await peer.open(DEFLATE)).accept, []);
  peer.write(deflated(requestText(1, {})));
  assertEquals((await peer.control("end")).code, 4400);
});

Deno.test("a server ends the session with 4400 on any deflated frame that is wrong", async () => {
  await using serving = serve(echo, BOTH);
  const sound = deflated(requestText(1, LARGE));
  const frames: Record<string, Uint8Array<ArrayBuffer>> = {
    "nothing at all": new Uint8Array(0),
    "a kind without data": new Uint8Array([1]),
    "kind 0": deflated("{}", 0),
    "kind 2": deflated("{}", 2),
    "cut off": sound.slice(0, -3),
    "data that follows": new Uint8Array([...sound, 1, 2, 3]),
    "no deflated data": new Uint8Array([1, 0xff, 0xff, 0xff]),
    "an empty text": deflated(""),
    "no UTF-8": deflated(new Uint8Array([0x7b, 0xc3, 0x28, 0x7d])),
    "one byte too many": deflated(" ".repeat(128 * 1024 + 1)),
    "a bomb": deflated(new Uint8Array(64 * 1024 * 1024)),
    "a frame within a frame": deflated(deflated("{}")),
  };
  for (const [what, frame] of Object.entries(frames)) {
    await using peer = new SessionPeer(serving.port);
    await peer.open();
    peer.write(frame);
    peer.write(requestText(9, {}));
    assertEquals((await peer.control("end")).code, 4400, what);
    assertEquals(peer.waiting, 0, what);
  }
});

Deno.test("a server holds what a deflated frame holds against its rate", async () => {
  const rate = { bytes: { perSecond: 1, burst: 100_000 } };
  await using serving = serve(echo, { ...BOTH, rate });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  const text = requestText(1, { text: "x".repeat(120_000) });
  assert(deflated(text).length < 1_000);
  peer.write(deflated(text));
  assertEquals((await peer.control("end")).code, 4429);
});

Deno.test("a server counts what it compresses", async () => {
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession);
  await using peer = new SessionPeer(serving.port);
  await peer.open(DEFLATE);
  await sessions[0]?.post(note(1));
  await peer.next();
  assert(serving.handler.metrics().includes('bowline_compressed_frames_total{direction="sent"} 0'));
  await peer.request("x", LARGE);
  const text = JSON.stringify({ jsonrpc: "2.0", id: 1, result: LARGE });
  const saved = text.length - (peer.binary[0]?.length ?? 0);
  const metrics = serving.handler.metrics();
  assert(metrics.includes('bowline_compressed_frames_total{direction="sent"} 1'));
  const line = `bowline_compression_saved_bytes_total{direction="sent"} ${saved}`;
  assert(metrics.includes(line), `${line} is not in ${metrics}`);
  await peer.bye();
});

Deno.test("createWebSocketHandler() refuses a threshold that is no positive integer", () => {
  for (const threshold of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => createWebSocketHandler(echo, { session: { compression: { threshold } } }),
      RangeError,
      `"session.compression.threshold" must be a positive integer: current value is ${threshold}`,
    );
  }
});
