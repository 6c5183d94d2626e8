import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPCapacityError, MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { SendOptions } from "../../protocol/transport.ts";
import type { OutboxOptions } from "../../client/options.ts";
import { Outbox } from "../../client/outbox.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { seededRandom } from "../support/random.ts";
import { isPending } from "../support/until.ts";

const BOUNDS: OutboxOptions = {
  maxMessages: 3,
  maxBytes: 100,
  maxAge: 1_000,
  overflow: "reject",
};

interface Filled {
  readonly outbox: Outbox;
  readonly clock: ManualClock;
  add(id: number, text?: string, options?: SendOptions): Promise<void>;
}

function makeOutbox(bounds: Partial<OutboxOptions> = {}): Filled {
  const clock = new ManualClock();
  const outbox = new Outbox({ ...BOUNDS, ...bounds }, clock);
  const add = (id: number, text = `text ${id}`, options?: SendOptions) => {
    const message: JsonRpcMessage = { jsonrpc: "2.0", id, method: "test" };
    return outbox.add(message, text, options);
  };
  return { outbox, clock, add };
}

function flushed(outbox: Outbox): string[] {
  const texts: string[] = [];
  outbox.flush(({ text }) => texts.push(text), () => true);
  return texts;
}

Deno.test("Outbox sends in the order in which it was filled, and settles the senders", async () => {
  const { outbox, clock, add } = makeOutbox();
  const sent = [add(1), add(2), add(3)];
  assert(await isPending(sent[0] as Promise<void>));
  assertEquals(flushed(outbox), ["text 1", "text 2", "text 3"]);
  await Promise.all(sent);
  assertEquals([outbox.size, outbox.bytes, clock.timers], [0, 0, 0]);
  assertEquals(flushed(outbox), []);
});

Deno.test("Outbox hands on message, text and options as they came", () => {
  const { outbox } = makeOutbox();
  const message: JsonRpcMessage = { jsonrpc: "2.0", method: "test" };
  const options = { retry: true };
  outbox.add(message, "text", options);
  outbox.flush((waiting) => {
    assertStrictEquals(waiting.message, message);
    assertStrictEquals(waiting.options, options);
    assertEquals(waiting.text, "text");
  }, () => true);
});

Deno.test("Outbox counts messages, and bytes of UTF-8", async () => {
  const { outbox, add } = makeOutbox();
  add(1, "abc");
  add(2, "äöü");
  assertEquals([outbox.size, outbox.bytes], [2, 9]);
  flushed(outbox);
  await Promise.resolve();
  assertEquals([outbox.size, outbox.bytes], [0, 0]);
});

Deno.test("Outbox refuses the newest message when too many wait", async () => {
  const { outbox, add } = makeOutbox();
  for (const id of [1, 2, 3]) add(id);
  const error = await assertRejects(() => add(4), MCPCapacityError);
  assertEquals(error.message, "Cannot queue message as 3 wait already");
  assertEquals([error.limit, error.retryable, outbox.size], [3, true, 3]);
  flushed(outbox);
});

Deno.test("Outbox refuses a message when too many bytes wait", async () => {
  const { outbox, add } = makeOutbox();
  add(1, "x".repeat(99));
  const error = await assertRejects(() => add(2, "yy"), MCPCapacityError);
  assertEquals(
    error.message,
    "Cannot queue message of 2 bytes as at most 100 may wait: 99 do already",
  );
  assertEquals(error.limit, 100);
  add(3, "y");
  assertEquals([outbox.size, outbox.bytes], [2, 100]);
  flushed(outbox);
});

Deno.test("Outbox gives up each message when it has waited for too long", async () => {
  const { outbox, clock, add } = makeOutbox();
  const first = assertRejects(() => add(1), MCPTimeoutError);
  clock.advance(400);
  const second = add(2);
  clock.advance(599);
  assertEquals(outbox.size, 2);
  clock.advance(1);
  const error = await first;
  assertEquals(error.message, "Message was not sent: it waited 1000 ms for a connection");
  assertEquals([error.timeout, error.retryable], [1_000, true]);
  assertEquals([outbox.size, clock.timers], [1, 1]);
  clock.advance(400);
  await assertRejects(() => second, MCPTimeoutError);
  assertEquals([outbox.size, outbox.bytes, clock.timers], [0, 0, 0]);
});

