import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { LiveConnection } from "../../client/live_connection.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { type Loss, lossOf } from "../../client/recovery.ts";
import { resolveOptions } from "../../client/resolved_options.ts";
import { Telemetry } from "../../client/telemetry.ts";
import { Traffic } from "../../client/traffic.ts";
import { MCPConnectionError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { SendOptions } from "../../protocol/transport.ts";
import type { Json } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A connection whose behaviour is the test's to choose. */
class FakeConnection {
  readonly sent: Json[] = [];
  isOpen = true;
  isCongested = false;
  mayRideNow = false;
  drops = 0;
  closes = 0;
  readonly #lost = Promise.withResolvers<Loss>();
  #drained = Promise.withResolvers<void>();

  readonly lost = this.#lost.promise;

  mayRide(): boolean {
    return this.mayRideNow;
  }

  check(text: string): void {
    if (text.includes("too large")) throw new RangeError("Cannot send message");
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  drained(): Promise<void> {
    return this.#drained.promise;
  }

  drain(): void {
    this.isCongested = false;
    this.#drained.resolve();
    this.#drained = Promise.withResolvers<void>();
  }

  escort(): void {}
  watch(): void {}
  prober(): undefined {}

  close(): Promise<void> {
    this.closes++;
    this.isOpen = false;
    this.lose(1000);
    return Promise.resolve();
  }

  drop(): void {
    this.drops++;
    this.isOpen = false;
    this.lose(1000);
  }

  lose(code: number): void {
    this.isOpen = false;
    this.#lost.resolve(lossOf({ code, reason: "" }));
    this.#drained.resolve();
  }

  /** As the rest of the client sees it. */
  get live(): LiveConnection {
    return this as unknown as LiveConnection;
  }
}

class Flowing {
  readonly clock = new ManualClock();
  readonly heard: Json[] = [];
  readonly traffic: Traffic;
  keepsSession = false;

  constructor(options: WebSocketClientOptions = {}) {
    const resolved = resolveOptions({ ...options, clock: this.clock });
    this.traffic = new Traffic({
      options: () => resolved,
      telemetry: new Telemetry({
        name: "test",
        logger: undefined,
        hooks: {},
        report: () => {},
        onHeartbeat: () => {},
        clock: this.clock,
      }),
      keepsSession: () => this.keepsSession,
      deliver: (message) => this.heard.push(message),
    });
  }

  /** Lets traffic flow over a new connection. */
  attach(repeats = false): FakeConnection {
    const connection = new FakeConnection();
    this.traffic.attach(connection.live, repeats);
    return connection;
  }

  /** Sends a message like the transport. */
  post(message: JsonRpcMessage, options?: SendOptions): void | Promise<void> {
    const text = JSON.stringify(message);
    if (this.traffic.send(message, text, options)) return;
    return this.traffic.queue(message, text, options);
  }

  ask(id: number, method = "tools/call"): void | Promise<void> {
    return this.post({ jsonrpc: "2.0", id, method, params: {} });
  }

  note(n: number): void | Promise<void> {
    return this.post({ jsonrpc: "2.0", method: "note", params: { n } });
  }

  receive(message: Json, from: FakeConnection): void {
    this.traffic.receive({ jsonrpc: "2.0", ...message }, from.live);
  }
}

const methods = ({ sent }: FakeConnection) =>
  sent.map(({ method, id }) => method ?? `answer ${id}`);

Deno.test("Traffic sends at once where it can, and queues where it cannot, in order", async () => {
  const flowing = new Flowing();
  const waiting = [flowing.note(1), flowing.note(2)];
  assertEquals(flowing.traffic.outbox.size, 2);
  const connection = flowing.attach();
  await Promise.all(waiting);
  assertEquals(flowing.note(3), undefined);
  connection.isCongested = true;
  const held = [flowing.note(4), flowing.note(5)];
  connection.mayRideNow = true;
  // Even what may ride does not overtake.
  held.push(flowing.note(6));
  assertEquals(connection.sent.map(({ params }) => params.n), [1, 2, 3]);
  connection.drain();
  await Promise.all(held);
  assertEquals(connection.sent.map(({ params }) => params.n), [1, 2, 3, 4, 5, 6]);
});

Deno.test("Traffic lets go what may ride although a connection is congested", () => {
  const flowing = new Flowing();
  const connection = flowing.attach();
  connection.isCongested = connection.mayRideNow = true;
  assertEquals(flowing.note(1), undefined);
  assertEquals(connection.sent.length, 1);
});

Deno.test("Traffic sends over the next connection at once, though the last one was congested", async () => {
  const flowing = new Flowing();
  const old = flowing.attach();
  old.isCongested = true;
  const waiting = flowing.note(1);
  const next = flowing.attach();
  await waiting;
  assertEquals([old.sent.length, next.sent.length], [0, 1]);
});

Deno.test("Traffic leaves nothing of a message that the connection refuses", () => {
  const flowing = new Flowing();
  flowing.attach();
  const request = { jsonrpc: "2.0", id: 1, method: "x", params: { text: "too large" } } as const;
  assertThrows(() => flowing.post(request), RangeError);
  assertEquals(flowing.traffic.exchange.conversation.size, 0);
});

Deno.test("Traffic rejects a queued message that the connection refuses, and sends the rest", async () => {
  const flowing = new Flowing();
  const refused = flowing.post({ jsonrpc: "2.0", method: "x", params: { text: "too large" } });
  const sent = flowing.note(1);
  const connection = flowing.attach();
  await assertRejects(async () => await refused, RangeError);
  await sent;
  assertEquals(methods(connection), ["note"]);
});

Deno.test("Traffic.detach() keeps what is in flight, lose() repeats what is safe and settles the rest", () => {
  const flowing = new Flowing();
  const first = flowing.attach();
  flowing.ask(1, "tools/list");
  flowing.ask(2, "tools/call");
  flowing.traffic.detach();
  assertEquals([first.drops, flowing.heard], [1, []]);
  flowing.traffic.lose(true);
  assertEquals(flowing.heard.map(({ id, error }) => [id, error.data.outcome]), [[2, "unknown"]]);
  assertEquals(methods(flowing.attach(true)), ["tools/list"]);
});

Deno.test("Traffic.lose() may repeat nothing after what was too large", () => {
  const flowing = new Flowing();
  flowing.attach();
  flowing.ask(1, "tools/list");
  flowing.traffic.detach();
  flowing.traffic.lose(false);
  assertEquals(flowing.heard.map(({ id }) => id), [1]);
});

Deno.test("Traffic queues the cancel of a request in a session that is away, and drops it without", async () => {
  const cancel = {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: 1 },
  } as const;
  for (const keepsSession of [true, false]) {
    const flowing = new Flowing();
    flowing.keepsSession = keepsSession;
    flowing.attach();
    flowing.ask(1);
    flowing.traffic.detach();
    const sent = flowing.post(cancel);
    const next = flowing.attach();
    await sent;
    assertEquals(methods(next), keepsSession ? ["notifications/cancelled"] : []);
    assertEquals(flowing.traffic.exchange.conversation.size, 0);
  }
});

/** Traffic that moves to another connection, with a request in flight in each direction. */
function moving() {
  const flowing = new Flowing();
  flowing.keepsSession = true;
  const old = flowing.attach();
  flowing.ask(1);
  flowing.receive({ id: 7, method: "roots/list" }, old);
  const next = new FakeConnection();
  let ends = 0;
  const move = () => flowing.traffic.move(next.live, () => ends++);
  return { flowing, old, next, move, ends: () => ends };
}

Deno.test("Traffic.move() serves what is in flight on the old connection, then leaves it", async () => {
  const { flowing, old, next, move, ends } = moving();
  move();
  flowing.ask(2);
  flowing.receive({ method: "notifications/progress", params: { progressToken: 1 } }, old);
  flowing.post({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 7 } });
  flowing.receive({ id: 1, result: {} }, old);
  assertEquals([old.closes, ends()], [0, 0]);
  flowing.post({ jsonrpc: "2.0", id: 7, result: {} });
  assertEquals(old.closes, 1);
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(ends(), 1);
  assertEquals(methods(old), ["tools/call", "notifications/progress", "answer 7"]);
  assertEquals(methods(next), ["tools/call"]);
});

