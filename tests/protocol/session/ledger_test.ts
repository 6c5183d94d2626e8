import { assertEquals, assertStrictEquals } from "@std/assert";
import { Ledger } from "../../../protocol/session/ledger.ts";
import type { Outgoing } from "../../../protocol/session/outgoing.ts";
import { randomInteger, seededRandom } from "../../support/random.ts";
import { limits, notification, request } from "./_wires.ts";

/** A ledger with messages that are complete and others that wait. */
function filled(sent: readonly Outgoing[], waiting: readonly Outgoing[] = []): Ledger {
  const ledger = new Ledger();
  for (const message of sent) ledger.complete(message, limits());
  for (const message of waiting) ledger.add(message);
  return ledger;
}

Deno.test("Ledger numbers messages in the order in which they become complete", () => {
  const [a, b, c] = [request(1), request(2), request(3)];
  const ledger = filled([], [a, b, c]);
  assertEquals([ledger.size, ledger.waiting, ledger.last], [3, 3, 0]);
  const open = ledger.take();
  assertStrictEquals(open, a);
  ledger.complete(ledger.take() as Outgoing, limits());
  ledger.complete(a, limits());
  assertEquals([ledger.size, ledger.waiting, ledger.last, ledger.acknowledged], [3, 1, 2, 0]);
  assertEquals([a.wasComplete, b.wasComplete, c.wasComplete], [true, true, false]);
  assertStrictEquals(ledger.next, c);
});

Deno.test("Ledger.acknowledge() forgets and settles everything up to the number", () => {
  const settled: number[] = [];
  const make = (n: number) => request(n, { settled: () => settled.push(n) });
  const ledger = filled([make(1), make(2), make(3)]);
  assertEquals(ledger.acknowledge(0), "known");
  assertEquals(ledger.acknowledge(2), "advanced");
  assertEquals([settled, ledger.acknowledged, ledger.last, ledger.size], [[1, 2], 2, 3, 1]);
  assertEquals([ledger.acknowledge(2), ledger.acknowledge(1)], ["known", "known"]);
  assertEquals(ledger.acknowledge(4), "impossible");
  assertEquals([settled, ledger.acknowledged], [[1, 2], 2]);
  assertEquals(ledger.acknowledge(3), "advanced");
  assertEquals([settled, ledger.bytes], [[1, 2, 3], 0]);
});

Deno.test("Ledger.acknowledge() settles when its own state is final", () => {
  const seen: number[][] = [];
  const look = () => seen.push([ledger.acknowledged, ledger.last, ledger.size, ledger.bytes]);
  const ledger = filled([request(1, { settled: look }), request(2, { settled: look })]);
  ledger.acknowledge(2);
  assertEquals(seen, [[2, 2, 0, 0], [2, 2, 0, 0]]);
});

Deno.test("Ledger.acknowledge() does not number what is sent while it settles", () => {
  const late = request(9);
  const ledger = filled([
    request(1, { settled: () => ledger.complete(late, limits()) }),
    request(2),
  ]);
  ledger.acknowledge(1);
  assertEquals([ledger.acknowledged, ledger.last, ledger.size], [1, 3, 2]);
});

Deno.test("Ledger.hasRoom() is bounded by messages and by bytes", () => {
  const message = request(1, { padding: 1_000 });
  const ledger = filled([message]);
  const { bytes } = message;
  const table: [bufferMessages: number, bufferBytes: number, hasRoom: boolean][] = [
    [2, bytes + 10, true],
    [2, bytes + 9, false],
    [1, bytes + 10, false],
  ];
  for (const [bufferMessages, bufferBytes, hasRoom] of table) {
    assertEquals(ledger.hasRoom(10, limits({ bufferMessages, bufferBytes })), hasRoom);
  }
});

Deno.test("Ledger.hasRoom() for any one message when nothing is unacknowledged", () => {
  const ledger = filled([], [request(1)]);
  assertEquals(ledger.hasRoom(2 ** 30, limits({ bufferMessages: 1, bufferBytes: 1 })), true);
});

Deno.test("Ledger.hasRoomBeside() keeps room for the open message", () => {
  const sent = request(1, { padding: 1_000 });
  const table: [Outgoing[], bufferMessages: number, bufferBytes: number, hasRoom: boolean][] = [
    [[], 1, 1_000, false],
    [[], 2, 140, true],
    [[], 2, 13, false],
    [[sent], 2, 10_000, false],
    [[sent], 3, sent.bytes + 110, true],
    [[sent], 3, sent.bytes + 109, false],
  ];
  for (const [messages, bufferMessages, bufferBytes, hasRoom] of table) {
    const window = limits({ bufferMessages, bufferBytes });
    assertEquals(filled(messages).hasRoomBeside(100, 10, window), hasRoom);
  }
});

Deno.test("Ledger lets one message that is larger than three quarters of the window in beside it", () => {
  const window = limits({ bufferBytes: 4_000, bufferMessages: 4 });
  const ledger = new Ledger();
  ledger.complete(request(1, { padding: 2_900 }), window);
  assertEquals([ledger.hasRoom(3_000, window), ledger.hasRoom(3_001, window)], [false, true]);
  const wide = request(2, { padding: 10_000 });
  ledger.complete(wide, window);
  assertEquals([ledger.hasRoom(3_001, window), ledger.hasRoom(1_000, window)], [false, true]);
  ledger.complete(request(3), window);
  assertEquals(ledger.hasRoom(1_000, window), false);
  ledger.acknowledge(2);
  assertEquals([ledger.hasRoom(3_001, window), ledger.hasRoom(3_000, window)], [true, true]);
  ledger.complete(wide, window);
  ledger.rewind();
  assertEquals(ledger.hasRoom(3_001, window), true);
});