Deno.test("Outbox has one timer, however many messages wait", () => {
  const { outbox, clock, add } = makeOutbox();
  for (const id of [1, 2, 3]) add(id);
  assertEquals(clock.timers, 1);
  flushed(outbox);
  assertEquals(clock.timers, 0);
});

Deno.test("Outbox lets the sender take a message back", async () => {
  const { outbox, clock, add } = makeOutbox();
  const controller = new AbortController();
  const sent = add(1, "abc", { signal: controller.signal });
  const other = add(2);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => sent), reason);
  assertEquals([outbox.size, clock.timers], [1, 1]);
  assertEquals(flushed(outbox), ["text 2"]);
  await other;
});

Deno.test("Outbox takes nothing whose sender has given up already", async () => {
  const { outbox, add } = makeOutbox();
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(await assertRejects(() => add(1, "abc", { signal })), reason);
  assertEquals(outbox.size, 0);
});

Deno.test("Outbox leaves nothing on a sender's signal, whatever became of the message", async () => {
  const { outbox, clock, add } = makeOutbox();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  const settled = [
    add(1, "abc", { signal }).then(() => flushed(outbox)),
    ...[2, 3].map((id) => add(id, "abc", { signal }).catch(() => {})),
  ];
  assertEquals(listeners, 3);
  outbox.withdraw(2);
  assertEquals(listeners, 2);
  flushed(outbox);
  assertEquals(listeners, 0);
  const late = add(4, "abc", { signal }).catch(() => {});
  clock.advance(1_000);
  const cleared = add(5, "abc", { signal }).catch(() => {});
  outbox.clear(new Error("closed"));
  const aborted = add(6, "abc", { signal }).catch(() => {});
  controller.abort();
  await Promise.all([...settled, late, cleared, aborted]);
  assertEquals([listeners, outbox.size], [0, 0]);
});

Deno.test("Outbox.withdraw() takes out the request that was cancelled, and nothing else", async () => {
  const { outbox, add } = makeOutbox();
  const sent = add(1);
  const answer = outbox.add({ jsonrpc: "2.0", id: 2, result: {} }, "answer 2");
  assertEquals(outbox.withdraw(7), false);
  assertEquals(outbox.withdraw(2), false);
  assertEquals(outbox.withdraw(undefined), false);
  assertEquals(outbox.withdraw(1), true);
  await sent;
  assertEquals(outbox.withdraw(1), false);
  assertEquals(flushed(outbox), ["answer 2"]);
  await answer;
});

Deno.test("Outbox.flush() tells the sender what went wrong, and goes on", async () => {
  const { outbox, add } = makeOutbox();
  const error = new Error("no room");
  const first = assertRejects(() => add(1));
  const second = add(2);
  outbox.flush(({ text }) => {
    if (text === "text 1") throw error;
  }, () => true);
  assertStrictEquals(await first, error);
  await second;
});

Deno.test("Outbox.flush() stops where it may not go on, and goes on there later", async () => {
  const { outbox, add } = makeOutbox();
  const sent = [add(1), add(2), add(3)];
  const texts: string[] = [];
  outbox.flush(({ text }) => texts.push(text), () => texts.length < 2);
  assertEquals(texts, ["text 1", "text 2"]);
  assertEquals(outbox.size, 1);
  assertEquals(flushed(outbox), ["text 3"]);
  await Promise.all(sent);
});

Deno.test("Outbox admits a message of any size alone", async () => {
  const { outbox, add } = makeOutbox();
  const sent = add(1, "x".repeat(1_000));
  assertEquals(outbox.bytes, 1_000);
  await assertRejects(() => add(2, "y"), MCPCapacityError);
  flushed(outbox);
  await sent;
});