Deno.test("Traffic.move() leaves at once where nothing is in flight", () => {
  const flowing = new Flowing();
  const old = flowing.attach();
  flowing.traffic.move(new FakeConnection().live, () => {});
  assertEquals(old.closes, 1);
});

Deno.test("Traffic.move() tells requests apart that have the same id on both connections", () => {
  const { flowing, old, next, move } = moving();
  move();
  flowing.receive({ id: 7, method: "roots/list" }, next);
  const [before, after] = flowing.heard;
  assertEquals([before.id, after.id === 7], [7, false]);
  flowing.post({ jsonrpc: "2.0", id: after.id, result: { of: "next" } });
  flowing.post({ jsonrpc: "2.0", id: 7, result: { of: "old" } });
  assertEquals(old.sent.at(-1), { jsonrpc: "2.0", id: 7, result: { of: "old" } });
  assertEquals(next.sent.at(-1), { jsonrpc: "2.0", id: 7, result: { of: "next" } });
});

Deno.test("Traffic holds what the next connection brings until it has moved", () => {
  const { flowing, old, next, move } = moving();
  flowing.receive({ id: 7, method: "sampling/createMessage" }, next);
  assertEquals(flowing.heard.map(({ method }) => method), ["roots/list"]);
  move();
  assertEquals(flowing.heard.map(({ method }) => method), ["roots/list", "sampling/createMessage"]);
  flowing.post({ jsonrpc: "2.0", id: flowing.heard[1].id, result: {} });
  assertEquals([methods(next), old.sent.length], [["answer 7"], 1]);
});

