import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ClientSession, type ClientWireEvents } from "../../client/client_session.ts";
import { OPEN_SIZES } from "../../protocol/session/frames.ts";
import type { Outgoing } from "../../protocol/session/outgoing.ts";
import type { Json } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { FakeWire, limits, messagesIn, notification, request } from "../protocol/session/_wires.ts";

/** Until the messages of this turn have been written. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A session, and what it tells. */
class Sessions {
  readonly clock = new ManualClock();
  readonly told: Json[] = [];
  readonly poisoned: Outgoing[] = [];
  readonly session: ClientSession;

  constructor(own: Json = {}) {
    this.session = new ClientSession({
      limits: limits(own),
      sizes: OPEN_SIZES,
      promptAck: true,
      poisoned: (message) => this.poisoned.push(message),
      clock: this.clock,
    });
  }

  /** Opens it on a wire of its own. */
  open(label = ""): FakeWire {
    const wire = new FakeWire();
    const tell = (name: string) => (...details: unknown[]) =>
      void this.told.push([`${label}${name}`, ...details]);
    const events: ClientWireEvents = {
      message: tell("message"),
      opened: (welcome, replayed) => tell("opened")(welcome.resumed, replayed),
      pong: tell("pong"),
      goaway: ({ reason }) => tell("goaway")(reason),
      left: tell("left"),
      unknown: tell("unknown"),
      unspoken: tell("unspoken"),
      ended: ({ code, retryAfterMs }) => tell("ended")(code, retryAfterMs),
      bye: tell("bye"),
      violation: tell("violation"),
    };
    this.session.open(wire, events);
    return wire;
  }

  /** Opens it, and welcomes it. */
  welcomed(changes: Json = {}, label = ""): FakeWire {
    const wire = this.open(label);
    this.session.receive(wire, welcome(changes));
    wire.take();
    return wire;
  }

  /** What was told since the last look. */
  take(): Json[] {
    return this.told.splice(0);
  }
}

function welcome(changes: Json = {}): string {
  return JSON.stringify(["welcome", { resumed: false, received: 0, limits: limits(), ...changes }]);
}

function helloIn(wire: FakeWire): Json {
  const [name, hello] = JSON.parse(wire.frames[0] ?? "[]");
  assertEquals(name, "hello");
  return hello;
}

Deno.test("ClientSession says hello first, and mints label and token once", () => {
  const one = new Sessions();
  const first = helloIn(one.open());
  const second = helloIn(one.open());
  assertEquals(first, {
    session: one.session.id,
    token: first.token,
    attempt: 1,
    resume: false,
    received: 0,
    limits: limits(),
    accept: [],
    promptAck: true,
  });
  assertEquals(second, { ...first, attempt: 2 });
  assert(/^[A-Za-z0-9_-]{43}$/.test(first.token));
  const other = helloIn(new Sessions().open());
  assertNotEquals(other.token, first.token);
  assertNotEquals(other.session, first.session);
});

Deno.test("ClientSession expects a session only when it was welcomed", () => {
  const sessions = new Sessions();
  sessions.welcomed();
  assertEquals(helloIn(sessions.open()).resume, true);
});

Deno.test("ClientSession is open from the welcome on, until it leaves", () => {
  const sessions = new Sessions();
  const { session } = sessions;
  const wire = sessions.open();
  assertEquals([session.isOpen, session.isBusy, session.welcome], [false, true, undefined]);
  session.receive(wire, welcome({ windowMs: 5_000 }));
  assertEquals([session.isOpen, session.isBusy, session.welcome?.windowMs], [true, false, 5_000]);
  assertEquals(sessions.take(), [["opened", false, 0]]);
  session.leave();
  assertEquals([session.isOpen, session.isBusy, session.attempt], [false, true, 1]);
});

Deno.test("ClientSession tells the older connection that it is left, and ignores it", () => {
  const sessions = new Sessions();
  const old = sessions.welcomed({}, "old ");
  sessions.take();
  const wire = sessions.open("new ");
  assertEquals(sessions.take(), [["old left"]]);
  sessions.session.receive(old, '{"jsonrpc":"2.0","method":"late"}');
  sessions.session.leave(old);
  sessions.session.receive(wire, welcome({ resumed: true }));
  assertEquals(sessions.take(), [["new opened", true, 0]]);
});

