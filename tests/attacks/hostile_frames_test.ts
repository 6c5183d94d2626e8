import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { OPCODES } from "../support/raw_socket.ts";
import { playLegacy, type Script, type Visit } from "../support/scripted_server.ts";
import { assertConnectionError, hostileTest, settled } from "./support/hostile.ts";

/** What a client asks when it wants to be attacked. */
const ATTACK = "attack/now";
const LEGACY = { era: "legacy" } as const;

/** A server that opens MCP as it should, and then does what the test says. */
function attackOn(act: (visit: Visit) => Promise<void>): Script {
  return (visit) =>
    playLegacy(visit, async (message) => {
      if (message.method !== ATTACK) return false;
      await act(visit);
      await visit.silence();
      return true;
    });
}

/** Frames that no WebSocket may send (RFC 6455, 5). */
const BROKEN_FRAMES: Readonly<Record<string, readonly number[]>> = {
  "a ping of 126 bytes": [0x89, 126, 0, 126, ...Array<number>(126).fill(0x78)],
  "a ping in fragments": [0x09, 0],
  "a reserved opcode": [0x83, 0],
  "a reserved control opcode": [0x8b, 0],
  "a reserved bit": [0xc1, 1, 0x78],
  "a continuation of nothing": [0x80, 1, 0x78],
  "a message within another": [0x01, 1, 0x7b, 0x81, 1, 0x7d],
  "text that is no UTF-8": [0x81, 2, 0xff, 0xfe],
  "half a character at the end": [0x81, 1, 0xe2],
  "a close of one byte": [0x88, 1, 3],
  "a close with code 999": [0x88, 2, 3, 0xe7],
  "a close with code 1005": [0x88, 2, 3, 0xed],
  "a close with code 65535": [0x88, 2, 0xff, 0xff],
  "a close whose reason is no UTF-8": [0x88, 4, 3, 0xe8, 0xff, 0xfe],
  "a frame of 1 TiB": [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0x7b],
  "a frame of 2^64 - 1 bytes": [0x81, 127, ...Array<number>(8).fill(0xff), 0x7b],
};

for (const [what, bytes] of Object.entries(BROKEN_FRAMES)) {
  hostileTest(
    `A request is settled with a connection error when the server sends ${what}`,
    attackOn((visit) => visit.write(new Uint8Array(bytes))),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assertConnectionError(await victim.ask(ATTACK), { kind: "network" });
      assertEquals(victim.losses.length, 1);
    },
    LEGACY,
  );
}

/** What the client says no to, and with which code. */
const REFUSED:
  readonly (readonly [what: string, code: number, act: (v: Visit) => Promise<void>])[] = [
    ["a message that is too large", 4413, (visit) => visit.sendText("x".repeat(10_001))],
    ["a message that is too large in UTF-8", 4413, (visit) => visit.sendText("é".repeat(5_001))],
    ["a binary frame", 4003, (visit) => visit.sendFrame(OPCODES.BINARY, new Uint8Array(10))],
    ["ten frames of nonsense", 4002, async (visit) => {
      for (let i = 0; i < 10; i++) await visit.sendText("[".repeat(i + 1));
    }],
    ["ten batches", 4002, async (visit) => {
      for (let i = 0; i < 10; i++) await visit.sendText('[{"jsonrpc":"2.0","method":"x"}]');
    }],
  ];

for (const [what, code, act] of REFUSED) {
  hostileTest(
    `The client closes with ${code} when the server sends ${what}`,
    attackOn(async (visit) => {
      await act(visit);
      assertEquals(await visit.closeCode(), code);
    }),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assertConnectionError(await victim.ask(ATTACK), { kind: "network" });
      assertEquals(victim.losses.map((loss) => loss.code), [code]);
    },
    { ...LEGACY, maxReceiveBytes: 10_000 },
  );
}

hostileTest(
  "A request is answered when it stands behind 20,000 pings and pongs",
  (visit) =>
    playLegacy(visit, async (message) => {
      if (message.method !== ATTACK) return false;
      const flood = new Uint8Array(80_000);
      for (let at = 0; at < flood.length; at += 4) flood.set([0x89, 0, 0x8a, 0], at);
      const written = visit.write(flood);
      let pongs = 0;
      while (pongs < 20_000) if ((await visit.readFrame()).opcode === OPCODES.PONG) pongs++;
      await written;
      await visit.answer(message, { pongs });
      return true;
    }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals(await victim.request(ATTACK), { pongs: 20_000 });
  },
  { ...LEGACY, requestTimeout: 15_000 },
);

hostileTest(
  "A request is answered when its answer comes in 2,000 fragments with pings between",
  (visit) =>
    playLegacy(visit, async (message) => {
      if (message.method !== ATTACK) return false;
      const text = JSON.stringify({
        jsonrpc: "2.0",
        id: message.id,
        result: { x: "y".repeat(1_900) },
      });
      const [first = "", ...rest] = text;
      await visit.write(new Uint8Array([OPCODES.TEXT, 1, first.charCodeAt(0)]));
      for (const [at, character] of rest.entries()) {
        const opcode = at === rest.length - 1 ? 0x80 : 0;
        await visit.write(new Uint8Array([0x89, 0, opcode, 1, character.charCodeAt(0)]));
      }
      // Whoever goes on playing expects messages.
      for (const _ of rest) assertEquals((await visit.readFrame()).opcode, OPCODES.PONG);
      return true;
    }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals((await victim.request(ATTACK)).x.length, 1_900);
  },
  { ...LEGACY, requestTimeout: 15_000 },
);

hostileTest(
  "disconnect() settles when the server goes on sending after the close",
  attackOn(async (visit) => {
    const flood = new Uint8Array(65_536).fill(0);
    for (let at = 0; at < flood.length; at += 2) flood.set([0x89, 0], at);
    for (;;) {
      await visit.write(flood);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    const asked = victim.ask(ATTACK);
    await settled(victim.client.disconnect());
    const error = await asked;
    assert(error !== undefined);
    assertStringIncludes(error.message, "The client was disconnected");
  },
  LEGACY,
);
