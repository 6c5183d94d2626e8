import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { MCPRpcError, MCPTimeoutError } from "../../client/mod.ts";
import type { Json } from "../support/json_socket.ts";
import { playLegacy, type Script, type Visit } from "../support/scripted_server.ts";
import { hostileTest, settled } from "./support/hostile.ts";

/** What a client asks when it wants to be attacked. */
const ATTACK = "attack/now";
const LEGACY = { era: "legacy" } as const;
/** Objects as text, since a literal would set the prototype. */
const POLLUTION = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';

/** A server that opens MCP as it should, and does what the test says when it is asked to. */
function attackOn(act: (visit: Visit, message: Json) => Promise<void>): Script {
  return (visit) =>
    playLegacy(visit, async (message) => {
      if (message.method !== ATTACK) return false;
      await act(visit, message);
      return true;
    });
}

/** Answers to nobody's question, and what the client makes of them. */
const STRAY: readonly string[] = [
  '{"jsonrpc":"2.0","id":999999,"result":{}}',
  '{"jsonrpc":"2.0","id":-1,"result":{}}',
  '{"jsonrpc":"2.0","id":"__proto__","result":{}}',
  '{"jsonrpc":"2.0","id":"constructor","error":{"code":-1,"message":"No"}}',
  '{"jsonrpc":"2.0","id":"1","result":{}}',
  '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"No"}}',
  '{"jsonrpc":"2.0","error":{"code":-32600,"message":"No"}}',
  `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"__proto__"}}`,
  `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"__proto__"}}`,
  `{"jsonrpc":"2.0","method":"__proto__","params":${POLLUTION}}`,
  `{"jsonrpc":"2.0","method":"constructor","id":"toString","params":${POLLUTION}}`,
];