Deno.test("ClientSession lets what is small ride behind the first hello alone", async () => {
  const sessions = new Sessions();
  const { session } = sessions;
  assertEquals(session.mayRide(1), false);
  const wire = sessions.open();
  assertEquals(session.mayRide(21_845), true);
  assertEquals(session.mayRide(21_846), false);
  session.send(request(1, { padding: 20_000 }));
  assertEquals([session.mayRide(1_000), session.mayRide(5_000)], [true, false]);
  await turn();
  assertEquals(messagesIn(wire.frames.slice(1)).length, 1);
  session.receive(wire, welcome());
  assertEquals(session.mayRide(1), false);
  session.leave();
  sessions.open();
  assertEquals(session.mayRide(1), false);
});

Deno.test("ClientSession sends nothing but hello before the second welcome, then what is missing", async () => {
  const sessions = new Sessions();
  const { session } = sessions;
  const first = sessions.welcomed();
  for (let n = 1; n <= 3; n++) session.send(notification(n));
  await turn();
  assertEquals(messagesIn(first.take()).length, 3);
  session.leave();
  session.send(notification(4));
  const second = sessions.open();
  assertEquals(second.take().length, 1);
  sessions.take();
  session.receive(second, welcome({ resumed: true, received: 2 }));
  await turn();
  const sent = messagesIn(second.take()).map((text) => JSON.parse(text).params.n);
  assertEquals(sent, [3, 4]);
  assertEquals(sessions.take(), [["opened", true, 2]]);
  assertEquals(session.bufferedMessages, 2);
});

Deno.test("ClientSession resumes a session whose first welcome was lost", () => {
  const sessions = new Sessions();
  const { session } = sessions;
  sessions.open();
  session.send(request(1));
  const wire = sessions.open();
  wire.take();
  session.receive(wire, welcome({ resumed: true, received: 1 }));
  assertEquals([messagesIn(wire.take()), session.bufferedMessages], [[], 0]);
});

Deno.test("ClientSession begins a session anew whose first hello never came through", async () => {
  const sessions = new Sessions();
  const { session } = sessions;
  sessions.open();
  session.send(request(1));
  const wire = sessions.open();
  wire.take();
  session.receive(wire, welcome());
  await turn();
  assertEquals(messagesIn(wire.take()).length, 1);
});

/** First frames, and what they mean before the first welcome and after it. */
const FIRST_FRAMES: Record<string, [frame: string, before: Json[], after: Json[]]> = {
  "end": ['["end",{"code":4503,"retryAfterMs":7}]', [["ended", 4503, 7]], [["ended", 4503, 7]]],
  "a message": ['{"jsonrpc":"2.0","method":"m"}', [["unspoken"]], [[
    "violation",
    "The first frame is no welcome",
  ]]],
  "garbage": ["hello?", [["unspoken"]], [["violation", "The first frame is no welcome"]]],
  "an ack": ['["ack",0]', [["unspoken"]], [["violation", "The first frame is no welcome"]]],
  "a malformed welcome": ['["welcome",{}]', [["unspoken"]], [[
    "violation",
    "The first frame is no welcome",
  ]]],
  "a count of what was never sent": [welcome({ resumed: true, received: 5 }), [[
    "violation",
    "The server has received more than was ever sent",
  ]], [["violation", "The server has received more than was ever sent"]]],
};

for (const [title, [frame, before, after]] of Object.entries(FIRST_FRAMES)) {
  Deno.test(`ClientSession knows what ${title} means instead of the welcome`, () => {
    const fresh = new Sessions();
    fresh.session.receive(fresh.open(), frame);
    assertEquals(fresh.take(), before);
    const known = new Sessions();
    known.welcomed();
    known.session.leave();
    known.take();
    known.session.receive(known.open(), frame);
    assertEquals(known.take(), after);
  });
}

Deno.test("ClientSession is unknown to a server that says so, and to one that begins anew", () => {
  for (const reason of ["Who?", undefined]) {
    const sessions = new Sessions();
    sessions.welcomed();
    sessions.take();
    sessions.session.receive(sessions.open(), welcome({ reason }));
    assertEquals(sessions.take(), [["left"], ["unknown", reason ?? "no reason given"]]);
    assertEquals(sessions.session.isOpen, false);
  }
});

