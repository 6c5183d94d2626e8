import { assert, assertEquals } from "@std/assert";
import { openArena } from "./support/arena.ts";
import type { Intruder } from "./support/intruder.ts";

/** What would forge a line of a log, or change how one looks. */
const EVIL = [
  "a\nerror forged",
  "a\r\nerror forged",
  "\u001b[2J\u001b]0;owned\u0007",
  "\u009b31m",
  "\u0000\u007f\b",
  "a\u2028b\u2029c",
  "\u202eabc\u2066def\u200f",
];
/** Names that every object knows. */
const NAMES = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

/** What reaches the prototype where objects are copied carelessly. */
const POLLUTION = '{"__proto__":{"polluted":1,"isAdmin":true},' +
  '"constructor":{"prototype":{"polluted":1}},"name":"canary","arguments":{"__proto__":{"i":9}}}';

function assertUnpolluted(): void {
  const fresh: Record<string, unknown> = {};
  assertEquals([fresh.polluted, fresh.isAdmin, fresh.i], [undefined, undefined, undefined]);
  assertEquals(Object.keys(Object.prototype), []);
  assertEquals(({} as { toString: unknown }).toString, Object.prototype.toString);
}

async function pollute(intruder: Intruder): Promise<void> {
  for (
    const method of ["tools/call", "initialize", "ping", "server/discover", "x/echo", ...NAMES]
  ) {
    await intruder.text(
      `{"jsonrpc":"2.0","id":"${method}","method":"${method}",` +
        `"params":${POLLUTION},"__proto__":{"polluted":1}}`,
    );
    const answer = await intruder.readAnswer(method);
    if (NAMES.includes(method)) assertEquals(answer.error.code, -32601);
    assertUnpolluted();
  }
  for (const name of NAMES) {
    await intruder.text(`{"jsonrpc":"2.0","id":"${name}","method":"ping"}`);
    assertEquals((await intruder.readAnswer(name)).result, {});
    const meta = `{"_meta":{"progressToken":"${name}","__proto__":{"polluted":1}}}`;
    await intruder.text(`{"jsonrpc":"2.0","id":1,"method":"x/progress","params":${meta}}`);
    await intruder.readAnswer(1);
    for (const method of ["cancelled", "progress", name]) {
      const params = `{"requestId":"${name}","progressToken":"${name}","__proto__":{"polluted":1}}`;
      const full = `"method":"notifications/${method}","params":${params}`;
      await intruder.text(`{"jsonrpc":"2.0",${full}}`);
    }
    await intruder.text(`{"jsonrpc":"2.0","id":"${name}","result":${POLLUTION}}`);
    await intruder.text(`{"jsonrpc":"2.0","id":"${name}","error":${POLLUTION}}`);
    await intruder.text(`{"jsonrpc":"2.0","id":${POLLUTION},"method":"ping"}`);
  }
  await intruder.message({ id: "end", method: "ping" });
  assertEquals((await intruder.readAnswer("end")).result, {});
  assertUnpolluted();
}

Deno.test("__proto__ and its like in params, ids, methods and tokens reach no prototype", async () => {
  await using arena = await openArena({
    define(server) {
      server.handle("x/echo", (params) => ({ ...params }));
      server.handle("x/progress", (_, { progress }) => progress(1, 2));
    },
  });
  await pollute(await (await arena.connectRaw()).open());
  const session = await arena.connectRaw();
  await session.openSession();
  await pollute(session);
  await arena.end(session.token);
});

Deno.test("__proto__ and its like in control frames reach no prototype, and say nothing", async () => {
  await using arena = await openArena();
  const { token } = await arena.connectRaw();
  const limits = '{"__proto__":{"messageBytes":1},"constructor":{"bufferBytes":1}}';
  const forged = `{"__proto__":{"resume":true,"session":"x","attempt":1,"token":"${token}"}}`;
  const hello = `{"session":"x","token":"${token}","attempt":1,"received":0,"limits":${limits},` +
    '"accept":["__proto__"],"__proto__":{"promptAck":true},' +
    '"client":{"__proto__":{"name":"x","version":"1"}}}';
  const forger = await (await arena.connectRaw()).open("bowline.v1");
  await forger.text(`["hello",${forged}]`);
  assertEquals(JSON.parse(await forger.readText())[1].code, 4400);
  for (const name of NAMES) {
    const session = await (await arena.connectRaw()).open("bowline.v1");
    await session.text(`["hello",${hello.replaceAll(token, session.token)}]`);
    assertEquals(JSON.parse(await session.readText())[0], "welcome");
    await session.text('["ping",{"__proto__":{"polluted":1}},0]');
    assertEquals(JSON.parse(await session.readText())[0], "pong");
    await session.text(`["${name}",${POLLUTION}]`);
    await session.message({ id: 1, method: "ping" });
    await session.readText();
    assertUnpolluted();
  }
  await arena.end(token);
});

for (const protocol of ["mcp", "bowline.v1"] as const) {
  Deno.test(`whatever a client says over ${protocol}, each log entry is one harmless line`, async () => {
    await using arena = await openArena({
      define(server) {
        server.onRequest((_, { method }) => {
          throw new Error(`There is no ${method}`);
        });
      },
    });
    for (const evil of EVIL) {
      const client = await arena.connectRaw();
      if (protocol === "mcp") await client.open();
      else await client.openSession({ client: { name: evil, version: evil } });
      await client.message({ id: evil, method: evil, params: { [evil]: evil } });
      assertEquals((await client.readAnswer(evil)).error.code, -32603);
      await client.text(`{ "jsonrpc": "2.0", ${JSON.stringify(evil)}`);
      await client.message({ method: evil });
      await client.message({ id: evil, result: { evil } });
      await client.message({ id: evil, error: { code: 1, message: evil } });
      await client.message({
        id: "end",
        method: "initialize",
        params: {
          protocolVersion: evil,
          capabilities: {},
          clientInfo: { name: evil, version: evil },
        },
      });
      await client.readAnswer("end");
      const reason = new TextEncoder().encode(evil);
      await client.send({ opcode: 8, payload: new Uint8Array([0x0f, 0xa0, ...reason]) });
      await client.readEnd();
    }
    assert(arena.capture.log.some((line) => line.includes("There is no")));
    assert(arena.capture.log.some((line) => line.includes("forged")));
    await arena.end();
  });
}

Deno.test("whatever an upgrade request says, each log entry is one harmless line", async () => {
  await using arena = await openArena();
  const texts = ["\u001b[2J", "\u009b31m", "\u007f", "%0Aerror%20forged", "\u202e"];
  for (const evil of texts) {
    const headers = {
      "User-Agent": evil,
      "Origin": `http://${evil}`,
      "X-Forwarded-For": evil,
      "Forwarded": `for=${evil}`,
      "Sec-WebSocket-Protocol": `mcp, ${evil}`,
    };
    for (const [name, value] of Object.entries(headers)) {
      const attacker = await arena.connectRaw();
      await attacker.upgrade({ [name]: value }).catch(() => {});
    }
    for (const line of [`GET /${evil} HTTP/1.1`, `GET /mcp?${evil} HTTP/1.1`]) {
      const attacker = await arena.connectRaw();
      await attacker.upgrade({}, line).catch(() => {});
    }
    const attacker = await arena.connectRaw();
    await attacker.upgrade({ Host: evil }).catch(() => {});
  }
  const session = await (await arena.connectRaw()).open("bowline.v1");
  await session.hello({ session: "a\nerror forged" });
  assertEquals(JSON.parse(await session.readText())[1].code, 4400);
  await arena.end(session.token);
});
