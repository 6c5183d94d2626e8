import { assert, assertEquals, equal } from "@std/assert";
import {
  DENO_CLIENT_SIZES,
  type FrameSizes,
  isFrameSize,
  OPEN_SIZES,
} from "../../../protocol/session/frames.ts";
import type { SessionLimits } from "../../../protocol/session/limits.ts";
import { Outgoing } from "../../../protocol/session/outgoing.ts";
import { countBytes } from "../../../protocol/utf8.ts";
import {
  SessionEnd,
  type SessionEndOptions,
  type SteeringFrame,
  type Terms,
} from "../../../protocol/session/session_end.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { randomInteger, seededRandom } from "../../support/random.ts";
import { cancel, FakeWire, limits, messagesIn, notification, request } from "./_wires.ts";

interface Setting {
  readonly end: SessionEnd;
  readonly wire: FakeWire;
  readonly clock: ManualClock;
  readonly messages: string[];
  readonly controls: SteeringFrame[];
  readonly pongs: unknown[];
  readonly violations: string[];
  readonly poisoned: Outgoing[];
  /** What runs when the present turn ends. */
  readonly tasks: (() => void)[];
}

interface Circumstances {
  readonly own?: Partial<SessionLimits>;
  readonly sizes?: FrameSizes;
  readonly onMessage?: (text: string) => void;
  readonly onViolation?: () => void;
  /** Left out, nobody runs tasks. */
  readonly endTurn?: SessionEndOptions["endTurn"];
}

/** An end that has no wire yet. */
function setUp(circumstances: Circumstances = {}): Setting {
  const { own, sizes = OPEN_SIZES, onMessage, onViolation } = circumstances;
  const clock = new ManualClock();
  const messages: string[] = [];
  const controls: SteeringFrame[] = [];
  const pongs: unknown[] = [];
  const violations: string[] = [];
  const poisoned: Outgoing[] = [];
  const tasks: (() => void)[] = [];
  const end = new SessionEnd({
    limits: limits(own),
    sizes,
    clock,
    endTurn: "endTurn" in circumstances ? circumstances.endTurn : (task) => tasks.push(task),
    events: {
      message(text) {
        messages.push(text);
        onMessage?.(text);
      },
      control: (frame) => controls.push(frame),
      pong: (mark) => pongs.push(mark),
      violation(reason) {
        violations.push(reason);
        onViolation?.();
      },
      poisoned: (message) => poisoned.push(message),
    },
  });
  const wire = new FakeWire();
  return { end, wire, clock, messages, controls, pongs, violations, poisoned, tasks };
}

/** An end on its first wire, whose application listens. */
function attached(
  circumstances: Circumstances & Partial<Pick<Terms, "promptAck">> & {
    readonly peer?: Partial<SessionLimits>;
  } = {},
): Setting {
  const setting = setUp(circumstances);
  const { peer, promptAck } = circumstances;
  setting.end.attach(setting.wire, { received: 0, limits: limits(peer), promptAck });
  setting.end.listen();
  return setting;
}

/** Ends the present turn. */
function endTurn({ tasks }: Setting): void {
  for (const task of tasks.splice(0)) task();
}

// Acknowledging.

Deno.test("SessionEnd acknowledges a second after the first message that it did not tell of", () => {
  const { end, wire, clock } = attached();
  end.receive("{1}");
  clock.advance(950);
  end.receive("{2}\n{3}");
  clock.advance(49);
  assertEquals([wire.take(), clock.timers], [[], 1]);
  clock.advance(1);
  assertEquals([wire.take(), clock.timers], [['["ack",3]'], 0]);
  clock.advance(10_000);
  end.receive("={4}");
  clock.advance(1_000);
  assertEquals([wire.take(), clock.timers], [['["ack",4]'], 0]);
});

Deno.test("SessionEnd acknowledges 256 messages at once", () => {
  const { end, wire, clock } = attached();
  for (let n = 1; n < 256; n++) end.receive("{}");
  assertEquals(wire.frames, []);
  end.receive("{}");
  assertEquals(wire.take(), ['["ack",256]']);
  clock.advance(10_000);
  assertEquals([wire.frames, clock.timers], [[], 0]);
});