Deno.test("Outbox.clear() settles everybody: not sent", async () => {
  const { outbox, clock, add } = makeOutbox();
  const settled = [1, 2, 3].map((id) => assertRejects(() => add(id), MCPConnectionError));
  const cause = new Error("The transport was closed");
  outbox.clear(cause);
  for (const error of await Promise.all(settled)) {
    assertEquals(error.message, "Message was not sent: The transport was closed");
    assertEquals(error.outcome, "not-sent");
    assertStrictEquals(error.cause, cause);
  }
  assertEquals([outbox.size, outbox.bytes, clock.timers], [0, 0, 0]);
  assertEquals(outbox.clear(cause), 0);
});

Deno.test("Outbox tells how many wait, and for how long the oldest does", () => {
  const { outbox, clock, add } = makeOutbox();
  assertEquals(outbox.stats, {
    queuedMessages: 0,
    queuedBytes: 0,
    blockedMessages: 0,
    queueAge: undefined,
  });
  add(1, "abc");
  clock.advance(40);
  add(2, "abc");
  clock.advance(2);
  assertEquals(outbox.stats, {
    queuedMessages: 2,
    queuedBytes: 6,
    blockedMessages: 0,
    queueAge: 42,
  });
  flushed(outbox);
});

Deno.test("Outbox says of each message since when it waits", () => {
  const { outbox, clock, add } = makeOutbox();
  const start = clock.now();
  add(1);
  clock.advance(5);
  add(2);
  const times: number[] = [];
  outbox.flush(({ queuedAt }) => times.push(queuedAt - start), () => true);
  assertEquals(times, [0, 5]);
});

Deno.test('with "drop-oldest" the oldest messages make room for the newest', async () => {
  const { outbox, add } = makeOutbox({ overflow: "drop-oldest" });
  const first = assertRejects(() => add(1), MCPCapacityError);
  const others = [add(2), add(3), add(4)];
  const error = await first;
  assertEquals(
    error.message,
    "Message was not sent: it made room for a newer one as at most 3 messages may wait",
  );
  assertEquals([error.limit, error.retryable], [3, true]);
  assertEquals(flushed(outbox), ["text 2", "text 3", "text 4"]);
  await Promise.all(others);
});

Deno.test('with "drop-oldest" as many messages are dropped as the bytes of the newest take', async () => {
  const { outbox, add } = makeOutbox({ overflow: "drop-oldest", maxMessages: 9 });
  const dropped = [1, 2].map((id) =>
    assertRejects(() => add(id, "x".repeat(40)), MCPCapacityError)
  );
  const kept = [add(3, "y".repeat(20)), add(4, "z".repeat(80))];
  const [error] = await Promise.all(dropped);
  assertEquals(error?.limit, 100);
  assertEquals([outbox.size, outbox.bytes], [2, 100]);
  flushed(outbox);
  await Promise.all(kept);
});

Deno.test('with "drop-oldest" a message larger than the queue takes it all, alone', async () => {
  const { outbox, clock, add } = makeOutbox({ overflow: "drop-oldest" });
  const dropped = [1, 2].map((id) => assertRejects(() => add(id), MCPCapacityError));
  const sent = add(3, "x".repeat(1_000));
  await Promise.all(dropped);
  assertEquals([outbox.size, outbox.bytes, clock.timers], [1, 1_000, 1]);
  flushed(outbox);
  await sent;
});

/** A queue of one message, and a second sender that is blocked. */
function makeBlocked(options?: SendOptions) {
  const filled = makeOutbox({ overflow: "block", maxMessages: 1 });
  const first = filled.add(1);
  const second = filled.add(2, "text 2", options);
  assertEquals(filled.outbox.stats, {
    queuedMessages: 1,
    queuedBytes: 6,
    blockedMessages: 1,
    queueAge: 0,
  });
  return { ...filled, first, second };
}

