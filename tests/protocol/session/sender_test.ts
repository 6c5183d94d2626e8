import { assert, assertEquals, assertStrictEquals, equal } from "@std/assert";
import {
  DENO_CLIENT_SIZES,
  type FrameSizes,
  MAX_FRAME_BYTES,
  OPEN_SIZES,
} from "../../../protocol/session/frames.ts";
import type { SessionLimits } from "../../../protocol/session/limits.ts";
import type { Outgoing } from "../../../protocol/session/outgoing.ts";
import { Sender } from "../../../protocol/session/sender.ts";
import type { Task } from "../../../protocol/turn_end.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import {
  cancel,
  FakeWire,
  limits,
  type Making,
  messagesIn,
  notification,
  request,
  response,
} from "./_wires.ts";

interface Setting {
  readonly sender: Sender;
  readonly wire: FakeWire;
  readonly clock: ManualClock;
  readonly poisoned: Outgoing[];
}

interface Circumstances {
  readonly own?: Partial<SessionLimits>;
  readonly peer?: Partial<SessionLimits>;
  readonly sizes?: FrameSizes;
  readonly onPoisoned?: (message: Outgoing) => void;
}

/** A sender that has no wire yet. */
function setUp({ own, sizes = OPEN_SIZES, onPoisoned }: Circumstances = {}): Setting {
  const clock = new ManualClock();
  const poisoned: Outgoing[] = [];
  const sender = new Sender({
    limits: limits(own),
    sizes,
    clock,
    events: {
      poisoned(message) {
        poisoned.push(message);
        onPoisoned?.(message);
      },
    },
  });
  return { sender, wire: new FakeWire(), clock, poisoned };
}

/** A sender on its first wire. */
function attached(circumstances: Circumstances = {}): Setting {
  const setting = setUp(circumstances);
  setting.sender.attach(setting.wire, 0, limits(circumstances.peer));
  return setting;
}

/** Too large for one frame: `pieces` of them. */
function large(pieces: number): Making {
  return { padding: (MAX_FRAME_BYTES - 1) * pieces - 1_000 };
}

/** A wire on which a message of three pieces stands after its first. */
function opened(message: Outgoing, circumstances: Circumstances = {}): Setting {
  const setting = setUp(circumstances);
  setting.wire.onSend = (frame) => {
    if (frame.startsWith("+")) setting.wire.bufferedAmount = 600_000;
  };
  setting.sender.attach(setting.wire, 0, limits(circumstances.peer));
  setting.sender.send(message);
  assertEquals(setting.wire.take().map((frame) => frame[0]), ["+"]);
  return setting;
}

/** The same on a second wire, where the message is sent again. */
function replayed(message: Outgoing): Setting {
  const setting = attached();
  setting.sender.send(message);
  const wire = new FakeWire();
  wire.onSend = () => wire.bufferedAmount = 600_000;
  setting.sender.attach(wire, 0, limits());
  assertEquals(wire.take().map((frame) => frame[0]), ["+"]);
  return { ...setting, wire };
}

/** Lets the open message go on to its end. */
function finish({ wire, clock }: Setting): string[] {
  wire.onSend = undefined;
  wire.bufferedAmount = 0;
  clock.advance(5);
  return wire.take();
}

const texts = (messages: readonly Outgoing[]) => messages.map(({ text }) => text);

async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true);
  await new Promise((resolve) => setTimeout(resolve));
  return settled;
}

// Writing.

Deno.test("Sender.send() writes a message at once, as its own frame", () => {
  const { sender, wire } = attached();
  const messages = [request(1), notification(1), response(2)];
  for (const message of messages) sender.send(message);
  assertEquals(wire.frames, texts(messages));
  assertEquals([sender.last, sender.size, sender.waiting, sender.writes], [3, 3, 0, 3]);
});

Deno.test("Sender.send() keeps what is said without a wire, and joins it on the first one", () => {
  const { sender, wire } = setUp();
  const messages = [request(1), notification(2), cancel(9)];
  for (const message of messages) sender.send(message);
  assertEquals([sender.waiting, sender.last], [3, 0]);
  sender.attach(wire, 0, limits());
  assertEquals(wire.frames, [texts(messages).join("\n")]);
  assertEquals([sender.waiting, sender.last, sender.writes], [0, 3, 1]);
});