Deno.test("SessionEnd acknowledges a quarter of its window at once", () => {
  const { end, wire } = attached({ own: { bufferBytes: 400, bufferMessages: 16 } });
  end.receive("{}\n{}\n{}");
  assertEquals(wire.frames, []);
  end.receive("{}");
  assertEquals(wire.take(), ['["ack",4]']);
  end.receive("+" + "x".repeat(50));
  end.receive("=" + "x".repeat(50));
  assertEquals(wire.take(), ['["ack",5]']);
});

Deno.test("SessionEnd acknowledges a quarter of the peer's window where that is smaller", () => {
  const { end, wire } = attached({ peer: { bufferMessages: 8 } });
  end.receive("{}\n{}");
  assertEquals(wire.take(), ['["ack",2]']);
  end.agree({ received: 0, limits: limits({ bufferMessages: 16 }) });
  end.receive("{}\n{}\n{}");
  assertEquals(wire.take(), []);
  end.receive("{}");
  assertEquals(wire.take(), ['["ack",6]']);
});

Deno.test("SessionEnd does not acknowledge what nobody listens to", () => {
  const { end, wire, clock } = setUp();
  end.attach(wire, { received: 0, limits: limits() });
  end.receive("{1}\n{2}");
  clock.advance(10_000);
  assertEquals([wire.frames, clock.timers, end.received], [[], 0, 0]);
  end.listen();
  clock.advance(1_000);
  assertEquals([wire.frames, end.received], [['["ack",2]'], 2]);
});

Deno.test("SessionEnd.listen() acknowledges at once where much was held", () => {
  const { end, wire, messages } = setUp({ own: { bufferMessages: 4 } });
  end.attach(wire, { received: 0, limits: limits() });
  end.receive("{1}\n{2}");
  end.listen();
  assertEquals([messages, wire.frames], [["{1}", "{2}"], ['["ack",2]']]);
});

Deno.test("SessionEnd does not acknowledge again what a ping has told", () => {
  const { end, wire, clock } = attached();
  end.receive("{}");
  end.ping(7);
  end.receive('["ping","x",0]');
  assertEquals(wire.take(), ['["ping",7,1]', '["pong","x",1]']);
  clock.advance(10_000);
  assertEquals([wire.frames, clock.timers], [[], 0]);
});

// Prompt acknowledgements.

Deno.test("SessionEnd answers every turn in which it read something and wrote nothing", () => {
  const frames = ["{}", "+x", '["ack",0]', '["drop"]', '["pong",0,0]'];
  for (const frame of frames) {
    const setting = attached({ promptAck: true });
    setting.end.receive(frame);
    setting.end.receive(frame);
    assertEquals([setting.wire.frames, setting.tasks.length], [[], 1], frame);
    endTurn(setting);
    assertEquals(setting.wire.take(), [`["ack",${frame === "{}" ? 2 : 0}]`], frame);
    endTurn(setting);
    assertEquals(setting.wire.frames, []);
    setting.end.receive(frame);
    endTurn(setting);
    assertEquals(setting.wire.frames.length, 1, frame);
  }
});

Deno.test("SessionEnd adds nothing to a turn in which it wrote", () => {
  const table: [string, (setting: Setting) => void][] = [
    ["a message", ({ end }) => end.send(request(1))],
    ["a ping", ({ end }) => end.ping(0)],
    ["a goodbye", ({ end }) => end.bye(0)],
    ["a pong", ({ end }) => end.receive('["ping",0,0]')],
  ];
  for (const [name, write] of table) {
    const setting = attached({ promptAck: true });
    setting.end.receive("{}");
    write(setting);
    endTurn(setting);
    assertEquals([setting.wire.frames.length, setting.tasks.length], [1, 0], name);
  }
});

Deno.test("SessionEnd awaits no end of the turn for a frame that it answers at once", () => {
  const setting = attached({ promptAck: true });
  setting.end.receive('["ping",0,0]');
  assertEquals([setting.wire.take().length, setting.tasks], [1, []]);
});

Deno.test("SessionEnd answers what it read after the last thing it wrote in a turn", () => {
  const setting = attached({ promptAck: true });
  setting.end.receive("{}");
  setting.end.send(request(1));
  setting.end.receive("{}");
  setting.wire.take();
  endTurn(setting);
  assertEquals(setting.wire.take(), ['["ack",2]']);
});

Deno.test("SessionEnd ends no turn promptly unless the peer wants it", () => {
  const setting = attached();
  setting.end.receive("{}");
  assertEquals(setting.tasks, []);
});

