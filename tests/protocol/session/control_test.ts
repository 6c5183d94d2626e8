import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  ackFrame,
  byeFrame,
  type ControlFrame,
  DROP_FRAME,
  endFrame,
  type Goaway,
  goawayFrame,
  type Hello,
  helloFrame,
  parseControl,
  pingFrame,
  type Welcome,
  welcomeFrame,
} from "../../../protocol/session/control.ts";

const TOKEN = "A".repeat(42) + "_";
const LIMITS = { messageBytes: 2_000, bufferBytes: 3_000, bufferMessages: 4 };
const DEFAULTS = { messageBytes: 1_048_576, bufferBytes: 1_048_576, bufferMessages: 1_024 };

const HELLO: Hello = {
  session: "01JD",
  token: TOKEN,
  attempt: 1,
  resume: true,
  received: 7,
  limits: LIMITS,
  accept: ["deflate-raw"],
  promptAck: true,
  client: { name: "c", version: "1.0" },
};

const WELCOME: Welcome = {
  resumed: true,
  received: 3,
  windowMs: 60_000,
  limits: LIMITS,
  pingMs: 5_000,
  accept: [],
  server: { name: "s", version: "2.0" },
  reason: "r",
};

const GOAWAY: Goaway = { afterMs: 5, reason: "r", sessions: "kept", url: "wss://x/mcp" };

function parse(frame: unknown): ControlFrame | undefined {
  return parseControl(JSON.stringify(frame));
}

/** What is read when some members are said differently. */
function parseHello(members: Record<string, unknown>): Hello | undefined {
  const frame = parse(["hello", { ...HELLO, ...members }]);
  return frame?.type === "hello" ? frame.hello : undefined;
}

function parseWelcome(members: Record<string, unknown>): Welcome | undefined {
  const frame = parse(["welcome", { ...WELCOME, ...members }]);
  return frame?.type === "welcome" ? frame.welcome : undefined;
}

Deno.test("parseControl() reads what the writers write", () => {
  const end = { code: 4_400, reason: "r", retryAfterMs: 10 };
  const table: [string, ControlFrame][] = [
    [helloFrame(HELLO), { type: "hello", hello: HELLO }],
    [welcomeFrame(WELCOME), { type: "welcome", welcome: WELCOME }],
    [goawayFrame(GOAWAY), { type: "goaway", goaway: GOAWAY }],
    [endFrame(end), { type: "end", end }],
    [ackFrame(0), { type: "ack", count: 0 }],
    [ackFrame(Number.MAX_SAFE_INTEGER), { type: "ack", count: Number.MAX_SAFE_INTEGER }],
    [byeFrame(5), { type: "bye", count: 5 }],
    [pingFrame("ping", { a: [1] }, 2), { type: "ping", mark: { a: [1] }, count: 2 }],
    [pingFrame("pong", "x", 0), { type: "pong", mark: "x", count: 0 }],
    [pingFrame("ping", undefined, 1), { type: "ping", mark: null, count: 1 }],
    [DROP_FRAME, { type: "drop" }],
  ];
  for (const [text, expected] of table) assertEquals(parseControl(text), expected, text);
});

Deno.test("parseControl() refuses what is no control frame", () => {
  const texts = [
    "",
    "[",
    '["ack",1',
    '["ack",01]',
    "[]",
    "[null]",
    "[1,2]",
    '[["ack"],1]',
    "{}",
    '{"0":"ack","1":1,"length":2}',
    "null",
    '"ack"',
    '["ACK",1]',
    '["unknown",1]',
    '["__proto__",1]',
    '["constructor",1]',
    '["toString"]',
    '["ack",1]["ack",1]',
  ];
  for (const text of texts) assertStrictEquals(parseControl(text), undefined, text);
});

Deno.test("parseControl() refuses a count that is none", () => {
  const wrong = ["-1", "0.5", "9007199254740992", "1e308", "1e999", '"1"', "null", "true", "[1]"];
  for (const count of [...wrong, "{}"]) {
    for (const name of ["ack", "bye"]) {
      assertStrictEquals(parseControl(`["${name}",${count}]`), undefined, `${name} ${count}`);
    }
    for (const name of ["ping", "pong"]) {
      assertStrictEquals(parseControl(`["${name}",0,${count}]`), undefined, `${name} ${count}`);
    }
  }
  const missing = [["ack"], ["bye"], ["ping"], ["pong"], ["ping", 1], ["pong", 1]];
  for (const frame of missing) assertStrictEquals(parse(frame), undefined);
});