Deno.test("Sender joins no more than one frame may have", () => {
  for (const [sizes, most] of [[OPEN_SIZES, 131_072], [DENO_CLIENT_SIZES, 1_024]] as const) {
    const { sender, wire } = setUp({ sizes });
    const messages = Array.from({ length: 3_000 }, (_, n) => notification(n, { padding: n % 400 }));
    for (const message of messages) sender.send(message);
    sender.attach(wire, 0, limits());
    assertEquals(messagesIn(wire.frames), texts(messages));
    assert(wire.frames.every((frame) => frame.length <= most));
    const next = wire.frames.slice(1).map((frame) => frame.split("\n")[0] ?? "");
    for (const [n, first] of next.entries()) {
      assert((wire.frames[n] ?? "").length + first.length + 2 > most, "It would have fitted");
    }
  }
});

Deno.test("Sender.sendTogether() writes one frame, numbers each message, and sends them again", () => {
  const { sender, wire } = attached({ sizes: { ...DENO_CLIENT_SIZES, padded: 65_536 } });
  sender.send(notification(0));
  const messages = [request(1, { padding: 2_000 }), notification(2), request(3)];
  sender.sendTogether(messages);
  const [, frame = "", ...rest] = wire.frames;
  assertEquals([frame.length, rest], [65_536, []]);
  assertEquals(frame.trimEnd(), texts(messages).join("\n"));
  assertEquals([sender.last, sender.size, sender.writes], [4, 4, 2]);
  const next = new FakeWire();
  sender.attach(next, 2, limits());
  assertEquals(messagesIn(next.frames), texts(messages).slice(1));
});

Deno.test("Sender.sendTogether() fills no frame up beyond what the peer takes", () => {
  const sizes = { ...DENO_CLIENT_SIZES, padded: 65_536 };
  const { sender, wire } = attached({ sizes, peer: { messageBytes: 65_535 } });
  const messages = [request(1, { padding: 2_000 }), request(2)];
  sender.sendTogether(messages);
  assertEquals(wire.frames, [texts(messages).join("\n")]);
});

Deno.test("Sender.sendTogether() sends what has no room in the window or no wire as usual", () => {
  const messages = [request(1), request(2), request(3)];
  const { sender, wire } = attached({ peer: { bufferMessages: 2 } });
  sender.sendTogether(messages);
  assertEquals(messagesIn(wire.take()), texts(messages).slice(0, 2));
  sender.acknowledge(2);
  assertEquals(messagesIn(wire.take()), texts(messages).slice(2));
  const without = setUp();
  without.sender.sendTogether(messages);
  without.sender.attach(without.wire, 0, limits());
  assertEquals(without.wire.frames, [texts(messages).join("\n")]);
});

Deno.test("Sender writes the largest frame whole and cuts the next larger message", () => {
  const frameOf = (bytes: number) => {
    const { sender, wire } = attached();
    sender.send(request(1, { padding: bytes - request(1, { padding: 1 }).text.length + 1 }));
    return wire.frames.map((frame) => frame.length);
  };
  assertEquals(frameOf(MAX_FRAME_BYTES), [MAX_FRAME_BYTES]);
  assertEquals(frameOf(MAX_FRAME_BYTES + 1), [MAX_FRAME_BYTES, 3]);
});

Deno.test("Sender writes nothing inside the gap of a Deno client", () => {
  const { sender, wire } = setUp({ sizes: DENO_CLIENT_SIZES });
  const sizes = [1_000, 1_024, 1_025, 5_000, 65_535, 65_536, 131_072, 140_000, 200_000, 300_000];
  const messages = sizes.map((padding, n) => notification(n, { padding }));
  for (const message of messages) sender.send(message);
  sender.attach(wire, 0, limits());
  for (const message of messages) sender.send(message);
  assert(equal(messagesIn(wire.frames), texts([...messages, ...messages])));
  for (const { length } of wire.frames) {
    assert(length <= 1_024 || (length >= 65_536 && length <= 131_072), `${length}`);
  }
});

// The window.

Deno.test("Sender waits when the window is full of messages, and goes on when it is told", () => {
  const { sender, wire } = attached({ peer: { bufferMessages: 2 } });
  const messages = [request(1), request(2), request(3), request(4), request(5)];
  for (const message of messages) sender.send(message);
  assertEquals([messagesIn(wire.frames).length, sender.waiting], [2, 3]);
  assertEquals(sender.acknowledge(1), "advanced");
  assertEquals([messagesIn(wire.frames).length, sender.waiting], [3, 2]);
  sender.acknowledge(3);
  assertEquals(messagesIn(wire.frames), texts(messages));
  assertEquals([sender.last, sender.acknowledged, sender.size], [5, 3, 2]);
});