Deno.test("SessionEnd acknowledges in time where nobody ends its turns", () => {
  const { end, wire, clock } = attached({ promptAck: true, endTurn: undefined });
  end.receive("{}");
  clock.advance(1_000);
  assertEquals(wire.frames, ['["ack",1]']);
});

Deno.test("SessionEnd says nothing at the end of a turn in which the wire was left", () => {
  const setting = attached({ promptAck: true });
  const { end, wire } = setting;
  end.receive("{}");
  end.detach();
  endTurn(setting);
  assertEquals(wire.frames, []);
  const next = new FakeWire();
  end.attach(next, { received: 0, limits: limits(), promptAck: true });
  end.receive("{}");
  endTurn(setting);
  assertEquals([next.frames, setting.clock.timers], [['["ack",2]'], 1]);
});

Deno.test("SessionEnd tells a new wire nothing for the turn of an older one", () => {
  const setting = attached({ promptAck: true });
  setting.end.receive("{}");
  const next = new FakeWire();
  setting.end.attach(next, { received: 0, limits: limits() });
  endTurn(setting);
  assertEquals(next.frames, []);
});

Deno.test("SessionEnd.attach() begins a turn of its own", () => {
  const setting = attached({ promptAck: true });
  setting.end.receive("{}");
  const next = new FakeWire();
  setting.end.attach(next, { received: 0, limits: limits(), promptAck: true });
  setting.end.receive("{}");
  endTurn(setting);
  assertEquals(next.frames, ['["ack",2]']);
});

// Steering.

Deno.test("SessionEnd takes the count of every ping and pong for an acknowledgement", () => {
  const { end, wire, pongs } = attached();
  for (const id of [1, 2, 3]) end.send(request(id));
  wire.take();
  end.receive('["ack",1]');
  assertEquals(end.bufferedMessages, 2);
  end.receive('["ping",{"t":1},2]');
  assertEquals([end.bufferedMessages, wire.take()], [1, ['["pong",{"t":1},0]']]);
  end.receive('["pong",[5],3]');
  assertEquals([end.bufferedMessages, end.bufferedBytes, pongs], [0, 0, [[5]]]);
  end.receive('["ack",1]');
  assertEquals(end.bufferedMessages, 0);
});

Deno.test("SessionEnd leaves what steers the session to its listener", () => {
  const { end, controls, violations } = attached();
  const token = "x".repeat(43);
  end.receive(`["hello",{"session":"s","token":"${token}","attempt":1}]`);
  end.receive('["welcome",{"resumed":true}]');
  end.receive('["goaway",{}]');
  end.receive('["end",{"code":1000}]');
  end.receive('["bye",3]');
  assertEquals(controls.map(({ type }) => type), ["hello", "welcome", "goaway", "end", "bye"]);
  assertEquals(violations, []);
});

Deno.test("SessionEnd.bye() says goodbye with a number", () => {
  const { end, wire } = attached();
  end.send(request(1));
  wire.take();
  end.bye(end.sent);
  assertEquals(wire.frames, ['["bye",1]']);
});

Deno.test("SessionEnd forgets the message in pieces when it is dropped", () => {
  const { end, messages } = attached();
  for (const frame of ["+{1", '["drop"]', "={2}"]) end.receive(frame);
  assertEquals(messages, ["{2}"]);
});

Deno.test("SessionEnd tells of every frame that breaks the protocol", () => {
  const unknown = "Unknown kind of frame";
  const malformed = "Malformed control frame";
  const table: [string, string][] = [
    ["", unknown],
    [" {}", unknown],
    ["x", unknown],
    ["\n", unknown],
    ["-x", unknown],
    ["[", malformed],
    ['["nonsense"]', malformed],
    ['["ack",-1]', malformed],
    ["+", "A piece is empty"],
    ["=", "A piece is empty"],
  ];
  for (const [frame, reason] of table) {
    const { end, violations, messages, controls } = attached();
    end.receive(frame);
    assertEquals([violations, messages, controls], [[reason], [], []], frame);
  }
});

Deno.test("SessionEnd refuses an acknowledgement of what was never sent, and all else it says", () => {
  for (const frame of ['["ack",2]', '["ping",0,2]', '["pong",0,2]']) {
    const { end, violations, wire, pongs } = attached();
    end.send(request(1));
    wire.take();
    end.receive(frame);
    assertEquals(violations, ["Acknowledgement of a message that was never sent"], frame);
    assertEquals([wire.frames, pongs, end.bufferedMessages], [[], [], 1], frame);
  }
});

