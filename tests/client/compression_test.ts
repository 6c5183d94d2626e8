import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { WebSocketClientTransport } from "../../client/mod.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { isLoopbackUrl } from "../../client/url_policy.ts";
import { echo, serve } from "../server/_serving.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { image, toolList } from "../support/compressible.ts";
import { hideGlobals } from "../support/globals.ts";
import type { Json } from "../support/json_socket.ts";
import { OPCODES } from "../support/raw_socket.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";
import { Watched } from "./_watched.ts";

const ALWAYS = { compression: { loopback: true } };
const BOTH = { session: { compression: { receive: true } } };
const LARGE = { text: toolList(20_000) };

/**
 * Connects as other runtimes do: Deno alone sends no deflated frames, and
 * browsers alone deflate with streams.
 */
async function openLike(runtime: "Node" | "browser", url: string): Promise<Watched> {
  const client = await imitate(runtime, () => new Watched(url, ALWAYS));
  await client.transport.start();
  return client;
}

/** Does something at once, in a runtime that looks like another one. */
function imitate<T>(runtime: "Node" | "browser", run: () => T): T {
  using _ = hideGlobals(...(runtime === "Node" ? ["Deno"] : ["Deno", "process"]));
  return run();
}

const deflated = (text: string | Uint8Array) => new Uint8Array([1, ...deflateRawSync(text)]);

Deno.test("a transport compresses nothing unless it is told to", async () => {
  await using serving = serve(echo, BOTH);
  await using client = await Watched.open(serving.url);
  assertEquals((await client.request("x", LARGE)).result, LARGE);
  assertEquals(client.transport.getStats().compression, undefined);
});

Deno.test("a transport compresses nothing towards this machine unless it is told to", async () => {
  await using serving = serve(echo, BOTH);
  await using client = await Watched.open(serving.url, { compression: {} });
  assertEquals((await client.request("x", LARGE)).result, LARGE);
  const { framesSent, framesReceived } = client.transport.getStats().compression ?? {};
  assertEquals([framesSent, framesReceived], [0, 0]);
});

Deno.test("isLoopbackUrl() knows this machine by its names and addresses", () => {
  const here = [
    "localhost",
    "a.localhost",
    "127.0.0.1",
    "127.9.9.9",
    "[::1]",
    "[::ffff:127.0.0.1]",
  ];
  for (const host of here) assert(isLoopbackUrl(`ws://${host}:8787/mcp`), host);
  const elsewhere = ["example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]"];
  for (const host of elsewhere) assert(!isLoopbackUrl(`wss://${host}/mcp`), host);
});

Deno.test("a transport of Deno reads deflated frames, and sends none", async () => {
  await using serving = serve(echo, BOTH);
  await using client = await Watched.open(serving.url, ALWAYS);
  assertEquals((await client.request("x", LARGE)).result, LARGE);
  const stats = client.transport.getStats().compression;
  assertEquals([stats?.framesSent, stats?.framesReceived], [0, 1]);
  assert((stats?.bytesSavedReceiving ?? 0) > 10_000, JSON.stringify(stats));
});