Deno.test("Sender waits when the window is full of bytes", () => {
  const message = request(1, { padding: 1_000 });
  const { sender, wire } = attached({ peer: { bufferBytes: message.bytes * 2 } });
  for (let n = 0; n < 3; n++) sender.send(request(1, { padding: 1_000 }));
  assertEquals([wire.frames.length, sender.waiting], [2, 1]);
  sender.acknowledge(1);
  assertEquals([wire.frames.length, sender.waiting], [3, 0]);
});

Deno.test("Sender keeps to its own window where it is the smaller one", () => {
  const { sender, wire } = attached({ own: { bufferMessages: 1 } });
  for (const id of [1, 2]) sender.send(request(id));
  assertEquals(wire.frames.length, 1);
});

Deno.test("Sender lets one message of any size into an empty window", () => {
  const { sender, wire } = attached({ peer: { bufferBytes: 1_024 } });
  sender.send(request(1, large(3)));
  sender.send(request(2, { padding: 1_000 }));
  assertEquals(wire.frames.map((frame) => frame[0]), ["+", "+", "="]);
  assertEquals([sender.waiting, sender.last], [1, 1]);
  sender.acknowledge(1);
  assertEquals([sender.waiting, sender.last], [0, 2]);
});

Deno.test("Sender.agree() opens the window as far as the peer says", () => {
  const { sender, wire } = attached({ peer: { bufferMessages: 1, messageBytes: 2_000 } });
  assertEquals(sender.maxMessageBytes, 2_000);
  for (const id of [1, 2, 3]) sender.send(request(id));
  assertEquals(sender.last, 1);
  sender.agree(limits({ bufferMessages: 2, messageBytes: 3_000 }));
  assertEquals([sender.last, sender.maxMessageBytes, wire.frames.length], [2, 3_000, 2]);
});

Deno.test("Sender.acknowledge() refuses what was never sent", () => {
  const { sender } = attached();
  sender.send(request(1));
  assertEquals([sender.acknowledge(2), sender.size], ["impossible", 1]);
  assertEquals([sender.acknowledge(0), sender.acknowledge(1)], ["known", "advanced"]);
});

Deno.test("Sender counts an open message among those that the peer may not have", () => {
  const message = request(1, large(3));
  const setting = opened(message);
  const { sender } = setting;
  const read = () => [sender.size, sender.waiting, sender.bytes, sender.waitingBytes];
  assertEquals(read(), [1, 1, message.bytes, message.bytes]);
  finish(setting);
  assertEquals(read(), [1, 0, message.bytes, 0]);
  sender.acknowledge(1);
  assertEquals(read(), [0, 0, 0, 0]);
});

// Overtaking.

Deno.test("Sender lets small messages pass an open one, as far as the order allows", () => {
  const open = {
    request: request(1, large(3)),
    response: response(1, large(3)),
    notification: notification(1, large(3)),
  };
  const table: [keyof typeof open, Outgoing, boolean][] = [
    ["request", request(2), true],
    ["request", response(1), true],
    ["request", cancel(2), true],
    ["request", notification(2), false],
    ["response", request(1), true],
    ["response", response(2), true],
    ["response", cancel(1), true],
    ["response", notification(2), false],
    ["notification", request(1), true],
    ["notification", response(1), false],
    ["notification", cancel(1), true],
    ["notification", notification(2), false],
  ];
  for (const [lane, message, passes] of table) {
    const setting = opened(open[lane]);
    setting.sender.send(message);
    const what = `${message.lane} ${passes ? "passes" : "waits for"} ${lane}`;
    assertEquals(setting.wire.take(), passes ? [message.text] : [], what);
    const rest = passes ? [] : [message.text];
    assertEquals(finish(setting).slice(2), rest, what);
    assertEquals(setting.sender.last, 2);
    open[lane].wasComplete = false;
  }
});

Deno.test("Sender lets nothing pass the first message that has to wait", () => {
  const big = request(1, large(3));
  const setting = opened(big);
  const waiting = [notification(1), request(2), response(3)];
  for (const message of waiting) setting.sender.send(message);
  assertEquals(setting.wire.take(), []);
  const frames = finish(setting);
  assertEquals(frames.slice(2), [texts(waiting).join("\n")]);
});

Deno.test("Sender lets no message pass that would need pieces itself", () => {
  const setting = opened(request(1, large(3)), { sizes: DENO_CLIENT_SIZES });
  setting.sender.send(request(2, { padding: 5_000 }));
  setting.sender.send(request(3));
  assertEquals(setting.wire.take(), []);
  const frames = finish(setting);
  assertEquals(messagesIn(frames.filter((frame) => frame.startsWith("{"))).length, 1);
});