// Wires.

Deno.test("SessionEnd reads nothing without a wire", () => {
  const { end, wire, messages, violations } = setUp();
  end.listen();
  end.receive("{}");
  end.attach(wire, { received: 0, limits: limits() });
  end.detach();
  for (const frame of ["{}", "={}", "x", '["ack",9]', '["bye",0]']) end.receive(frame);
  assertEquals([messages, violations, end.received], [[], [], 0]);
});

Deno.test("SessionEnd leaves no timer when it leaves the wire", () => {
  for (
    const leave of [
      (end: SessionEnd) => end.detach(),
      (end: SessionEnd) => end.end(() => new Error()),
    ]
  ) {
    const { end, wire, clock } = attached();
    end.receive("{}");
    wire.isCongested = true;
    end.send(request(1));
    assertEquals(clock.timers, 2);
    leave(end);
    assertEquals(clock.timers, 0);
    end.send(request(2));
    end.ping(0);
    end.bye(0);
    end.listen();
    clock.advance(10_000);
    assertEquals([wire.frames, clock.timers], [[], 0]);
  }
});

Deno.test("SessionEnd.attach() has told its count, and starts pieces over", () => {
  const { end, clock, messages } = attached();
  end.receive("{1}");
  end.receive("+{2");
  const next = new FakeWire();
  end.attach(next, { received: 0, limits: limits() });
  clock.advance(10_000);
  assertEquals(next.frames, []);
  end.receive("={2}");
  assertEquals([messages, end.received], [["{1}", "{2}"], 2]);
});

Deno.test("SessionEnd stops within a frame when the application leaves the wire", () => {
  const leaving: ((setting: Setting) => void)[] = [
    ({ end }) => end.detach(),
    ({ end }) => end.end(() => new Error("gone")),
    ({ end }) => end.attach(new FakeWire(), { received: 0, limits: limits() }),
  ];
  for (const leave of leaving) {
    const setting = attached({ onMessage: (text) => text === "{2}" && leave(setting) });
    setting.end.receive("{1}\n{2}\n{3}");
    assertEquals([setting.messages, setting.end.received], [["{1}", "{2}"], 2]);
    assertEquals([setting.wire.frames, setting.clock.timers], [[], 0]);
  }
});

Deno.test("SessionEnd reads no further when a violation makes the listener leave", () => {
  const setting = setUp({ own: { bufferMessages: 1 }, onViolation: () => setting.end.detach() });
  setting.end.attach(setting.wire, { received: 0, limits: limits() });
  setting.end.receive("{1}\n{2}\n{3}");
  setting.end.receive("x");
  assertEquals(setting.violations.length, 1);
});

Deno.test("SessionEnd sends what the application says while it reads", () => {
  const answer = notification(1);
  const { end, wire } = attached({ onMessage: () => end.send(answer) });
  end.receive("{1}\n{2}");
  assertEquals(wire.frames, [answer.text, answer.text]);
});

Deno.test("SessionEnd tells what it holds and what waits", () => {
  const { end, wire } = setUp();
  const messages = [request(1, { padding: 500 }), notification(2)];
  const bytes = messages.reduce((sum, message) => sum + message.bytes, 0);
  for (const message of messages) end.send(message);
  const read =
    () => [end.bufferedMessages, end.bufferedBytes, end.waitingMessages, end.waitingBytes];
  assertEquals(read(), [2, bytes, 2, bytes]);
  assertEquals([end.maxMessageBytes, end.isBusy, end.sent], [2 ** 24, false, 0]);
  end.attach(wire, { received: 0, limits: limits({ messageBytes: 5_000 }) });
  assertEquals(read(), [2, bytes, 0, 0]);
  assertEquals([end.maxMessageBytes, end.sent, end.judge(2), end.judge(3)], [
    5_000,
    2,
    "resumable",
    "impossible",
  ]);
});