Deno.test("Ledger.hasRoomBeside() keeps no room for an open message that counts by itself", () => {
  const window = limits({ bufferBytes: 4_000 });
  const ledger = new Ledger();
  ledger.complete(request(1, { padding: 2_900 }), window);
  const room = 4_000 - ledger.bytes;
  assertEquals(ledger.hasRoomBeside(3_001, room, window), true);
  assertEquals(ledger.hasRoomBeside(3_001, room + 1, window), false);
  assertEquals(ledger.hasRoomBeside(3_000, room, window), false);
  assertEquals(ledger.hasRoomBeside(3_001, 3_001, window), false);
});

Deno.test("Ledger.rewind() puts what is unacknowledged in front of what waits", () => {
  const messages = [request(1), request(2), request(3), request(4)];
  const ledger = filled(messages.slice(0, 3), messages.slice(3));
  ledger.acknowledge(1);
  const { bytes } = ledger;
  ledger.rewind();
  assertEquals([ledger.last, ledger.size, ledger.waiting, ledger.bytes], [1, 3, 3, bytes]);
  assertEquals(ledger.waitingBytes, bytes);
  assertEquals([ledger.take(), ledger.take(), ledger.take()].map((message) => message?.id), [
    2,
    3,
    4,
  ]);
  assertEquals([ledger.take(), ledger.waitingBytes], [undefined, 0]);
});

Deno.test("Ledger.putBack() puts a message in front of those that wait", () => {
  const ledger = filled([], [request(1), request(2)]);
  const { bytes } = ledger;
  ledger.putBack(ledger.take() as Outgoing);
  assertEquals([ledger.next?.id, ledger.waiting, ledger.bytes], [1, 2, bytes]);
});

Deno.test("Ledger.withdraw() takes out what waits and never was complete", () => {
  const ledger = filled([request(1), request(2)]);
  ledger.rewind();
  ledger.add(request(1));
  ledger.add(request(3));
  assertEquals(ledger.withdraw(({ id }) => id === 1).length, 1);
  assertEquals(ledger.withdraw(({ id }) => id === 2), []);
  assertEquals([ledger.waiting, ledger.bytes], [3, ledger.waitingBytes]);
  const rest = [ledger.take(), ledger.take(), ledger.take()].map((message) => message?.id);
  assertEquals([rest, ledger.bytes], [[1, 2, 3], 0]);
});

Deno.test("Ledger.clear() asks for no reason when nobody waits", () => {
  let asked = 0;
  new Ledger().clear(() => new Error(`asked ${++asked} times`));
  assertEquals(asked, 0);
});

Deno.test("Ledger.clear() settles every message once, with the reason", () => {
  const told: unknown[] = [];
  const settled = (error?: Error) => told.push(error?.message);
  const ledger = filled([request(1, { settled }), request(2)], [notification(1, { settled })]);
  ledger.clear(() => new Error("gone"));
  ledger.clear(() => new Error("again"));
  assertEquals(told, ["gone", "gone"]);
  assertEquals([ledger.size, ledger.bytes, ledger.next], [0, 0, undefined]);
});

Deno.test("Ledger does what a list with a mark does, whatever the order of the calls", () => {
  const random = seededRandom(3);
  const ledger = new Ledger();
  let sent: Outgoing[] = [];
  let waiting: Outgoing[] = [];
  let acknowledged = 0;
  const sum = (messages: Outgoing[]) =>
    messages.reduce((bytes, message) => bytes + message.bytes, 0);
  const steps: (() => void)[] = [
    () => {
      const message = request(randomInteger(random, 20), { padding: randomInteger(random, 600) });
      ledger.add(message);
      waiting.push(message);
    },
    () => {
      const message = ledger.take();
      assertStrictEquals(message, waiting.shift());
      if (message === undefined) return;
      ledger.complete(message, limits());
      sent.push(message);
    },
    () => {
      const message = ledger.take();
      if (message !== undefined) ledger.putBack(message);
    },
    () => {
      const count = acknowledged + randomInteger(random, 6) - 2;
      const last = acknowledged + sent.length;
      const expected = count > last ? "impossible" : count > acknowledged ? "advanced" : "known";
      assertEquals(ledger.acknowledge(count), expected);
      if (expected !== "advanced") return;
      sent.splice(0, count - acknowledged);
      acknowledged = count;
    },
    () => {
      if (random() < 0.9) return;
      ledger.rewind();
      waiting = [...sent, ...waiting];
      sent = [];
    },
    () => {
      const id = randomInteger(random, 20);
      const isGone = (message: Outgoing) => message.id === id && !message.wasComplete;
      assertEquals(ledger.withdraw((message) => message.id === id), waiting.filter(isGone));
      waiting = waiting.filter((message) => !isGone(message));
    },
  ];
  for (let n = 0; n < 30_000; n++) {
    steps[randomInteger(random, steps.length)]?.();
    const state = [ledger.acknowledged, ledger.last, ledger.size, ledger.waiting];
    assertEquals(state, [
      acknowledged,
      acknowledged + sent.length,
      sent.length + waiting.length,
      waiting.length,
    ]);
    assertEquals([ledger.bytes, ledger.waitingBytes], [sum(sent) + sum(waiting), sum(waiting)]);
    assertStrictEquals(ledger.next, waiting[0]);
  }
});