Deno.test("Sender lets nothing pass on a congested wire", () => {
  const setting = opened(request(1, large(3)));
  setting.wire.isCongested = true;
  setting.sender.send(request(2));
  assertEquals(setting.wire.take(), []);
  setting.wire.isCongested = false;
  setting.clock.advance(5);
  assertEquals(setting.wire.take(), [request(2).text]);
});

Deno.test("Sender keeps room in the window for the open message", () => {
  const big = request(1, large(3));
  const table: [Partial<SessionLimits>, making: Making, passing: number][] = [
    [{ bufferMessages: 1 }, {}, 0],
    [{ bufferMessages: 3 }, {}, 2],
    [{ bufferBytes: big.bytes * 1.5 }, { padding: big.bytes / 7 }, 3],
    // One that is larger than the window takes none of its room.
    [{ bufferBytes: request(2).bytes * 4 }, {}, 4],
  ];
  for (const [peer, making, passing] of table) {
    const setting = opened(request(1, large(3)), { peer });
    for (let id = 2; id < 9; id++) setting.sender.send(request(id, making));
    assertEquals(setting.wire.take().length, passing, JSON.stringify(peer));
    finish(setting);
    assertEquals(setting.sender.last, passing + 1);
  }
});

Deno.test("Sender lets nothing pass that alone is more than the window", () => {
  const setting = opened(request(1, large(3)), { peer: { bufferBytes: 1_024 } });
  setting.sender.send(request(2, { padding: 1_024 }));
  assertEquals(setting.wire.take(), []);
});

Deno.test("Sender lets small messages pass one that waits for the window, however many", () => {
  const { sender, wire } = attached({ peer: { bufferBytes: 100_000 } });
  sender.send(response(1, large(1)));
  sender.send(response(2, large(2)));
  wire.take();
  // The second one waits until the first is acknowledged.
  const small = [response(3), request(4), cancel(5)];
  for (const message of small) sender.send(message);
  assertEquals(wire.take(), texts(small));
  sender.send(notification(6));
  sender.send(response(7));
  assertEquals(wire.take(), []);
  sender.acknowledge(1);
  assertEquals(messagesIn(wire.take()).map((text) => text.slice(0, 26)), [
    response(2).text.slice(0, 26),
    notification(6).text.slice(0, 26),
    response(7).text.slice(0, 26),
  ]);
});

Deno.test("Sender drops nothing when a request is taken back of which nothing was written", () => {
  const { sender, wire } = attached({ peer: { bufferBytes: 100_000 } });
  sender.send(request(1, large(1)));
  sender.send(request(2, large(2)));
  wire.take();
  sender.send(cancel(2));
  assertEquals([wire.take(), sender.size], [[], 1]);
});

Deno.test("Sender lets no cancel pass the request that it cancels", () => {
  const setting = replayed(request(1, large(3)));
  setting.sender.send(cancel(1));
  assertEquals(setting.wire.take(), []);
  assertEquals(finish(setting).slice(2), [cancel(1).text]);
});

// Withdrawing.

Deno.test("Sender.send() takes a request back that waits, and its cancel with it", () => {
  const told: string[] = [];
  const settled = (error?: Error) => told.push(error?.message ?? "done");
  const { sender, wire } = setUp();
  sender.send(request(1, { settled }));
  sender.send(request("1"));
  sender.send(cancel(1, { settled }));
  assertEquals(told, ["The request was cancelled", "done"]);
  sender.attach(wire, 0, limits());
  assertEquals(wire.frames, [request("1").text]);
  assertEquals([sender.bytes, sender.last], [request("1").bytes, 1]);
});

Deno.test("Sender.send() takes an open request back by a drop, and goes on", () => {
  const told: unknown[] = [];
  const big = request(1, { ...large(3), settled: (error) => told.push(error?.message) });
  const { sender, wire } = opened(big);
  sender.send(notification(1));
  sender.send(cancel(1, { settled: (error) => told.push(error) }));
  assertEquals(wire.take(), ['["drop"]', notification(1).text]);
  assertEquals(told, ["The request was cancelled", undefined]);
  assertEquals([sender.last, sender.size, sender.bytes], [1, 1, notification(1).bytes]);
});

