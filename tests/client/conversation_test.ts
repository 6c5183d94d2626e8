import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { MCPConnectionError } from "../../protocol/errors.ts";
import type { JsonRpcParams, JsonRpcRequest } from "../../protocol/jsonrpc.ts";
import type { SendOptions } from "../../protocol/transport.ts";
import { Conversation } from "../../client/conversation.ts";
import { RequestMeter } from "../../client/request_meter.ts";

const VERSION = "io.modelcontextprotocol/protocolVersion";

/** A conversation that numbers what is asked. */
class Talk {
  readonly conversation: Conversation;
  #nextId = 1;

  constructor(resend?: (request: JsonRpcRequest, isSafe: boolean) => boolean) {
    this.conversation = new Conversation({ resend });
  }

  ask(method: string, params?: JsonRpcParams, options?: SendOptions): number {
    const id = this.#nextId++;
    const request = { jsonrpc: "2.0" as const, id, method, ...(params && { params }) };
    this.conversation.sent(request, options);
    return id;
  }

  notify(method: string, params?: JsonRpcParams): void {
    this.conversation.sent({ jsonrpc: "2.0", method, ...(params && { params }) });
  }

  answer(id: number, result: JsonRpcParams = {}): void {
    this.conversation.answered({ jsonrpc: "2.0", id, result });
  }

  /** Asks, and answers at once. */
  done(method: string, params?: JsonRpcParams, result?: JsonRpcParams): void {
    this.answer(this.ask(method, params), result);
  }

  /** Loses the connection; gives the methods that are repeated. */
  lose(mayRepeat = true): string[] {
    this.conversation.lose(mayRepeat);
    return [...this.conversation.repeated()].map(({ method }) => method);
  }

  get reopening(): [string, JsonRpcParams | undefined][] {
    return [...this.conversation.reopening()].map(({ method, params }) => [method, params]);
  }
}

const SAFE = [
  "initialize",
  "ping",
  "server/discover",
  "tools/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "subscriptions/listen",
  "tasks/get",
  "tasks/list",
];

for (const method of SAFE) {
  Deno.test(`Conversation repeats ${method}`, () => {
    const talk = new Talk();
    talk.ask(method);
    assertEquals(talk.lose(), [method]);
  });
}

for (const method of ["tools/call", "x/custom", "resources/subscribe", "tasks/cancel"]) {
  Deno.test(`Conversation does not repeat ${method}`, () => {
    const talk = new Talk();
    talk.ask(method, { name: "unknown" });
    assertEquals(talk.lose(), []);
  });
}

Deno.test("Conversation settles what it does not repeat, with an unknown outcome", () => {
  const talk = new Talk();
  const id = talk.ask("tools/call", { name: "pay" });
  const [lost, ...others] = talk.conversation.lose(true);
  assertEquals(others, []);
  const message = 'Connection lost before "tools/call" was answered: ' +
    "it may or may not have been carried out";
  assertEquals(lost?.response, {
    jsonrpc: "2.0",
    id,
    error: { code: -32000, message, data: { outcome: "unknown" } },
  });
  assertInstanceOf(lost?.error, MCPConnectionError);
  assertEquals(
    [lost.error.message, lost.error.outcome, lost.error.retryable],
    [message, "unknown", false],
  );
  assertEquals(talk.conversation.lose(true), [], "once");
  assertEquals(talk.conversation.size, 0);
});

Deno.test("Conversation repeats in the order in which was asked", () => {
  const talk = new Talk();
  for (const method of ["tools/list", "tools/call", "prompts/list", "ping"]) talk.ask(method);
  assertEquals(talk.lose(), ["tools/list", "prompts/list", "ping"]);
  assertEquals(talk.lose(), ["tools/list", "prompts/list", "ping"], "again");
});

Deno.test("Conversation repeats a request over three losses: it may be what they come from", () => {
  const talk = new Talk();
  talk.ask("tools/list");
  for (let loss = 1; loss <= 3; loss++) assertEquals(talk.lose(), ["tools/list"]);
  const [lost, ...others] = talk.conversation.lose(true);
  assertEquals([lost?.error.outcome, others], ["unknown", []]);
  assertEquals(talk.lose(), []);
});

Deno.test("Conversation repeats subscriptions over any number of losses", () => {
  const talk = new Talk();
  talk.ask("subscriptions/listen");
  for (let loss = 1; loss <= 50; loss++) assertEquals(talk.lose(), ["subscriptions/listen"]);
});

Deno.test("Conversation repeats nothing after a message that was too large", () => {
  const talk = new Talk();
  talk.ask("tools/list");
  assertEquals(talk.lose(false), []);
});

Deno.test("Conversation forgets what is answered, cancelled, or failed", () => {
  const talk = new Talk();
  talk.answer(talk.ask("ping"));
  const cancelled = talk.ask("ping");
  talk.notify("notifications/cancelled", { requestId: cancelled });
  const id = talk.ask("ping");
  const error = { code: -1, message: "no" };
  talk.conversation.answered({ jsonrpc: "2.0", id, error });
  talk.conversation.answered({ jsonrpc: "2.0", error });
  talk.conversation.answered({ jsonrpc: "2.0", id: 99, result: {} });
  talk.notify("notifications/cancelled");
  assertEquals([talk.conversation.size, talk.lose()], [0, []]);
});