Deno.test("ClientSession finds out that its server has forgotten what it acknowledged", () => {
  const sessions = new Sessions();
  const { session } = sessions;
  const wire = sessions.welcomed();
  session.send(notification(1));
  session.receive(wire, '["ack",1]');
  session.leave();
  sessions.take();
  session.receive(sessions.open(), welcome({ resumed: true, received: 0 }));
  assertEquals(sessions.take(), [["violation", "The server has forgotten what it acknowledged"]]);
});

Deno.test("ClientSession tells the next server how much was handed to the application", () => {
  const sessions = new Sessions();
  const wire = sessions.welcomed();
  sessions.take();
  sessions.session.receive(wire, '{"n":1}\n{"n":2}');
  sessions.session.receive(wire, '+{"n":');
  assertEquals(sessions.take(), [["message", '{"n":1}'], ["message", '{"n":2}']]);
  assertEquals(helloIn(sessions.open()).received, 2);
  assertEquals(sessions.session.progress, 2);
});

Deno.test("ClientSession hands on what steers, and refuses what a server cannot say", () => {
  const sessions = new Sessions();
  const wire = sessions.welcomed();
  sessions.take();
  const { session } = sessions;
  session.receive(wire, '["goaway",{"afterMs":1,"reason":"Bye","sessions":"kept"}]');
  session.receive(wire, '["end",{"code":1012}]');
  session.receive(wire, '["bye",0]');
  session.receive(wire, welcome());
  assertEquals(sessions.take(), [
    ["goaway", "Bye"],
    ["ended", 1012, 0],
    ["bye"],
    ["violation", 'A server cannot say "welcome" now'],
  ]);
});

Deno.test("ClientSession pings with a mark, and hears the answer", () => {
  const sessions = new Sessions();
  const wire = sessions.welcomed();
  sessions.take();
  sessions.session.ping(5);
  assertEquals(wire.take(), ['["ping",5,0]']);
  sessions.session.receive(wire, '["pong",5,0]');
  assertEquals(sessions.take(), [["pong", 5]]);
});

Deno.test("ClientSession.bye() says what was sent, once, and hears no message after it", async () => {
  const sessions = new Sessions();
  const { session } = sessions;
  assertEquals(session.bye(), false);
  const wire = sessions.welcomed();
  let error: unknown = "unsettled";
  session.send(notification(1, { settled: (settled) => error = settled }));
  await turn();
  wire.take();
  assertEquals([session.bye(), session.bye(), wire.take()], [true, true, ['["bye",1]']]);
  sessions.take();
  session.receive(wire, '{"n":1}');
  session.receive(wire, '+{"n":');
  session.receive(wire, '["bye",1]');
  assertEquals(sessions.take(), [["bye"]]);
  // The answer says that it got through.
  assertEquals(error, undefined);
});

Deno.test("ClientSession.bye() can be said behind the first hello, but behind no other", () => {
  const sessions = new Sessions();
  const wire = sessions.open();
  assertEquals(sessions.session.bye(), true);
  assertEquals(wire.frames.at(-1), '["bye",0]');
  sessions.session.receive(wire, '["bye",0]');
  assertEquals(sessions.take(), [["bye"]]);

  const other = new Sessions();
  other.welcomed();
  other.open();
  assertEquals(other.session.bye(), false);
});

Deno.test("ClientSession.end() gives up what the server may not have, and leaves no timer", async () => {
  const sessions = new Sessions();
  const { session } = sessions;
  const wire = sessions.welcomed({ limits: limits({ bufferMessages: 1 }) });
  const errors: unknown[] = [];
  for (let n = 0; n < 3; n++) {
    session.send(notification(n, { settled: (error) => errors.push(error) }));
  }
  session.receive(wire, '{"n":1}');
  const room = session.room();
  const reason = new Error("enough");
  session.end(reason);
  await room;
  assertEquals(errors, [reason, reason, reason]);
  assertEquals([session.bufferedMessages, session.bufferedBytes, sessions.clock.timers], [0, 0, 0]);
});