Deno.test("Sender.send() sends a cancel where there is nothing to take back", () => {
  const table: [string, (setting: Setting) => void][] = [
    ["never sent", () => {}],
    ["complete", ({ sender }) => sender.send(request(1))],
    ["acknowledged", ({ sender }) => {
      sender.send(request(1));
      sender.acknowledge(1);
    }],
    ["a response", ({ sender }) => sender.send(response(1))],
    ["another type of id", ({ sender }) => sender.send(request("1"))],
  ];
  for (const [name, prepare] of table) {
    const setting = attached();
    prepare(setting);
    setting.sender.send(cancel(1));
    assertEquals(messagesIn(setting.wire.frames).at(-1), cancel(1).text, name);
  }
});

Deno.test("Sender.send() does not take a request back that was complete: the peer may have it", () => {
  const setting = replayed(request(1, large(3)));
  setting.sender.send(cancel(1));
  assertEquals(setting.sender.waiting, 2);
  setting.sender.detach();
  setting.sender.send(cancel(1));
  assertEquals(setting.sender.waiting, 3);
});

Deno.test("Sender.send() does not take back an open response of the same id", () => {
  const setting = opened(response(1, large(3)));
  setting.sender.send(cancel(1));
  assertEquals(setting.wire.take(), [cancel(1).text]);
});

// Pacing and congestion.

Deno.test("Sender waits with pieces while more than 512 KiB is in the socket", () => {
  const { sender, wire, clock } = attached();
  wire.bufferedAmount = 512 * 1024 + 1;
  sender.send(request(1, large(2)));
  assertEquals([wire.frames.length, clock.timers], [0, 1]);
  clock.advance(500);
  assertEquals([wire.frames.length, clock.timers], [0, 1]);
  wire.bufferedAmount = 512 * 1024;
  wire.onSend = () => wire.bufferedAmount++;
  clock.advance(8);
  assertEquals([wire.frames.length, clock.timers], [1, 1]);
  clock.advance(50);
  assertEquals([wire.frames.length, clock.timers], [1, 1]);
  wire.bufferedAmount = 0;
  clock.advance(8);
  assertEquals([wire.frames.length, clock.timers], [2, 0]);
});

Deno.test("Sender never has more than 512 KiB and a frame in the socket for pieces", () => {
  const { sender, wire, clock } = attached();
  let most = 0;
  wire.onSend = (frame) => {
    wire.bufferedAmount += frame.length;
    most = Math.max(most, wire.bufferedAmount);
  };
  sender.send(response(1, large(40)));
  while (sender.last === 0) {
    wire.bufferedAmount = Math.max(wire.bufferedAmount - 100_000, 0);
    clock.advance(8);
  }
  const bound = 512 * 1024 + MAX_FRAME_BYTES;
  assert(most <= bound && most > bound - MAX_FRAME_BYTES, `${most} of ${bound}`);
});

Deno.test("Sender waits while the wire is congested, and looks at it again", () => {
  const { sender, wire, clock } = attached();
  wire.isCongested = true;
  const messages = [request(1), notification(1)];
  for (const message of messages) sender.send(message);
  assertEquals([wire.frames, clock.timers], [[], 1]);
  clock.advance(500);
  assertEquals([wire.frames, clock.timers], [[], 1]);
  wire.isCongested = false;
  clock.advance(8);
  assertEquals([wire.frames, clock.timers], [[texts(messages).join("\n")], 0]);
});

Deno.test("Sender looks at no wire that it has left", () => {
  const { sender, wire, clock } = attached();
  wire.isCongested = true;
  sender.send(request(1));
  assertEquals(clock.timers, 1);
  sender.detach();
  assertEquals(clock.timers, 0);
});

// Room.

Deno.test("Sender.room() resolves at once where there is some", async () => {
  const { sender } = attached();
  assertEquals(sender.isBusy, false);
  await sender.room();
});

Deno.test("Sender.room() resolves when the window has room again", async () => {
  const { sender } = attached({ peer: { bufferMessages: 2 } });
  sender.send(request(1));
  assertEquals(sender.isBusy, false);
  sender.send(request(2));
  const room = sender.room();
  assertEquals([sender.isBusy, await isSettled(room)], [true, false]);
  assertStrictEquals(sender.room(), room);
  sender.acknowledge(1);
  await room;
  assertEquals(sender.isBusy, false);
});

Deno.test("Sender.room() waits on while acknowledged room is taken at once", async () => {
  const { sender } = attached({ peer: { bufferMessages: 1 } });
  for (const id of [1, 2]) sender.send(request(id));
  const room = sender.room();
  sender.acknowledge(1);
  assertEquals(await isSettled(room), false);
  sender.acknowledge(2);
  await room;
});