for (const runtime of ["Node", "browser"] as const) {
  Deno.test(`a transport like that of a ${runtime} sends and reads deflated frames`, async () => {
    await using serving = serve(echo, BOTH);
    await using client = await openLike(runtime, serving.url);
    await client.request("x");
    assertEquals((await client.request("x", LARGE)).result, LARGE);
    const stats = client.transport.getStats().compression;
    assertEquals([stats?.framesSent, stats?.framesReceived], [1, 1]);
    assert((stats?.bytesSavedSending ?? 0) > 10_000, JSON.stringify(stats));
  });

  Deno.test(`a transport like that of a ${runtime} sends no deflated frame to whom takes none`, async () => {
    await using serving = serve();
    await using client = await openLike(runtime, serving.url);
    await client.request("x");
    assertEquals((await client.request("x", LARGE)).result, LARGE);
    const stats = client.transport.getStats().compression;
    assertEquals([stats?.framesSent, stats?.framesReceived], [0, 1]);
  });

  Deno.test(`a transport like that of a ${runtime} keeps the order both ways`, async () => {
    const heard: unknown[] = [];
    await using serving = serve(async (session) => {
      session.onmessage = (message) => {
        if (!("method" in message)) return;
        heard.push(message.params?.at);
        session.post(message);
      };
      await session.start();
    }, BOTH);
    await using client = await openLike(runtime, serving.url);
    const texts = [
      "a",
      toolList(3_000),
      image(2_000),
      "b",
      toolList(200_000),
      toolList(5_000),
      "c",
    ];
    const count = 5 * texts.length;
    for (let at = 0; at < count; at++) {
      await client.notify("n", { at, text: texts[at % texts.length] });
    }
    await until(() => client.messages.length === count);
    const order = Array.from({ length: count }, (_, at) => at);
    assertEquals(heard, order);
    assertEquals(client.messages.map(({ params }) => params.at), order);
    for (const { params: { at, text } } of client.messages) {
      assertEquals(text, texts[at % texts.length]);
    }
  });

  Deno.test(`a transport like that of a ${runtime} loses nothing when it is cut again and again`, async () => {
    const heard: unknown[] = [];
    await using serving = serve(async (session) => {
      session.onmessage = (message) => {
        if (!("method" in message)) return;
        heard.push(message.params?.at);
        session.post(message);
      };
      await session.start();
    }, BOTH);
    await using link = ChaosLink.open(serving.port, {
      plan: (index) =>
        index < 12 ? { cut: { up: 3_000 + 900 * index, down: 3_500 + 700 * index } } : {},
    });
    const text = toolList(6_000);
    await using client = await openLike(runtime, link.url());
    const count = 150;
    for (let at = 0; at < count; at++) await client.notify("n", { at, text });
    await until(() => client.messages.length >= count);
    const order = Array.from({ length: count }, (_, at) => at);
    assertEquals(heard, order);
    assertEquals(client.messages.map(({ params }) => params.at), order);
    const { losses, resumes, compression } = client.transport.getStats();
    assert(losses > 0 && resumes > 0, `${losses} losses`);
    assert((compression?.framesSent ?? 0) > 50, JSON.stringify(compression));
  });

  Deno.test(`a transport like that of a ${runtime} hears what came before the end of its connection`, async () => {
    const message = JSON.stringify({ jsonrpc: "2.0", method: "n", params: LARGE });
    await using server = new SessionServer(async (visit) => {
      await visit.open();
      for (let count = 0; count < 20; count++) {
        await visit.visit.sendFrame(OPCODES.BINARY, deflated(message));
      }
      await visit.say("end", { code: 4403, reason: "enough" });
    });
    await using client = await openLike(runtime, server.url);
    await until(() => client.closes === 1);
    assertEquals(client.messages.map(({ params }) => params), Array(20).fill(LARGE));
    assertEquals(server.visits.length, 1);
  });

  Deno.test(`a transport like that of a ${runtime} leaves who sends a wrong deflated frame`, async () => {
    const bad = {
      "nothing at all": new Uint8Array(0),
      "kind 2": new Uint8Array([2, 3]),
      "no deflated data": new Uint8Array([1, 0xff, 0xff]),
      "a bomb": deflated(new Uint8Array(32 * 1024 * 1024)),
    };
    for (const [what, frame] of Object.entries(bad)) {
      let code = 0;
      await using server = new SessionServer(async (visit) => {
        await visit.open();
        await visit.visit.sendFrame(OPCODES.BINARY, frame);
        code = await visit.visit.closeCode();
      });
      await using client = await openLike(runtime, server.url);
      await until(() => client.transport.state.status !== "connected" && code !== 0);
      assertEquals(code, 4400, what);
      assertEquals(client.messages, [], what);
    }
  });
}

Deno.test("a transport tells per connection what it can read", async () => {
  const hellos: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    hellos.push(await visit.open());
    if (visit.number === 1) return;
    await visit.play();
  });
  await using client = await Watched.open(server.url, ALWAYS);
  await until(() => hellos.length === 2);
  await client.stands("connected");
  assertEquals(hellos.map(({ accept }) => accept), [["deflate"], ["deflate"]]);
});

Deno.test("a transport that does not compress leaves who sends binary frames", async () => {
  let code = 0;
  const hellos: Json[] = [];
  await using server = new SessionServer(async (visit) => {
    hellos.push(await visit.open());
    await visit.visit.sendFrame(OPCODES.BINARY, deflated("{}"));
    code = await visit.visit.closeCode();
  });
  await using _ = await Watched.open(server.url);
  await until(() => code !== 0);
  assertEquals([code, hellos[0]?.accept], [4400, []]);
});

Deno.test("new WebSocketClientTransport() refuses a threshold that is no positive integer", () => {
  for (const threshold of [0, -1, 1.5, NaN]) {
    const options: WebSocketClientOptions = { compression: { threshold } };
    assertThrows(
      () => new WebSocketClientTransport("ws://127.0.0.1/mcp", options),
      RangeError,
      `Option "compression.threshold" must be a positive integer: current value is ${threshold}`,
    );
  }
});