Deno.test('with "block" senders wait for room, and are sent in their order', async () => {
  const { outbox, clock, add } = makeOutbox({ overflow: "block" });
  const sent = [1, 2, 3, 4, 5, 6].map((id) => add(id));
  assertEquals([outbox.size, outbox.stats.blockedMessages], [3, 3]);
  let count = 0;
  outbox.flush(() => {}, () => count++ < 2);
  await Promise.all(sent.slice(0, 2));
  assertEquals([outbox.size, outbox.stats.blockedMessages], [3, 1]);
  assert(await isPending(sent[2] as Promise<void>));
  assertEquals(flushed(outbox), ["text 3", "text 4", "text 5", "text 6"]);
  await Promise.all(sent);
  assertEquals([outbox.size, outbox.bytes, clock.timers], [0, 0, 0]);
});

Deno.test('with "block" as many senders may wait as messages, those beyond are refused', async () => {
  const { outbox, add, first, second } = makeBlocked();
  const error = await assertRejects(() => add(3), MCPCapacityError);
  assertEquals(error.message, "Cannot queue message as 1 senders wait for room already");
  assertEquals(error.limit, 1);
  flushed(outbox);
  await Promise.all([first, second]);
});

Deno.test('with "block" no small message overtakes a large one that waits for room', async () => {
  const { outbox, add } = makeOutbox({ overflow: "block" });
  const sent = [add(1, "x".repeat(60)), add(2, "y".repeat(60)), add(3, "z")];
  assertEquals(outbox.stats.blockedMessages, 2);
  assertEquals(flushed(outbox).map((text) => text[0]), ["x", "y", "z"]);
  await Promise.all(sent);
});

Deno.test("a blocked sender that gives up lets those behind it in", async () => {
  const { outbox, add } = makeOutbox({ overflow: "block" });
  const controller = new AbortController();
  const first = add(1, "x".repeat(60));
  const large = add(2, "y".repeat(60), { signal: controller.signal });
  const small = add(3, "z");
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => large), reason);
  assertEquals([outbox.size, outbox.bytes, outbox.stats.blockedMessages], [2, 61, 0]);
  flushed(outbox);
  await Promise.all([first, small]);
});

Deno.test("a blocked sender is let in when a queued message is taken back", async () => {
  const controller = new AbortController();
  const { outbox, add } = makeOutbox({ overflow: "block", maxMessages: 1 });
  const first = assertRejects(() => add(1, "abc", { signal: controller.signal }));
  const second = add(2);
  controller.abort();
  await first;
  assertEquals([outbox.size, outbox.stats.blockedMessages], [1, 0]);
  flushed(outbox);
  await second;
});

Deno.test("a blocked sender waits no longer than a queued one, all in all", async () => {
  const { outbox, clock, add } = makeOutbox({ overflow: "block", maxMessages: 1 });
  const first = assertRejects(() => add(1), MCPTimeoutError);
  clock.advance(400);
  const second = assertRejects(() => add(2), MCPTimeoutError);
  clock.advance(600);
  await first;
  assertEquals([outbox.size, outbox.stats, clock.timers], [1, {
    queuedMessages: 1,
    queuedBytes: 6,
    blockedMessages: 0,
    queueAge: 600,
  }, 1]);
  clock.advance(400);
  await second;
  assertEquals([outbox.size, clock.timers], [0, 0]);
});

Deno.test("queued and blocked messages that are too old together expire together", async () => {
  const { outbox, clock, first, second } = makeBlocked();
  const failed = [first, second].map((sent) => assertRejects(() => sent, MCPTimeoutError));
  clock.advance(1_000);
  await Promise.all(failed);
  assertEquals([outbox.size, outbox.bytes, outbox.stats.blockedMessages, clock.timers], [
    0,
    0,
    0,
    0,
  ]);
});

Deno.test("Outbox.withdraw() tells who waits for the delivery that there will be none", async () => {
  const outbox = new Outbox(
    { maxMessages: 10, maxBytes: 1_000, maxAge: 1_000, overflow: "reject" },
    new ManualClock(),
  );
  const settled: (Error | undefined)[] = [];
  const request = { jsonrpc: "2.0", id: 1, method: "x" } as const;
  const sent = outbox.add(request, "{}", { settled: (error) => settled.push(error) });
  outbox.withdraw(1);
  await sent;
  assertEquals(settled.map((error) => error?.message), [
    "Message was not sent: the request was cancelled",
  ]);
});