Deno.test("SessionEnd.agree() takes what the peer says late: its count and its limits", () => {
  const { end, wire } = setUp();
  end.attach(wire, { received: 0, limits: limits({ bufferMessages: 1 }) });
  for (const id of [1, 2, 3, 4]) end.send(request(id));
  assertEquals(end.sent, 1);
  end.agree({ received: 1, limits: limits({ bufferMessages: 2, messageBytes: 9_000 }) });
  assertEquals([end.sent, end.bufferedMessages, end.maxMessageBytes], [3, 3, 9_000]);
});

Deno.test("SessionEnd.progress grows with what gets through in either direction", () => {
  const { end } = attached();
  end.send(request(1));
  assertEquals(end.progress, 0);
  end.receive("{}");
  assertEquals(end.progress, 1);
  end.receive('["ack",1]');
  assertEquals(end.progress, 2);
});

Deno.test("SessionEnd.room() resolves when it ends", async () => {
  const { end } = attached({ peer: { bufferMessages: 1 } });
  end.send(request(1));
  const room = end.room();
  assertEquals(end.isBusy, true);
  end.end(() => new Error("gone"));
  await room;
});

Deno.test("SessionEnd tells of a message that never gets through", () => {
  const { end, poisoned } = setUp();
  end.send(request(1));
  for (let n = 0; n < 18; n++) end.attach(new FakeWire(), { received: 0, limits: limits() });
  assertEquals(poisoned, []);
  end.attach(new FakeWire(), { received: 0, limits: limits() });
  assertEquals(poisoned.map(({ id }) => id), [1]);
});

// Two ends.

/** Frames that are on their way to the other end. */
class Direction extends FakeWire {
  readonly sizes: FrameSizes;

  constructor(sizes: FrameSizes) {
    super();
    this.sizes = sizes;
  }

  override send(text: string): void {
    assert(isFrameSize(countBytes(text), this.sizes), `A frame of ${countBytes(text)} bytes`);
    super.send(text);
    this.fill();
  }

  /** As full as the frames make it. */
  fill(): void {
    this.bufferedAmount = this.frames.reduce((sum, { length }) => sum + length, 0);
    this.isCongested = this.bufferedAmount > 1_000_000;
  }
}

interface Side {
  readonly end: SessionEnd;
  readonly clock: ManualClock;
  readonly sizes: FrameSizes;
  readonly own: SessionLimits;
  readonly isPrompt: boolean;
  readonly tasks: (() => void)[];
  /** What the application was given. */
  readonly got: string[];
  /** What it sent, each in its own order: requests with responses, and notifications. */
  readonly sent: string[];
  /** How each message was settled. */
  readonly settled: Map<string, number>;
  wire: Direction | undefined;
}

function side(sizes: FrameSizes, own: SessionLimits, isPrompt: boolean): Side {
  const clock = new ManualClock();
  const got: string[] = [];
  const tasks: (() => void)[] = [];
  const end = new SessionEnd({
    limits: own,
    sizes,
    clock,
    endTurn: (task) => tasks.push(task),
    events: {
      message: (text) => got.push(text),
      control: () => assert(false, "No steering here"),
      pong: () => {},
      violation: (reason) => assert(false, reason),
      poisoned: () => assert(false, "Nothing is given up"),
    },
  });
  const settled = new Map<string, number>();
  return { end, clock, sizes, own, isPrompt, tasks, got, sent: [], settled, wire: undefined };
}

/** Opens a new pair of wires, at the one end first. */
function join(a: Side, b: Side): void {
  const [fromA, fromB] = [a.end.received, b.end.received];
  assertEquals([a.end.judge(fromB), b.end.judge(fromA)], ["resumable", "resumable"]);
  for (const [one, other, received] of [[a, b, fromB], [b, a, fromA]] as const) {
    one.end.detach();
    one.wire = new Direction(one.sizes);
    one.end.attach(one.wire, { received, limits: other.own, promptAck: other.isPrompt });
  }
}

/** Moves some frames from one end to the other. */
function carry(from: Side, to: Side, frames: number): void {
  const { wire } = from;
  for (let n = 0; n < frames; n++) {
    const frame = wire?.frames.shift();
    if (frame === undefined) break;
    to.end.receive(frame);
  }
  wire?.fill();
}

function pass(sides: readonly Side[], ms: number): void {
  for (const { tasks, clock } of sides) {
    for (const task of tasks.splice(0)) task();
    clock.advance(ms);
  }
}