const tool = (name: string, annotations?: JsonRpcParams) => ({ name, annotations });

Deno.test("Conversation repeats calls of tools that say it does no harm, and of no others", () => {
  const talk = new Talk();
  talk.done("tools/list", undefined, {
    tools: [
      tool("reads", { readOnlyHint: true }),
      tool("sets", { idempotentHint: true }),
      tool("pays", { readOnlyHint: false, destructiveHint: true }),
      tool("says nothing"),
      tool("lies", { readOnlyHint: "yes" }),
    ],
  });
  for (const name of ["reads", "sets", "pays", "says nothing", "lies", "unlisted"]) {
    talk.ask("tools/call", { name });
  }
  talk.conversation.lose(true);
  const names = [...talk.conversation.repeated()].map(({ params }) => params?.name);
  assertEquals(names, ["reads", "sets"]);
});

Deno.test("Conversation believes what a tool said last", () => {
  const talk = new Talk();
  talk.done("tools/list", undefined, { tools: [tool("a", { readOnlyHint: true })] });
  talk.done("tools/list", undefined, { tools: [tool("a")] });
  talk.ask("tools/call", { name: "a" });
  assertEquals(talk.lose(), []);
});

Deno.test("Conversation follows the retry option of a request, either way", () => {
  const talk = new Talk();
  talk.ask("tools/call", { name: "pay" }, { retry: true });
  talk.ask("tools/list", undefined, { retry: false });
  assertEquals(talk.lose(), ["tools/call"]);
});

Deno.test("Conversation asks the resend policy last, with what it would do itself", () => {
  const asked: [string, boolean][] = [];
  const talk = new Talk((request, isSafe) => {
    asked.push([request.method, isSafe]);
    return !isSafe;
  });
  talk.ask("tools/list");
  talk.ask("tools/call");
  talk.ask("x/custom", undefined, { retry: true });
  assertEquals(talk.lose(), ["tools/call"]);
  assertEquals(asked, [["tools/list", true], ["tools/call", false], ["x/custom", true]]);
});

Deno.test("Conversation has nothing to reopen before initialize was answered", () => {
  const talk = new Talk();
  const id = talk.ask("initialize", { protocolVersion: "1" });
  assertEquals(talk.conversation.opening, undefined);
  assertEquals(talk.conversation.era, undefined);
  talk.answer(id, { protocolVersion: "1" });
  assertEquals(talk.conversation.opening, {
    params: { protocolVersion: "1" },
    result: { protocolVersion: "1" },
  });
  assertEquals(talk.conversation.era, "legacy");
});

Deno.test("Conversation reopens with initialized, level and subscriptions, in this order", () => {
  const talk = new Talk();
  talk.done("resources/subscribe", { uri: "a" });
  talk.done("resources/subscribe", { uri: "b" });
  talk.done("logging/setLevel", { level: "info" });
  talk.done("initialize", {}, {});
  talk.notify("notifications/initialized");
  assertEquals(talk.reopening, [
    ["notifications/initialized", undefined],
    ["logging/setLevel", { level: "info" }],
    ["resources/subscribe", { uri: "a" }],
    ["resources/subscribe", { uri: "b" }],
  ]);
  assertEquals([...talk.conversation.reopening()].map(({ isRequest }) => isRequest), [
    false,
    true,
    true,
    true,
  ]);
});

Deno.test("Conversation remembers the last level, and what is still subscribed", () => {
  const talk = new Talk();
  talk.done("logging/setLevel", { level: "info" });
  talk.done("logging/setLevel", { level: "error" });
  talk.done("resources/subscribe", { uri: "a" });
  talk.done("resources/subscribe", { uri: "a" });
  talk.done("resources/subscribe", { uri: "b" });
  talk.done("resources/unsubscribe", { uri: "a" });
  assertEquals(talk.reopening, [
    ["logging/setLevel", { level: "error" }],
    ["resources/subscribe", { uri: "b" }],
  ]);
});

Deno.test("Conversation does not remember what the server refused, or has not answered", () => {
  const talk = new Talk();
  const id = talk.ask("resources/subscribe", { uri: "a" });
  talk.conversation.answered({ jsonrpc: "2.0", id, error: { code: -1, message: "no" } });
  talk.ask("resources/subscribe", { uri: "b" });
  assertEquals(talk.reopening, []);
});

Deno.test("Conversation remembers a bounded number of subscriptions and tools", () => {
  const talk = new Talk();
  for (let n = 0; n < 10_100; n++) talk.done("resources/subscribe", { uri: `${n}` });
  assertEquals(talk.reopening.length, 10_000);
  const tools = Array.from({ length: 10_100 }, (_, n) => tool(`${n}`, { readOnlyHint: true }));
  talk.done("tools/list", undefined, { tools });
  talk.ask("tools/call", { name: "9999" });
  talk.ask("tools/call", { name: "10000" });
  talk.conversation.lose(true);
  assertEquals([...talk.conversation.repeated()].map(({ params }) => params?.name), ["9999"]);
});

