import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPCapacityError, MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { SendOptions } from "../../protocol/transport.ts";
import { Outbox } from "../../client/outbox.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { isPending } from "../support/until.ts";

const BOUNDS = { maxMessages: 3, maxBytes: 100, maxAge: 1_000 };

interface Filled {
  readonly outbox: Outbox;
  readonly clock: ManualClock;
  add(id: number, text?: string, options?: SendOptions): Promise<void>;
}

function makeOutbox(bounds: Partial<typeof BOUNDS> = {}): Filled {
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
  outbox.clear(cause);
});