function makeMessage(random: () => number, n: number, large: number): Outgoing["text"] {
  const isLarge = random() < 0.08;
  const length = randomInteger(random, isLarge ? large : random() < 0.2 ? 3_000 : 200);
  const filling = ["x", "é", "€", "😀"][randomInteger(random, 4)] ?? "x";
  return JSON.stringify({ n, x: filling.repeat(Math.ceil(length / filling.length)) });
}

function send(one: Side, random: () => number, n: number, large: number): void {
  const text = makeMessage(random, n, large);
  const body = text.slice(1);
  const kind = randomInteger(random, 3);
  const head = kind === 0
    ? `{"jsonrpc":"2.0","method":"n",`
    : kind === 1
    ? `{"jsonrpc":"2.0","id":${n},"method":"m",`
    : `{"jsonrpc":"2.0","id":${n},"result":{},`;
  const whole = head + body;
  const settled = (error?: Error) => {
    assertEquals(error, undefined);
    one.settled.set(whole, (one.settled.get(whole) ?? 0) + 1);
  };
  one.sent.push(whole);
  one.end.send(new Outgoing(JSON.parse(whole), whole, settled));
}

/** Messages of one kind keep their order, whatever passes them. */
function isNotification(text: string): boolean {
  return text.startsWith('{"jsonrpc":"2.0","method"');
}

/** A response comes after the notifications that were sent before it. */
function assertProgressFirst(sent: readonly string[], got: readonly string[]): void {
  const places = new Map(got.map((text, place) => [text, place]));
  let latest = -1;
  for (const text of sent) {
    const place = places.get(text) ?? -1;
    if (isNotification(text)) latest = Math.max(latest, place);
    else if (text.includes('"result"')) assert(place > latest, "A response came too early");
  }
}

function walk(seed: number, cutChance: number): void {
  const random = seededRandom(seed);
  const some = () => ({
    messageBytes: 2 ** 24,
    bufferBytes: 1_024 + randomInteger(random, random() < 0.5 ? 4_000 : 1_000_000),
    bufferMessages: 1 + randomInteger(random, random() < 0.5 ? 4 : 400),
  });
  const a = side(DENO_CLIENT_SIZES, some(), true);
  const b = side(OPEN_SIZES, some(), false);
  const sides = [a, b] as const;
  // A peer that listens late looks like a proxy that lets nothing through.
  const listens = sides.map(() => randomInteger(random, 100));
  // What takes longer than a wire lasts never gets through.
  const large = cutChance < 0.02 && random() < 0.3 ? 400_000 : 60_000;
  let n = 0;
  for (let step = 0; step < 600; step++) {
    for (const [index, one] of sides.entries()) {
      if (step === listens[index]) one.end.listen();
      if (random() < 0.4 && n < 300) send(one, random, n++, large);
      const other = index === 0 ? b : a;
      if (random() < 0.7) carry(one, other, randomInteger(random, random() < 0.5 ? 4 : 200));
      if (random() < 0.02) one.end.ping(step);
    }
    if (random() < 0.5) pass(sides, randomInteger(random, 60));
    if (random() < 0.1 * cutChance) { for (const one of sides) one.end.detach(); }
    if (a.wire === undefined || random() < cutChance) join(a, b);
  }
  join(a, b);
  // Whatever happened: without more cuts all comes to rest.
  for (let round = 0; round < 3_000; round++) {
    carry(a, b, Infinity);
    carry(b, a, Infinity);
    pass(sides, 20);
    if (a.end.bufferedMessages + b.end.bufferedMessages === 0 && round > 100) break;
  }
  for (const [one, other] of [[a, b], [b, a]] as const) {
    const state = [one.end.bufferedMessages, one.end.bufferedBytes, one.end.waitingBytes];
    assertEquals(state, [0, 0, 0], `seed ${seed}`);
    assert(equal(other.got.toSorted(), one.sent.toSorted()), `Not exactly once: seed ${seed}`);
    const [got, sent] = [other.got, one.sent].map((texts) => texts.filter(isNotification));
    assert(equal(got, sent), `Not in order: seed ${seed}`);
    assertProgressFirst(one.sent, other.got);
    assertEquals([...one.settled.values()].filter((times) => times !== 1), []);
    assertEquals(one.settled.size, one.sent.length);
    assertEquals(other.end.received, one.sent.length);
    one.end.detach();
    assertEquals(one.clock.timers, 0);
  }
}