Deno.test("Sender.room() looks at a congested wire until it is not", async () => {
  const { sender, wire, clock } = attached();
  wire.isCongested = true;
  const room = sender.room();
  clock.advance(20);
  assertEquals([await isSettled(room), clock.timers], [false, 1]);
  wire.isCongested = false;
  clock.advance(5);
  await room;
  assertEquals(clock.timers, 0);
});

Deno.test("Sender.room() looks at a wire that became congested while it waited", async () => {
  const { sender, wire, clock } = attached({ peer: { bufferMessages: 1 } });
  sender.send(request(1));
  const room = sender.room();
  assertEquals(clock.timers, 0);
  wire.isCongested = true;
  sender.acknowledge(1);
  assertEquals([await isSettled(room), clock.timers], [false, 1]);
  wire.isCongested = false;
  clock.advance(5);
  await room;
});

Deno.test("Sender.isBusy without a wire when as much waits as this end keeps", () => {
  const byMessages = setUp({ own: { bufferMessages: 2 } }).sender;
  const byBytes = setUp({ own: { bufferBytes: request(1).bytes * 2 } }).sender;
  for (const sender of [byMessages, byBytes]) {
    sender.send(request(1));
    assertEquals(sender.isBusy, false);
    sender.send(request(1));
    assertEquals(sender.isBusy, true);
  }
});

Deno.test("Sender.room() resolves when the wire is left and there is room to keep more", async () => {
  const { sender } = attached({ peer: { bufferMessages: 1 } });
  sender.send(request(1));
  const room = sender.room();
  sender.detach();
  await room;
});

Deno.test("Sender.room() waits without a wire, and resolves at the end", async () => {
  const { sender, clock } = setUp({ own: { bufferMessages: 1 } });
  sender.send(request(1));
  const room = sender.room();
  assertEquals([await isSettled(room), clock.timers], [false, 0]);
  sender.end(() => new Error("gone"));
  await room;
});

// Resuming.

Deno.test("Sender.attach() sends again what the peer does not have, in order", () => {
  const { sender, wire } = attached();
  const messages = [1, 2, 3, 4].map((id) => request(id));
  for (const message of messages) sender.send(message);
  sender.acknowledge(1);
  sender.detach();
  const late = notification(5);
  sender.send(late);
  const next = new FakeWire();
  assertEquals(sender.judge(2), "resumable");
  sender.attach(next, 2, limits());
  assertEquals(messagesIn(next.frames), texts([...messages.slice(2), late]));
  assertEquals([sender.acknowledged, sender.last, wire.frames.length], [2, 5, 4]);
});

Deno.test("Sender.attach() starts an open message over, behind what passed it", () => {
  const big = request(1, large(3));
  const { sender } = opened(big);
  sender.send(request(2));
  sender.send(notification(3));
  const next = new FakeWire();
  sender.attach(next, 0, limits());
  const expected = texts([request(2), big, notification(3)]);
  assertEquals(messagesIn(next.frames), expected);
  assertEquals(sender.last, 3);
});

Deno.test("Sender writes nothing more on a wire that is left while it writes", () => {
  const { sender, wire } = setUp();
  wire.onSend = () => sender.detach();
  sender.send(request(1, large(3)));
  sender.send(notification(2));
  sender.attach(wire, 0, limits());
  assertEquals([wire.frames.map((frame) => frame[0]), sender.waiting], [["+"], 2]);
});

Deno.test("Sender writes nothing more on a wire that is replaced while it writes", () => {
  const { sender, wire } = setUp();
  const next = new FakeWire();
  sender.send(request(1, large(3)));
  wire.onSend = () => sender.attach(next, 0, limits());
  sender.attach(wire, 0, limits());
  assertEquals(wire.frames.length, 1);
  assertEquals(messagesIn(next.frames), [request(1, large(3)).text]);
});

Deno.test("Sender keeps its order when it is told of messages while it writes them", () => {
  const { sender, wire } = setUp();
  const messages = Array.from({ length: 50 }, (_, id) => request(id, { padding: id * 10_000 }));
  for (const message of messages) sender.send(message);
  wire.onSend = () => sender.acknowledge(sender.last);
  sender.attach(wire, 0, limits({ bufferMessages: 2, bufferBytes: 20_000 }));
  assertEquals(messagesIn(wire.frames), texts(messages));
  assertEquals([sender.size, sender.bytes, sender.acknowledged], [0, 0, 50]);
});

Deno.test("Sender keeps its order when a settled message sends another", () => {
  const { sender, wire } = attached({ peer: { bufferMessages: 2 } });
  const follow = request(9);
  const first = request(1, { settled: () => sender.send(follow) });
  const messages = [first, request(2), request(3), request(4)];
  for (const message of messages) sender.send(message);
  sender.acknowledge(2);
  sender.acknowledge(4);
  assertEquals(messagesIn(wire.frames), texts([...messages, follow]));
});