Deno.test("parseControl() refuses content that is no object", () => {
  for (const name of ["hello", "welcome", "goaway", "end"]) {
    for (const content of [undefined, null, 1, "x", true, [], [{}]]) {
      const frame = content === undefined ? [name] : [name, content];
      assertStrictEquals(parse(frame), undefined, JSON.stringify(frame));
    }
  }
});

Deno.test("parseControl() reads the credential of a hello, if it can be one", () => {
  assertEquals(parseHello({ auth: "a.b-c_d~" }), { ...HELLO, auth: "a.b-c_d~" });
  assertEquals(parseHello({ auth: "x".repeat(8_192) })?.auth?.length, 8_192);
  for (const auth of ["", "x".repeat(8_193), "a b", "é", 1, null, {}]) {
    assertStrictEquals(parseHello({ auth }), undefined, JSON.stringify(auth));
  }
});

Deno.test("parseControl() ignores elements and members that it does not know", () => {
  assertEquals(parseControl('["ack",1,2,{}]'), { type: "ack", count: 1 });
  assertEquals(parseControl('["drop",1]'), { type: "drop" });
  assertEquals(parse(["ping", 1, 2, 3]), { type: "ping", mark: 1, count: 2 });
  assertEquals(parseHello({ more: 1 }), HELLO);
  assertEquals(parse(["hello", HELLO, 1]), { type: "hello", hello: HELLO });
  assertEquals(parseWelcome({ more: [] }), WELCOME);
});

Deno.test("parseControl() is not fooled by a member named __proto__", () => {
  const stolen = helloFrame(HELLO).slice('["hello",'.length, -1);
  assertStrictEquals(parseControl(`["hello",{"__proto__":${stolen}}]`), undefined);
  const limits = '{"__proto__":{"bufferMessages":7}}';
  const frame = parseControl(`["welcome",{"resumed":true,"limits":${limits}}]`);
  assertEquals(frame?.type === "welcome" && frame.welcome.limits, DEFAULTS);
});

Deno.test("parseControl() reads up to 16,384 units", () => {
  const fill = (units: number) => `["ack",1${" ".repeat(units - 9)}]`;
  assertEquals(parseControl(fill(16_384)), { type: "ack", count: 1 });
  assertStrictEquals(parseControl(fill(16_385)), undefined);
});

Deno.test("parseControl() takes a mark of up to 256 units", () => {
  assertEquals(parse(["ping", "x".repeat(254), 0])?.type, "ping");
  assertStrictEquals(parse(["ping", "x".repeat(255), 0]), undefined);
  const deep = "[".repeat(8_000) + "]".repeat(8_000);
  assertStrictEquals(parseControl(`["ping",${deep},0]`), undefined);
});

Deno.test("parseControl() refuses a hello that names no session", () => {
  const table: Record<string, readonly unknown[]> = {
    session: [undefined, null, 1, "", "a b", "ä", "a\n", "x".repeat(129), {}],
    token: [
      undefined,
      null,
      1,
      "",
      "A".repeat(42),
      "A".repeat(44),
      "A".repeat(42) + "+",
      `${TOKEN}\n`,
    ],
    attempt: [undefined, null, 0, -1, 1.5, "1", 2 ** 53],
    received: [null, -1, 0.5, "1", 2 ** 53],
  };
  for (const [member, values] of Object.entries(table)) {
    for (const value of values) {
      assertStrictEquals(parseHello({ [member]: value }), undefined, `${member}: ${value}`);
    }
  }
  assertEquals(parseHello({ session: "x".repeat(128) })?.session.length, 128);
});

Deno.test("parseControl() reads a hello that says no more than it must", () => {
  assertEquals(parse(["hello", { session: "s", token: TOKEN, attempt: 2 }]), {
    type: "hello",
    hello: {
      session: "s",
      token: TOKEN,
      attempt: 2,
      resume: false,
      received: 0,
      limits: DEFAULTS,
      accept: [],
      promptAck: false,
      client: undefined,
    },
  });
});

Deno.test("parseControl() takes only true for a switch of a hello", () => {
  for (const value of [1, "true", null, {}, false]) {
    const hello = parseHello({ resume: value, promptAck: value });
    assertEquals([hello?.resume, hello?.promptAck], [false, false]);
  }
});