Deno.test("SessionEnd delivers everything exactly once and in order, wherever wires are cut", () => {
  for (let seed = 1; seed <= 60; seed++) walk(seed, [0, 0.01, 0.05][seed % 3] ?? 0);
});

Deno.test("SessionEnd keeps the window of its peer full without waiting for its timer", () => {
  for (const [own, peer] of [[64, 4_096], [4_096, 64], [8, 8]] as const) {
    const a = side(OPEN_SIZES, limits({ bufferMessages: own }), false);
    const b = side(OPEN_SIZES, limits({ bufferMessages: peer }), false);
    b.end.listen();
    join(a, b);
    for (let id = 0; id < 1_000; id++) a.end.send(request(id));
    for (let round = 0; round < 1_000; round++) {
      carry(a, b, Infinity);
      carry(b, a, Infinity);
    }
    assertEquals([b.got.length, a.end.waitingMessages], [1_000, 0]);
  }
});

Deno.test("SessionEnd lets a peer that does not listen yet be sent a window, and no more", () => {
  for (const bufferMessages of [1, 2, 8]) {
    const a = side(OPEN_SIZES, limits(), false);
    const b = side(OPEN_SIZES, limits({ bufferMessages }), false);
    join(a, b);
    if (a.wire !== undefined) a.wire.onSend = () => {};
    a.end.send(request(0, { padding: 2_000_000 }));
    for (let id = 1; id < 20; id++) a.end.send(request(id));
    for (let round = 0; round < 100; round++) {
      carry(a, b, Infinity);
      pass([a, b], 5);
    }
    assertEquals([a.end.sent, b.got], [bufferMessages, []]);
    b.end.listen();
    for (let round = 0; round < 100; round++) {
      carry(b, a, Infinity);
      carry(a, b, Infinity);
      pass([a, b], 50);
    }
    assertEquals([b.got.length, a.end.bufferedMessages], [20, 0]);
  }
});

Deno.test("SessionEnd takes a cancelled request back, and its peer forgets the pieces", () => {
  const a = side(OPEN_SIZES, limits(), false);
  const b = side(OPEN_SIZES, limits(), false);
  b.end.listen();
  join(a, b);
  const wire = a.wire as Direction;
  wire.bufferedAmount = 500_000;
  wire.onSend = () => wire.bufferedAmount += 100_000;
  a.end.send(request(1, { padding: 2_000_000 }));
  a.end.send(cancel(1));
  a.end.send(notification(2));
  assertEquals(messagesIn(wire.frames), [notification(2).text]);
  carry(a, b, Infinity);
  assertEquals([b.got, b.end.received, a.end.sent], [[notification(2).text], 1, 1]);
});

// Asking how far the peer is.

Deno.test("SessionEnd pings behind messages that are waited for, once a turn", () => {
  const setting = setUp();
  const { end, wire, clock } = setting;
  end.attach(wire, { received: 0, limits: limits() });
  let delivered = 0;
  for (let n = 1; n <= 3; n++) {
    end.send(new Outgoing(undefined, `{"n":${n}}`, () => delivered++));
  }
  assertEquals(wire.frames.length, 3);
  endTurn(setting);
  assertEquals(wire.take().slice(3), ['["ping","ack",0]']);
  end.receive('["pong","ack",2]');
  assertEquals([delivered, wire.frames, clock.timers], [2, [], 0]);
});

Deno.test("SessionEnd does not ping behind messages that nobody waits for", () => {
  const setting = setUp();
  const { end, wire } = setting;
  end.attach(wire, { received: 0, limits: limits() });
  end.send(new Outgoing(undefined, "{}"));
  endTurn(setting);
  assertEquals(wire.take(), ["{}"]);
});

Deno.test("SessionEnd pings only when the peer has said what it takes, and not on a later wire", () => {
  const setting = setUp();
  const { end, wire } = setting;
  end.attach(wire, { received: 0, limits: limits(), isAssumed: true });
  end.send(new Outgoing(undefined, "{}", () => {}));
  endTurn(setting);
  assertEquals(wire.take(), ["{}"]);
  end.agree({ received: 0, limits: limits() });
  assertEquals(wire.take(), ['["ping","ack",0]']);

  end.send(new Outgoing(undefined, "{2}", () => {}));
  end.detach();
  endTurn(setting);
  assertEquals(wire.take(), ["{2}"]);
});