Deno.test("Sender.attach() stays ended when a settled message ends it", () => {
  const { sender, wire } = attached();
  sender.send(request(1, { settled: () => sender.end(() => new Error("gone")) }));
  sender.send(request(2));
  sender.detach();
  wire.take();
  sender.attach(wire, 1, limits());
  sender.send(request(3));
  assertEquals([wire.frames, sender.waiting], [[], 1]);
});

Deno.test("Sender.judge() says whether what the peer lacks is still here", () => {
  const { sender } = attached();
  for (const id of [1, 2, 3]) sender.send(request(id));
  sender.acknowledge(1);
  sender.detach();
  const table = [[0, "lost"], [1, "resumable"], [3, "resumable"], [4, "impossible"]] as const;
  for (const [received, expected] of table) assertEquals(sender.judge(received), expected);
  assertEquals([setUp().sender.judge(0), setUp().sender.judge(1)], ["resumable", "impossible"]);
});

Deno.test("Sender.judge() does not count an open message", () => {
  const { sender } = opened(request(1, large(3)));
  sender.detach();
  assertEquals([sender.judge(0), sender.judge(1)], ["resumable", "impossible"]);
});

// Messages that never get through.

/** Resumes without the peer having got anything. Returns what was written on the last wire. */
function strike({ sender }: Setting, times: number, received = 0): string[] {
  let wire = new FakeWire();
  for (let n = 0; n < times; n++) {
    wire = new FakeWire();
    sender.attach(wire, received, limits());
  }
  return wire.frames;
}

const largest = (frames: readonly string[]) => Math.max(...frames.map((frame) => frame.length));

Deno.test("Sender.attach() halves the frames after three resumes without progress", () => {
  const setting = attached();
  setting.sender.send(request(1, large(3)));
  assertEquals(largest(strike(setting, 2)), MAX_FRAME_BYTES);
  for (let part = 2; part <= 32; part *= 2) {
    assertEquals(largest(strike(setting, 1)), MAX_FRAME_BYTES / part);
    assertEquals(largest(strike(setting, 2)), MAX_FRAME_BYTES / part);
  }
  assertEquals(setting.poisoned, []);
});

Deno.test("Sender.attach() gives a message up that the smallest frames do not get through", () => {
  const setting = attached();
  const poison = request(1);
  setting.sender.send(poison);
  setting.sender.send(request(2, large(3)));
  strike(setting, 17);
  assertEquals(setting.poisoned, []);
  const frames = strike(setting, 1);
  assertEquals(setting.poisoned, [poison]);
  assertEquals(messagesIn(frames), [request(2, large(3)).text]);
  assertEquals([largest(frames), setting.sender.size], [MAX_FRAME_BYTES, 1]);
});

Deno.test("Sender.attach() never makes frames smaller than 4 KiB", () => {
  const setting = attached({ sizes: { max: 5_001 } });
  setting.sender.send(request(1, { padding: 20_000 }));
  assertEquals(largest(strike(setting, 3)), 4_096);
});

Deno.test("Sender.attach() counts for each message anew", () => {
  const setting = attached();
  const { sender } = setting;
  for (let id = 1; id <= 40; id++) sender.send(request(id));
  for (let received = 1; received <= 39; received++) strike(setting, 2, received);
  sender.send(request(41, large(2)));
  assertEquals(largest(strike(setting, 1, 40)), MAX_FRAME_BYTES);
  assertEquals(setting.poisoned, []);
});

Deno.test("Sender.attach() makes frames smaller for the message that needs it alone", () => {
  const setting = attached();
  const { sender } = setting;
  for (let id = 1; id <= 7; id++) {
    sender.send(request(id, large(2)));
    assertEquals(largest(strike(setting, 3, id - 1)), MAX_FRAME_BYTES / 2);
    strike(setting, 1, id);
  }
  sender.send(request(8, large(2)));
  assertEquals([largest(strike(setting, 1, 7)), setting.poisoned], [MAX_FRAME_BYTES, []]);
});

Deno.test("Sender.attach() takes what was acknowledged on the last wire for progress", () => {
  const setting = attached();
  const { sender } = setting;
  sender.send(request(0));
  for (let count = 1; count <= 60; count++) {
    sender.send(request(count));
    // The first message got through and was confirmed; the second was on its way.
    sender.acknowledge(count);
    strike(setting, 1, count);
  }
  sender.send(request(99, large(2)));
  assertEquals([largest(strike(setting, 1, 60)), setting.poisoned], [MAX_FRAME_BYTES, []]);
});