Deno.test("parseControl() brings every limit into its range", () => {
  const read = (value: unknown) => {
    const limits = { messageBytes: value, bufferBytes: value, bufferMessages: value };
    const told = parseWelcome({ limits })?.limits;
    return [told?.messageBytes, told?.bufferBytes, told?.bufferMessages];
  };
  assertEquals(read(-1), [1_024, 1_024, 1]);
  assertEquals(read(1e300), [2 ** 30, 2 ** 30, 2 ** 20]);
  assertEquals(read("9"), [1_048_576, 1_048_576, 1_024]);
  for (const limits of [null, [], "x", undefined, 1]) {
    assertEquals(parseWelcome({ limits })?.limits, DEFAULTS);
    assertEquals(parseHello({ limits })?.limits, DEFAULTS);
  }
});

Deno.test("parseControl() brings the times of a welcome into their ranges", () => {
  const read = (value: unknown) => {
    const welcome = parseWelcome({ windowMs: value, pingMs: value });
    return [welcome?.windowMs, welcome?.pingMs];
  };
  assertEquals(read(-5), [0, 1_000]);
  assertEquals(read(1e12), [86_400_000, 300_000]);
  assertEquals(read(undefined), [120_000, 25_000]);
  assertEquals(read("1"), [120_000, 25_000]);
});

Deno.test("parseControl() refuses a welcome that does not say whether and from where", () => {
  for (const resumed of [undefined, null, 1, "true"]) {
    assertStrictEquals(parseWelcome({ resumed }), undefined);
  }
  for (const received of [null, -1, 0.5, "0", 2 ** 53]) {
    assertStrictEquals(parseWelcome({ received }), undefined);
  }
  assertEquals(parseWelcome({ received: undefined })?.received, 0);
});

Deno.test("parseControl() forgets names, encodings and reasons that are none", () => {
  for (const client of [null, "x", [], {}, { name: "x" }, { name: 1, version: "1" }]) {
    assertEquals(parseHello({ client })?.client, undefined);
  }
  for (const name of ["", "a\nb", "a\u0000", "x".repeat(129)]) {
    assertEquals(parseHello({ client: { name, version: "1" } })?.client, undefined);
    assertEquals(parseWelcome({ server: { name: "s", version: name } })?.server, undefined);
  }
  assertEquals(parseHello({ client: { name: "n", version: "1", more: 1 } })?.client, {
    name: "n",
    version: "1",
  });
  assertEquals(parseHello({ accept: ["a", 1, null, "b"] })?.accept, ["a", "b"]);
  for (const accept of [undefined, "a", { 0: "a" }]) {
    assertEquals(parseHello({ accept })?.accept, []);
  }
  assertEquals(parseWelcome({ reason: 1 })?.reason, undefined);
  assertEquals(parseWelcome({ reason: "x".repeat(600) })?.reason?.length, 512);
});

Deno.test("parseControl() reads a goaway, whatever it says", () => {
  const table: [Record<string, unknown>, Goaway][] = [
    [{}, { afterMs: 10_000, reason: "", sessions: "lost", url: undefined }],
    [{ afterMs: -1, reason: 1, sessions: "Kept", url: 1 }, {
      afterMs: 0,
      reason: "",
      sessions: "lost",
      url: undefined,
    }],
    [{ afterMs: 1e9, reason: "x", sessions: "kept", url: "" }, {
      afterMs: 600_000,
      reason: "x",
      sessions: "kept",
      url: "",
    }],
  ];
  for (const [content, goaway] of table) {
    assertEquals(parse(["goaway", content]), { type: "goaway", goaway });
  }
});

Deno.test("parseControl() reads an end with a close code only", () => {
  for (const code of [undefined, null, "4400", 999, 5_000, -1, 1_000.5, 2 ** 53]) {
    assertStrictEquals(parse(["end", { code }]), undefined, `${code}`);
  }
  for (const code of [1_000, 4_999]) {
    const end = { code, reason: "", retryAfterMs: 0 };
    assertEquals(parse(["end", { code }]), { type: "end", end });
  }
  const late = parse(["end", { code: 1_013, reason: null, retryAfterMs: 1e12 }]);
  assertEquals(late, { type: "end", end: { code: 1_013, reason: "", retryAfterMs: 300_000 } });
});

Deno.test("what an end says of itself is always short enough to be read", () => {
  const reason = "\u0000".repeat(20_000);
  const frames = [
    endFrame({ code: 1_000, reason }),
    goawayFrame({ ...GOAWAY, reason }),
    welcomeFrame({ ...WELCOME, reason }),
  ];
  for (const frame of frames) assert(parseControl(frame) !== undefined, frame.slice(0, 20));
});