hostileTest(
  "A request gets its own answer when answers come that nobody asked for",
  attackOn(async (visit, message) => {
    for (const text of STRAY) await visit.sendText(text);
    await visit.answer(message, { mine: true });
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals(await victim.request(ATTACK), { mine: true });
    assertEquals(await victim.request(ATTACK), { mine: true });
    assertEquals(victim.losses, []);
  },
  LEGACY,
);

hostileTest(
  "A request takes the first answer, and those after it reach no other request",
  attackOn(async (visit, message) => {
    for (const n of [1, 2, 3]) await visit.answer(message, { n });
    await visit.send({ id: message.id, error: { code: -1, message: "Too late" } });
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    for (let round = 0; round < 3; round++) assertEquals(await victim.request(ATTACK), { n: 1 });
    assertEquals(await victim.ask(), undefined);
  },
  LEGACY,
);

hostileTest(
  "A request that gets something like an answer is rejected, and does not wait",
  attackOn(async (visit, { id }) => {
    await visit.sendText(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":"text"}`);
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    const error = await victim.ask(ATTACK);
    assertInstanceOf(error, MCPRpcError);
    assertEquals(error.code, -32600);
  },
  LEGACY,
);

hostileTest(
  "A request that is never answered ends with its timeout, whatever else comes",
  attackOn(async (visit) => {
    for (let n = 0; n < 500; n++) {
      await visit.send({ method: "notifications/message", params: { level: "info", data: n } });
    }
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    victim.client.updateOptions({ requestTimeout: 300 });
    assertInstanceOf(await victim.ask(ATTACK), MCPTimeoutError);
    victim.client.updateOptions({ requestTimeout: 10_000 });
    assertEquals(await victim.ask(), undefined);
  },
  LEGACY,
);

hostileTest(
  "Progress without end does not keep a request alive beyond its longest time",
  attackOn(async (visit, { params }) => {
    const { progressToken } = params._meta;
    const stop = visit.silence();
    let isGone = false;
    stop.then(() => isGone = true);
    for (let progress = 1; !isGone; progress++) {
      await visit.send({ method: "notifications/progress", params: { progressToken, progress } });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    victim.client.updateOptions({ requestTimeout: 200, maxRequestTimeout: 400 });
    const asked = victim.client.request(ATTACK, {}, { onProgress: () => {} });
    await assertRejects(() => settled(asked), MCPTimeoutError);
  },
  LEGACY,
);

hostileTest(
  "Nothing is polluted by a result, and it stays what it is",
  attackOn((visit, { id }) => visit.sendText(`{"jsonrpc":"2.0","id":${id},"result":${POLLUTION}}`)),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    const result = await victim.request(ATTACK);
    assertEquals(Object.getPrototypeOf(result), Object.prototype);
    assertEquals(Object.hasOwn(result, "__proto__"), true);
    assertEquals([Reflect.get({}, "polluted"), result.polluted], [undefined, undefined]);
  },
  LEGACY,
);

hostileTest(
  "Nothing is polluted by what answers initialize",
  (visit) =>
    playLegacy(visit, async ({ method, id }) => {
      if (method !== "initialize") return false;
      const result = `{"protocolVersion":"2025-11-25","capabilities":${POLLUTION},` +
        `"serverInfo":{"name":"x","version":"1","__proto__":{"polluted":true}},` +
        `"__proto__":{"polluted":true},"_meta":${POLLUTION}}`;
      await visit.sendText(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
      return true;
    }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals(Reflect.get(victim.client.serverCapabilities ?? {}, "polluted"), undefined);
    assertEquals(await victim.ask(), undefined);
  },
  LEGACY,
);

/** What no server should answer to `initialize`. */
const BAD_OPENINGS: readonly string[] = [
  "{}",
  '{"protocolVersion":1}',
  '{"protocolVersion":null,"capabilities":null,"serverInfo":null}',
  '{"protocolVersion":"9999-99-99","capabilities":{},"serverInfo":{"name":"x","version":"1"}}',
  '{"protocolVersion":["2025-11-25"],"capabilities":[],"serverInfo":[]}',
  `{"protocolVersion":{"toString":"x"},"capabilities":${POLLUTION}}`,
];

for (const result of BAD_OPENINGS) {
  hostileTest(
    `connect() fails with a documented error when initialize is answered with ${result}`,
    (visit) =>
      playLegacy(visit, async ({ method, id }) => {
        if (method !== "initialize") return false;
        await visit.sendText(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
        return true;
      }),
    async (victim) => {
      const error = await victim.connect();
      assert(error !== undefined);
      assertEquals(victim.client.isInitialized, false);
    },
    LEGACY,
  );
}

for (const [what, text] of [["[", "[".repeat(2 ** 20)], ["{", '{"a":'.repeat(2 ** 18)]] as const) {
  hostileTest(
    `A request is answered after 1 MiB of nested "${what}"`,
    attackOn(async (visit, message) => {
      await visit.sendText(text);
      const closing = what === "[" ? "]".repeat(500_000) : "1" + "}".repeat(180_000);
      const nested = (what === "[" ? "[".repeat(500_000) : '{"a":'.repeat(180_000)) + closing;
      await visit.sendText(`{"jsonrpc":"2.0","method":"x","params":{"deep":${nested}}}`);
      await visit.answer(message, { mine: true });
    }),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assertEquals(await victim.request(ATTACK), { mine: true });
    },
    { ...LEGACY, requestTimeout: 15_000 },
  );
}

hostileTest(
  "A server's words put no line of their own into the log",
  attackOn(async (visit) => {
    await visit.sendText("{\n\u001b[31mERROR forged\r\n");
    await visit.close(1011, "bad\r\nERROR forged\u009b31m\u2028\u202e");
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assert(await victim.ask(ATTACK) !== undefined);
    assertEquals(victim.log.filter((line) => /[\p{Cc}\p{Cf}\p{Zl}]/u.test(line)), []);
  },
  LEGACY,
);

hostileTest(
  "Requests of a server are answered one by one with errors, however many and odd they are",
  attackOn(async (visit, message) => {
    const ids = ["__proto__", "constructor", "", 0, -1, 2 ** 53 - 1, "x".repeat(1_000)];
    for (const id of ids) await visit.send({ id, method: "__proto__" });
    for (const id of ids) {
      const answer = await visit.next();
      assertEquals([answer.id, answer.error.code], [id, -32601]);
    }
    await visit.answer(message);
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals(await victim.request(ATTACK), {});
  },
  LEGACY,
);
