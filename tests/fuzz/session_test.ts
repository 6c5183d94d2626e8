import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { OPEN_SIZES } from "../../protocol/session/frames.ts";
import { FIRST_LIMITS, type SessionLimits } from "../../protocol/session/limits.ts";
import { Receiver } from "../../protocol/session/receiver.ts";
import { SessionEnd } from "../../protocol/session/session_end.ts";
import { FakeWire, notification, request, response } from "../protocol/session/_wires.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { controlText } from "./_frames.ts";
import { fuzz } from "./_fuzz.ts";
import { messageText } from "./_messages.ts";
import { anyText, garbage, hostile } from "./_texts.ts";

const LIMITS: SessionLimits = { messageBytes: 2_000, bufferBytes: 4_000, bufferMessages: 8 };

/** Counts that may or may not fit what was sent. */
const counting = fc.tuple(fc.constantFrom("ack", "ping", "pong"), fc.nat(6))
  .map(([name, count]) => name === "ack" ? [name, count] : [name, 0, count])
  .map((frame) => JSON.stringify(frame));
const piece = fc.tuple(fc.constantFrom("+", "="), fc.oneof(anyText, messageText)).map((parts) =>
  parts.join("")
);
const lines = fc.array(messageText, { minLength: 1, maxLength: 4 }).map((texts) =>
  texts.join("\n")
);
const frame = fc.oneof(counting, piece, lines, hostile(controlText), hostile(messageText), garbage);

/** What happens to an end. */
type Step =
  | { readonly type: "frame"; readonly text: string }
  | { readonly type: "send"; readonly size: number }
  | { readonly type: "wait"; readonly ms: number }
  | { readonly type: "lose" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant("frame"), text: frame }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("send"), size: fc.nat(1_500) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("wait"), ms: fc.nat(400) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose") }) },
);

const count = fc.record({ type: fc.constant("frame" as const), text: counting });

/** An end that does what its user does: what breaks the protocol ends the wire. */
class Subject {
  readonly clock = new ManualClock();
  readonly messages: string[] = [];
  readonly settled: (Error | undefined)[] = [];
  isBroken = false;
  sent = 0;
  readonly end = new SessionEnd({
    limits: LIMITS,
    sizes: OPEN_SIZES,
    clock: this.clock,
    endTurn: (task) => this.#turn.push(task),
    events: {
      message: (text) => this.messages.push(text),
      control: () => {},
      pong: () => {},
      violation: () => this.isBroken = true,
      poisoned: () => {},
    },
  });
  wire = new FakeWire();
  /** What is to be done when the present turn is over. */
  #turn: (() => void)[] = [];

  attach(): void {
    this.isBroken = false;
    this.wire = new FakeWire();
    const received = this.#acknowledged();
    this.end.attach(this.wire, { received, limits: LIMITS, promptAck: true });
  }

  /** One turn of the event loop. */
  take(step: Step): void {
    this.#act(step);
    for (const task of this.#turn.splice(0)) task();
  }

  #act(step: Step): void {
    switch (step.type) {
      case "frame":
        if (!this.isBroken) this.end.receive(step.text);
        if (this.isBroken) this.end.detach();
        return;
      case "send":
        return this.#send(step.size);
      case "wait":
        return this.clock.advance(step.ms);
      case "lose":
        return this.attach();
    }
  }

  #send(padding: number): void {
    const id = ++this.sent;
    const making = { padding, settled: (error?: Error) => void this.settled.push(error) };
    const makers = [request, notification, response];
    const make = makers[id % makers.length] ?? request;
    this.end.send(make(id, making));
  }

  /** What was not settled is still kept: the peer has the rest. */
  #acknowledged(): number {
    return this.sent - this.end.bufferedMessages;
  }
}

fuzz(
  "SessionEnd keeps its bounds and its books, whatever frames come",
  3_000,
  fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const subject = new Subject();
    subject.end.listen();
    subject.attach();
    for (const step of steps) {
      const received = subject.end.received;
      subject.take(step);
      assert(subject.end.received >= received);
      assertEquals(subject.end.received, subject.messages.length);
      assertEquals(subject.settled.length + subject.end.bufferedMessages, subject.sent);
      assert(subject.end.waitingMessages <= subject.end.bufferedMessages);
      assert(subject.clock.timers <= 1);
    }
    subject.end.end(() => new Error("Over"));
    assertEquals([subject.settled.length, subject.end.bufferedMessages], [subject.sent, 0]);
    assertEquals(subject.clock.timers, 0);
  }),
);

fuzz(
  "SessionEnd acknowledges what it has handed over, and never more",
  3_000,
  fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const subject = new Subject();
    subject.end.listen();
    subject.attach();
    for (const step of steps) {
      subject.take(step);
      for (const text of subject.wire.take()) {
        if (!text.startsWith("[")) continue;
        const count: unknown = JSON.parse(text).at(-1);
        assert(typeof count === "number" && count <= subject.messages.length, text);
      }
    }
  }),
);

fuzz(
  "SessionEnd takes a count for a violation exactly if it is above what was sent",
  4_000,
  fc.property(
    fc.array(
      fc.oneof(fc.record({ type: fc.constant("send" as const), size: fc.nat(300) }), count),
      {
        maxLength: 20,
      },
    ),
    (steps) => {
      const subject = new Subject();
      subject.end.listen();
      subject.attach();
      for (const step of steps) {
        const before = subject.end.sent;
        subject.take(step);
        if (step.type !== "frame") continue;
        const counted: number = JSON.parse(step.text).at(-1);
        assertEquals(subject.isBroken, counted > before, `${step.text} after ${before}`);
        if (subject.isBroken) return;
      }
    },
  ),
);

fuzz(
  "Receiver holds no more than there is room for until somebody listens",
  4_000,
  fc.property(fc.array(fc.oneof(lines, piece), { maxLength: 40 }), (frames) => {
    const heard: string[] = [];
    const room = { ...FIRST_LIMITS, bufferBytes: 600, bufferMessages: 6 };
    let isBroken = false;
    const receiver = new Receiver(LIMITS, {
      message: (text) => heard.push(text),
      violation: () => isBroken = true,
    }, room);
    let whole = 0;
    for (const text of frames) {
      if (text.startsWith("{")) receiver.messages(text);
      else receiver.piece(text);
      if (isBroken) break;
      whole += text.startsWith("{") ? text.split("\n").length : Number(text.startsWith("="));
      assertEquals([heard.length, receiver.delivered], [0, 0]);
    }
    receiver.listen();
    assert(heard.length <= room.bufferMessages);
    if (!isBroken) assertEquals(heard.length, whole);
    // Two more than there is room for are let in: the largest, and the last.
    const sizes = heard.slice(0, -1).map(({ length }) => length);
    const sum = sizes.reduce((all, size) => all + size, 0);
    assert(sum - Math.max(...sizes, 0) <= room.bufferBytes);
  }),
);
