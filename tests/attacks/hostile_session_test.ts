import { assert, assertEquals } from "@std/assert";
import { OPCODES } from "../support/raw_socket.ts";
import { playLegacy, type Script, ScriptedServer } from "../support/scripted_server.ts";
import { type SessionScript, SessionVisit } from "../support/session_server.ts";
import { until } from "../support/until.ts";
import { assertConnectionError, hostileTest, SECRET, settled } from "./support/hostile.ts";

/** What a client asks when it wants to be attacked. */
const ATTACK = "attack/now";
const LEGACY = { era: "legacy" } as const;
const POLLUTION = { constructor: { prototype: { polluted: true } } };

/** A script that speaks `bowline.v1`. */
function inSession(script: SessionScript): Script {
  return (visit) => script(new SessionVisit(visit));
}

/** A server that opens a session and MCP as it should, and does what the test says when asked to. */
function attackOn(act: (session: SessionVisit) => Promise<void>): Script {
  return inSession(async (session) => {
    await session.open();
    await session.play(async ({ method }) => {
      if (method !== ATTACK) return false;
      await act(session);
      return true;
    });
  });
}

const mark = "x".repeat(300);
/** Frames that break the protocol. */
const VIOLATIONS: readonly (readonly [what: string, frames: readonly string[]])[] = [
  ["an empty frame", [""]],
  ["white space before a message", [' {"jsonrpc":"2.0","method":"x"}']],
  ["an unknown kind of frame", ["hello"]],
  ["a control frame that is no JSON", ['["ack"']],
  ["a control frame without a name", ["[]"]],
  ["an unknown control frame", ['["shutdown",{}]']],
  ["a control frame called __proto__", ['["__proto__",{}]']],
  ["a control frame of more than 16 Ki units", [`["pong",0,0,"${"x".repeat(16_384)}"]`]],
  ["an ack without a count", ['["ack"]']],
  ["a negative ack", ['["ack",-1]']],
  ["half an ack", ['["ack",1.5]']],
  ["an ack in words", ['["ack","1"]']],
  ["an ack of what was never sent", ['["ack",9007199254740991]']],
  ["a ping without a count", ['["ping",0]']],
  ["a ping that counts what was never sent", ['["ping",0,9007199254740991]']],
  ["a ping with a large mark", [`["ping","${mark}",0]`]],
  ["a pong that counts what was never sent", ['["pong",0,9007199254740991]']],
  ["a hello", ['["hello",{"session":"a","token":"b","attempt":1}]']],
  ["a second welcome", ['["welcome",{"resumed":true}]']],
  ["an end without a code", ['["end",{}]']],
  ["an end with code 99", ['["end",{"code":99}]']],
  ["a bye without a count", ['["bye"]']],
  ["an empty piece", ["+"]],
  ["an empty last piece", ['+{"a":1', "="]],
  ["pieces that are too small", Array<string>(80).fill("+x")],
  ["pieces that are too large together", Array<string>(12).fill(`+${"x".repeat(1_000)}`)],
];

for (const [what, frames] of VIOLATIONS) {
  hostileTest(
    `The client closes with 4400 when the server says ${what}`,
    attackOn(async (session) => {
      for (const frame of frames) await session.visit.sendText(frame);
      assertEquals(await session.visit.closeCode(), 4_400);
    }),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assertConnectionError(await victim.ask(ATTACK), { retryable: false });
      assertEquals(victim.losses.map(({ code }) => code), [4_400]);
      assert(victim.errors.some((error) => "kind" in error && error.kind === "protocol"));
    },
    { ...LEGACY, maxReceiveBytes: 10_000 },
  );
}