Deno.test("Sender.attach() does not count wires on which nothing was written", () => {
  const setting = attached();
  strike(setting, 30);
  setting.sender.send(request(1, large(2)));
  assertEquals(largest(strike(setting, 1)), MAX_FRAME_BYTES);
});

Deno.test("Sender.attach() counts wires that were cut within a message", () => {
  const setting = opened(request(1, large(3)));
  for (let n = 0; n < 3; n++) {
    const wire = new FakeWire();
    wire.onSend = () => wire.bufferedAmount = 600_000;
    setting.sender.attach(wire, 0, limits());
    assertEquals(wire.frames.map((frame) => frame.length), [MAX_FRAME_BYTES / (n < 2 ? 1 : 2)]);
  }
});

Deno.test("Sender.attach() tells of a lost message when it is ready for another", () => {
  const instead = response(7);
  const setting = attached({ onPoisoned: () => setting.sender.send(instead) });
  setting.sender.send(response(7, { padding: 500 }));
  setting.sender.send(notification(8));
  const frames = strike(setting, 18);
  assertEquals(messagesIn(frames), texts([notification(8), instead]));
});

Deno.test("Sender.attach() stays ended when a lost message ends it", () => {
  const setting = attached({ onPoisoned: () => setting.sender.end(() => new Error("gone")) });
  setting.sender.send(request(1));
  const told: unknown[] = [];
  setting.sender.send(request(2, { settled: (error) => told.push(error?.message) }));
  strike(setting, 18);
  setting.sender.send(request(3));
  assertEquals([told, setting.sender.waiting], [["gone"], 1]);
});

// The end.

Deno.test("Sender.end() settles every message exactly once", () => {
  const told: string[] = [];
  const track = (name: string, making: Making = {}): Making => ({
    ...making,
    settled: (error) => told.push(`${name} ${error?.message ?? "done"}`),
  });
  const setting = setUp();
  const { sender, wire } = setting;
  sender.attach(wire, 0, limits());
  sender.send(request(1, track("acknowledged")));
  sender.send(request(2, track("complete")));
  sender.acknowledge(1);
  wire.onSend = () => wire.bufferedAmount = 600_000;
  sender.send(request(3, track("open", large(3))));
  sender.send(notification(4, track("waiting")));
  assertEquals(told, ["acknowledged done"]);
  sender.end(() => new Error("gone"));
  sender.end(() => new Error("again"));
  assertEquals(told.slice(1).sort(), ["complete gone", "open gone", "waiting gone"]);
  assertEquals([sender.size, sender.bytes, setting.clock.timers], [0, 0, 0]);
});

Deno.test("Sender.attach() finds a message that never gets through although others pass it", () => {
  const poison = request(0, large(3));
  const { sender, poisoned } = opened(poison);
  for (let passed = 1; passed <= 18; passed++) {
    sender.send(request(passed));
    const wire = new FakeWire();
    wire.onSend = (frame) => {
      if (frame.startsWith("+")) wire.bufferedAmount = 600_000;
    };
    sender.attach(wire, passed, limits());
  }
  assertEquals(poisoned, [poison]);
});

Deno.test("Sender.isBusy lets one more message in while one is in pieces: it may pass", () => {
  const { sender, wire } = opened(request(1, large(3)));
  assertEquals([sender.waiting, sender.isBusy], [1, false]);
  wire.take();
  sender.send(request(2));
  assertEquals([messagesIn(wire.take()), sender.isBusy], [[request(2).text], false]);
  sender.send(notification(3));
  assertEquals([wire.take(), sender.isBusy], [[], true]);
});

Deno.test("Sender.send() joins the messages of a turn, and writes those at once that are not to be joined", () => {
  const tasks: Task[] = [];
  const sender = new Sender({
    limits: limits(),
    sizes: OPEN_SIZES,
    clock: new ManualClock(),
    soon: (task) => tasks.push(task),
    events: { poisoned() {} },
  });
  const wire = new FakeWire();
  sender.attach(wire, 0, limits());
  sender.send(notification(1), false);
  assertEquals(messagesIn(wire.take()).length, 1);
  sender.send(notification(2));
  sender.send(notification(3));
  assertEquals(wire.take(), []);
  sender.send(notification(4), false);
  assertEquals(wire.take().map((frame) => frame.split("\n").length), [2, 1]);
  for (const task of tasks) task.run();
  assertEquals([wire.take(), sender.last], [[], 4]);
});