Deno.test("Outbox.withdraw() takes out the request of a blocked sender, too", async () => {
  const { outbox, first, second } = makeBlocked();
  assertEquals(outbox.withdraw(2), true);
  await second;
  assertEquals(flushed(outbox), ["text 1"]);
  await first;
});

Deno.test("Outbox.clear() settles blocked senders, too, and says how many messages that were", async () => {
  const { outbox, clock, first, second } = makeBlocked();
  const failed = [first, second].map((sent) => assertRejects(() => sent, MCPConnectionError));
  assertEquals(outbox.clear(new Error("closed")), 2);
  for (const error of await Promise.all(failed)) assertEquals(error.outcome, "not-sent");
  assertEquals([outbox.size, outbox.bytes, outbox.stats.blockedMessages, clock.timers], [
    0,
    0,
    0,
    0,
  ]);
});

const WIDE = { maxMessages: 10, maxBytes: 1_000, overflow: "reject" } as const;

Deno.test("wider bounds let the blocked in before the message they are given for", async () => {
  const { outbox, first, second } = makeBlocked();
  const third = outbox.add({ jsonrpc: "2.0", method: "x" }, "text 3", undefined, WIDE);
  assertEquals([outbox.size, outbox.stats.blockedMessages], [3, 0]);
  assertEquals(flushed(outbox), ["text 1", "text 2", "text 3"]);
  await Promise.all([first, second, third]);
});

Deno.test("bounds that refuse do so before anybody overtakes the blocked", async () => {
  const { outbox, first, second } = makeBlocked();
  const bounds = { ...WIDE, maxMessages: 1 };
  await assertRejects(
    () => outbox.add({ jsonrpc: "2.0", method: "x" }, "text 3", undefined, bounds),
    MCPCapacityError,
    "Cannot queue message as 1 wait already",
  );
  flushed(outbox);
  await Promise.all([first, second]);
});

for (const overflow of ["reject", "drop-oldest", "block"] as const) {
  Deno.test(`with "${overflow}" every sender is settled once, in order, whatever happens`, async () => {
    for (let seed = 1; seed <= 200; seed++) await walk(overflow, seededRandom(seed));
  });
}

/** Does at random what can be done to an outbox, and checks its invariants. */
async function walk(overflow: OutboxOptions["overflow"], random: () => number): Promise<void> {
  const { outbox, clock, add } = makeOutbox({ overflow });
  const settled = new Map<number, number>();
  const order: number[] = [];
  const controllers: AbortController[] = [];
  const promises: Promise<void>[] = [];
  for (let id = 1; id <= 40; id++) {
    const controller = new AbortController();
    controllers.push(controller);
    const settle = () => void settled.set(id, (settled.get(id) ?? 0) + 1);
    const text = "x".repeat(Math.floor(random() * 70));
    promises.push(add(id, text, { signal: controller.signal }).then(settle, settle));
    const die = random();
    if (die < 0.2) clock.advance(Math.floor(random() * 500));
    else if (die < 0.4) controllers[Math.floor(random() * id)]?.abort();
    else if (die < 0.5) outbox.withdraw(Math.ceil(random() * id));
    else if (die < 0.7) {
      let count = 2;
      outbox.flush(
        ({ message }) => order.push(Number((message as { id: number }).id)),
        () => count-- > 0,
      );
    } else if (die < 0.72) outbox.clear(new Error("cleared"));
    const { queuedMessages, blockedMessages, queuedBytes } = outbox.stats;
    assert(queuedMessages <= 3 && blockedMessages <= 3 && queuedBytes <= 100);
    assert(blockedMessages === 0 || (overflow === "block" && queuedMessages > 0));
    assertEquals(clock.timers, queuedMessages > 0 ? 1 : 0);
  }
  outbox.clear(new Error("closed"));
  await Promise.all(promises);
  assertEquals([settled.size, Math.max(...settled.values())], [40, 1]);
  assertEquals(order, order.toSorted((a, b) => a - b));
  assertEquals([outbox.size, outbox.bytes, clock.timers], [0, 0, 0]);
}