Deno.test("Conversation knows a modern peer by the first request, and keeps its _meta", () => {
  const talk = new Talk();
  talk.ask("ping");
  assertEquals(talk.conversation.era, undefined);
  talk.ask("tools/list", { _meta: { [VERSION]: "2026-07-28", progressToken: 1 } });
  assertEquals(talk.conversation.era, "modern");
  assertEquals(talk.conversation.modernMeta, {
    [VERSION]: "2026-07-28",
    progressToken: undefined,
  });
  assertEquals(talk.conversation.opening, undefined);
});

Deno.test("Conversation takes a peer that answers initialize for a legacy one, after a probe, too", () => {
  const talk = new Talk();
  talk.ask("server/discover", { _meta: { [VERSION]: "2026-07-28" } });
  talk.done("initialize", {}, {});
  assertEquals(talk.conversation.era, "legacy");
  assert(talk.conversation.opening !== undefined);
});

Deno.test("Conversation measures requests, but no subscription", () => {
  let now = 0;
  const meter = new RequestMeter(() => now);
  const conversation = new Conversation({ resend: undefined, meter });
  const ask = (id: number, method: string) => conversation.sent({ jsonrpc: "2.0", id, method });
  ask(1, "x");
  ask(2, "subscriptions/listen");
  ask(3, "x/lost");
  now = 5;
  conversation.answered({ jsonrpc: "2.0", id: 1, error: { code: 1, message: "no" } });
  conversation.answered({ jsonrpc: "2.0", id: 2, result: {} });
  conversation.answered({ jsonrpc: "2.0", id: 99, result: {} });
  conversation.lose(false);
  assertEquals(meter.stats, {
    requestsSettled: 3,
    requestsFailed: 2,
    errorRate: 2 / 3,
    requestLatency: { p50: 5, p90: 5, p99: 5, samples: 1 },
  });
});

// A connection that is being left for another.

Deno.test("Conversation.leave() leaves what is in flight, and takes subscriptions along", () => {
  const talk = new Talk();
  const { conversation } = talk;
  const read = talk.ask("resources/read");
  const listen = talk.ask("subscriptions/listen");
  assertEquals(conversation.leave().map(({ id }) => id), [listen]);
  assertEquals([conversation.sideOf(read), conversation.sideOf(listen)], ["leaving", "present"]);
  const later = talk.ask("tools/list");
  assertEquals([conversation.sideOf(later), conversation.leaving], ["present", 1]);
  assertEquals(conversation.sideOf("unheard of"), "present");
});

Deno.test("Conversation takes an answer only from the connection that its request is in flight on", () => {
  const talk = new Talk();
  const { conversation } = talk;
  const read = talk.ask("resources/read");
  conversation.leave();
  const answer = { jsonrpc: "2.0" as const, id: read, result: {} };
  assertEquals(conversation.answered(answer, "present"), false);
  assertEquals([conversation.size, conversation.leaving], [1, 1]);
  assertEquals(conversation.answered(answer, "leaving"), true);
  assertEquals([conversation.size, conversation.leaving], [0, 0]);
  // What was never asked is for the application to judge.
  assertEquals(conversation.answered(answer, "leaving"), true);
});

Deno.test("Conversation.lose() settles and repeats what is in flight on one connection alone", () => {
  const talk = new Talk();
  const { conversation } = talk;
  const call = talk.ask("tools/call");
  const read = talk.ask("resources/read");
  conversation.leave();
  talk.ask("tools/call");
  const lost = conversation.lose(true, "leaving");
  assertEquals(lost.map(({ response }) => response.id), [call]);
  assertEquals([...conversation.repeated("present")].length, 1);
  assertEquals([...conversation.repeated("leaving")].map(({ id }) => id), [read]);
  assertEquals([conversation.leaving, conversation.sideOf(read)], [0, "present"]);
});

Deno.test("Conversation counts what is in flight on the connection that is being left", () => {
  const talk = new Talk();
  const { conversation } = talk;
  const ids = ["a", "b", "c", "server/discover"].map((method) => talk.ask(method));
  conversation.leave();
  assertEquals(conversation.leaving, 4);
  conversation.forget(ids[0]);
  conversation.fail(ids[1] ?? 0);
  talk.answer(ids[2] ?? 0);
  assertEquals(conversation.leaving, 2);
  conversation.answered({ jsonrpc: "2.0", id: ids[2] ?? 0, result: {} }, "leaving");
  // Who initializes does not wait for the probe.
  talk.ask("initialize");
  assertEquals([conversation.leaving, conversation.size], [0, 1]);
});

Deno.test("Conversation.fail() settles one request, if it is in flight", () => {
  const talk = new Talk();
  const call = talk.ask("tools/list");
  const lost = talk.conversation.fail(call);
  assertEquals([lost?.response.id, lost?.error.outcome], [call, "unknown"]);
  assertEquals(talk.conversation.fail(call), undefined);
});