hostileTest(
  "The client closes with 4400 when the server sends a binary frame in a session",
  attackOn(async ({ visit }) => {
    await visit.sendFrame(OPCODES.BINARY, new Uint8Array([1, 2, 3]));
    assertEquals(await visit.closeCode(), 4_400);
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertConnectionError(await victim.ask(ATTACK), {});
  },
  LEGACY,
);

hostileTest(
  "The client goes on when the server says what is odd and allowed",
  attackOn(async (session) => {
    await session.say("drop");
    await session.say("ack", 0, "more", { of: "it" });
    for (let n = 0; n < 2_000; n++) await session.say("pong", n, 0);
    for (let n = 0; n < 2_000; n++) await session.say("ack", 0);
    await session.visit.sendText('+{"jsonrpc":"2.0","method":"notifications/x","params":{"a":"');
    await session.say("drop");
    await session.visit.sendText('{"jsonrpc":"2.0","id":2,"result":{"odd":true}}');
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    const asked = victim.client.request(ATTACK);
    assertEquals(await settled(asked), { odd: true });
    assertEquals([await victim.ask(), victim.losses], [undefined, []]);
  },
  LEGACY,
);

/** What no sound server says in its welcome. */
const WELCOMES: readonly object[] = [
  ...[0, -1, 1e308, -1e308, 0.5, "NaN", null, [], {}, true].map((number) => ({
    windowMs: number,
    pingMs: number,
    limits: { messageBytes: number, bufferBytes: number, bufferMessages: number },
  })),
  { limits: "none" },
  { limits: [1, 2, 3], accept: { length: 1e9 } },
  { limits: { limits: { limits: { messageBytes: 1 } } }, server: POLLUTION },
  { ...POLLUTION, limits: POLLUTION, windowMs: POLLUTION, accept: [POLLUTION], reason: POLLUTION },
  JSON.parse(
    '{"__proto__":{"polluted":true,"resumed":true},"limits":{"__proto__":{"polluted":1}}}',
  ),
  { server: { name: "\u001b[31m\n", version: "x".repeat(1_000) }, reason: "x".repeat(10_000) },
];

for (const welcome of WELCOMES) {
  const text = JSON.stringify(welcome);
  hostileTest(
    `The client works after a welcome with ${text.slice(0, 70)}`,
    inSession(async (session) => {
      await session.greet();
      await session.visit.sendText(JSON.stringify(["welcome", { resumed: false, ...welcome }]));
      await session.play();
    }),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assertEquals(await victim.ask(), undefined);
    },
    LEGACY,
  );
}

/** Welcomes that are none; the client takes the server for one that does not know the protocol. */
const NO_WELCOMES: readonly string[] = [
  '["welcome",{}]',
  '["welcome",{"resumed":"yes"}]',
  '["welcome",{"resumed":false,"received":-1}]',
  '["welcome",{"resumed":false,"received":1e308}]',
  '["welcome",{"resumed":false,"received":9007199254740991}]',
  '["welcome",[]]',
  '["ack",0]',
  '{"jsonrpc":"2.0","id":1,"result":{}}',
  "[[[[",
];

for (const frame of NO_WELCOMES) {
  hostileTest(
    `connect() ends with 4400 when the hello is answered with ${frame}`,
    inSession(async (session) => {
      await session.greet();
      await session.visit.sendText(frame);
      assertEquals(await session.visit.closeCode(), 4_400);
    }),
    async (victim, server) => {
      assertConnectionError(await victim.connect(), {});
      assertEquals([victim.losses.map(({ code }) => code), server.visits], [[4_400], 1]);
    },
    { ...LEGACY, require: "bowline.v1" },
  );
}

/** Codes of `end`, and what each means. */
const ENDS: readonly (readonly [code: number, cause: string, retryable: boolean])[] = [
  [1000, "done", false],
  [1001, "gone", true],
  [1002, "protocol", false],
  [1008, "forbidden", false],
  [1009, "too-big", true],
  [1011, "internal", true],
  [1012, "restarting", true],
  [1013, "capacity", true],
  [2999, "gone", true],
  [4400, "protocol", false],
  [4401, "unauthenticated", true],
  [4403, "forbidden", false],
  [4408, "heartbeat", true],
  [4409, "replaced", false],
  [4413, "too-big", true],
  [4429, "rate", true],
  [4503, "capacity", true],
  [4999, "gone", true],
];

for (const [code, cause, retryable] of ENDS) {
  hostileTest(
    `The client takes "end" ${code} for "${cause}"`,
    attackOn(async (session) => {
      await session.say("end", { code, reason: `No\r\n${"x".repeat(2_000)}`, retryAfterMs: 1e308 });
      assertEquals(await session.visit.closeCode(), 1_000);
    }),
    async (victim) => {
      assertEquals(await victim.connect(), undefined);
      assert(await victim.ask(ATTACK) !== undefined);
      const [loss] = victim.losses;
      assertEquals([loss?.code, loss?.cause, loss?.pace !== "never"], [code, cause, retryable]);
      assertEquals([loss?.retryAfter, loss?.reason.length], [300_000, 512]);
    },
    LEGACY,
  );
}

/** What dials again at once where nothing says otherwise. */
const EAGER = {
  ...LEGACY,
  reconnect: { attempts: 3, minDelay: 1, maxDelay: 5, minUptime: 1_000 },
  dialLimit: false,
} as const;

hostileTest(
  "The client waits as long as a server may ask for, which is not for years, and stops waiting when closed",
  attackOn(async (session) => {
    await session.say("end", { code: 4_503, reason: "Full", retryAfterMs: 1e308 });
    await session.visit.end();
  }),
  async (victim, server) => {
    assertEquals(await victim.connect(), undefined);
    const asked = victim.ask(ATTACK);
    await until(() => victim.client.state.status === "reconnecting");
    assertEquals([victim.losses[0]?.retryAfter, server.visits], [300_000, 1]);
    await settled(victim.client.disconnect());
    assert(await asked !== undefined);
  },
  EAGER,
);

hostileTest(
  "The client gives up a server that ends every session at once",
  inSession(async (session) => {
    await session.open({ windowMs: 0 });
    await session.say("end", { code: 1_011, reason: "", retryAfterMs: 0 });
    await session.visit.end();
  }),
  async (victim, server) => {
    await victim.connect();
    await until(() => victim.client.state.status === "failed");
    assert(server.visits >= 2 && server.visits <= 5, `${server.visits} dials`);
  },
  EAGER,
);

hostileTest(
  "A goaway to another origin takes neither the client nor its token there",
  inSession(async (session) => {
    await session.open({ received: 0 });
    if (session.number > 1) return await session.play();
    await session.play(async ({ method, id }) => {
      if (method !== ATTACK) return false;
      for (const url of [trap.url, "//evil.example/mcp", `${trap.url}?x`, "http://127.0.0.1:1/"]) {
        await session.say("goaway", { afterMs: 100, sessions: "lost", url });
      }
      await session.answer({ id });
      return true;
    });
  }),
  async (victim, server) => {
    await using elsewhere = new ScriptedServer((visit) => playLegacy(visit));
    trap.url = elsewhere.url;
    assertEquals(await victim.connect(), undefined);
    const moved = new Promise<void>((resolve) => {
      victim.client.addEventListener("moved", () => resolve(), { once: true });
    });
    assertEquals(await victim.ask(ATTACK), undefined);
    await settled(moved);
    assertEquals([elsewhere.visits, server.visits], [0, 2]);
  },
  EAGER,
);
/** Where the server of the test above would like the client to go. */
const trap = { url: "" };

hostileTest(
  "A flood of goaways on one connection makes the client move once",
  inSession(async (session) => {
    await session.open({ received: 0 });
    if (session.number > 1) return await session.play();
    await session.play(async ({ method, id }) => {
      if (method !== ATTACK) return false;
      for (let n = 0; n < 2_000; n++) await session.say("goaway", { afterMs: 100, reason: `${n}` });
      await session.answer({ id });
      return true;
    });
  }),
  async (victim, server) => {
    assertEquals(await victim.connect(), undefined);
    const moved = new Promise<void>((resolve) => {
      victim.client.addEventListener("moved", () => resolve(), { once: true });
    });
    assertEquals(await victim.ask(ATTACK), undefined);
    await settled(moved);
    assertEquals([await victim.ask(), server.visits], [undefined, 2]);
  },
  EAGER,
);

hostileTest(
  "The token of a session and the credential stand in nothing but the handshake and the hello",
  inSession(async (session) => {
    const hello = await session.open();
    assertEquals(session.visit.header("authorization"), `Bearer ${SECRET}`);
    assertEquals(session.visit.request.split("\r\n")[0]?.includes(SECRET), false);
    await session.play(async ({ method }) => {
      if (method !== ATTACK) return false;
      await session.say("end", { code: 4_403, reason: hello.token });
      await session.visit.end();
      return true;
    });
    const later = session.frames.slice(1).join("\n");
    assertEquals([later.includes(hello.token), later.includes(SECRET)], [false, false]);
  }),
  async (victim) => {
    assertEquals(await victim.connect(), undefined);
    assertEquals(await victim.ask(), undefined);
    assert(await victim.ask(ATTACK) !== undefined);
  },
  LEGACY,
);