Deno.test("Traffic hangs up on who brings too much before it has moved", () => {
  const { flowing, next } = moving();
  for (let n = 0; n <= 1_024; n++) flowing.receive({ method: "note", params: { n } }, next);
  assertEquals(next.drops, 1);
});

Deno.test("Traffic.move() takes subscriptions along, and what the old connection says of them is nobody's", () => {
  const flowing = new Flowing();
  const old = flowing.attach();
  flowing.ask(1, "subscriptions/listen");
  flowing.ask(2);
  const next = new FakeConnection();
  flowing.traffic.move(next.live, () => {});
  assertEquals(methods(old), ["subscriptions/listen", "tools/call", "notifications/cancelled"]);
  assertEquals(methods(next), ["subscriptions/listen"]);
  flowing.receive({ id: 1, result: {} }, old);
  assertEquals(flowing.heard, []);
  flowing.receive({ id: 1, result: {} }, next);
  assertEquals(flowing.heard.length, 1);
});

Deno.test("Traffic repeats on the next connection what is lost with the old one", async () => {
  const flowing = new Flowing();
  const old = flowing.attach();
  flowing.ask(1, "tools/list");
  flowing.ask(2, "tools/call");
  const next = new FakeConnection();
  flowing.traffic.move(next.live, () => {});
  old.lose(1006);
  await old.lost;
  assertEquals(methods(next), ["tools/list"]);
  assertEquals(flowing.heard.map(({ id }) => id), [2]);
});

Deno.test("Traffic repeats it later, when both connections are lost", async () => {
  const flowing = new Flowing();
  flowing.keepsSession = true;
  const old = flowing.attach();
  flowing.ask(1, "tools/list");
  flowing.traffic.move(new FakeConnection().live, () => {});
  flowing.traffic.detach();
  old.lose(1006);
  await old.lost;
  assertEquals(flowing.heard, []);
  // The session goes on, so that nothing else is repeated.
  assertEquals(methods(flowing.attach(false)), ["tools/list"]);
});

Deno.test("Traffic sends a cancel to the connection that its request is in flight on", () => {
  const { flowing, old, move } = moving();
  move();
  const params = { requestId: 1 };
  flowing.post({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  assertEquals(methods(old), ["tools/call", "notifications/cancelled"]);
});

Deno.test("Traffic.end() closes all connections, and settles requests if it is a failure", async () => {
  for (const isFailure of [true, false]) {
    const { flowing, old, next, move, ends } = moving();
    move();
    flowing.ask(2);
    flowing.traffic.detach();
    const waiting = flowing.note(1);
    const refused = assertRejects(async () => await waiting, MCPConnectionError, "over");
    await flowing.traffic.end(new Error("over"), isFailure);
    await refused;
    assertEquals([old.drops, next.drops, ends()], [1, 1, 1]);
    const settled = flowing.heard.filter(({ error }) => error !== undefined).map(({ id }) => id);
    assertEquals(settled, isFailure ? [1, 2] : []);
    assertEquals([flowing.traffic.exchange.conversation.size, flowing.clock.timers], [0, 0]);
  }
});

Deno.test("Traffic.end() waits for the connection that is being left", async () => {
  const flowing = new Flowing();
  const old = flowing.attach();
  const closed = Promise.withResolvers<void>();
  old.close = () => closed.promise;
  flowing.traffic.move(new FakeConnection().live, () => {});
  let isDone = false;
  const end = flowing.traffic.end(new Error("over"), false).then(() => isDone = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isDone, false);
  closed.resolve();
  await end;
});

Deno.test("Traffic.tellSoon() tells later, and nobody who has ended", async () => {
  const flowing = new Flowing();
  const message = { jsonrpc: "2.0", id: 1, result: {} } as const;
  flowing.traffic.tellSoon({ message });
  assertEquals(flowing.heard, []);
  await Promise.resolve();
  assertEquals(flowing.heard, [message]);
  flowing.traffic.tellSoon({ message });
  await flowing.traffic.end(new Error("over"), false);
  assertEquals(flowing.heard.length, 1);
});
