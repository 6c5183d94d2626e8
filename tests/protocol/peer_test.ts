import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPRpcError,
  MCPTimeoutError,
} from "../../protocol/errors.ts";
import type { RequestContext } from "../../protocol/inbound.ts";
import {
  type JsonRpcMessage,
  type JsonRpcParams,
  type RequestId,
  serializeMessage,
} from "../../protocol/jsonrpc.ts";
import { JsonRpcPeer } from "../../protocol/peer.ts";
import type { JsonRpcPeerOptions } from "../../protocol/peer_options.ts";
import type { Progress } from "../../protocol/pending.ts";
import type { SendOptions } from "../../protocol/transport.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

interface Setting {
  readonly peer: JsonRpcPeer;
  readonly clock: ManualClock;
  /** What left, as it was when it left. */
  readonly sent: JsonRpcMessage[];
  readonly sentWith: (SendOptions | undefined)[];
  readonly errors: Error[];
}

function setUp(options: Partial<JsonRpcPeerOptions> = {}): Setting {
  const clock = new ManualClock();
  const sent: JsonRpcMessage[] = [];
  const sentWith: (SendOptions | undefined)[] = [];
  const errors: Error[] = [];
  const peer = new JsonRpcPeer({
    clock,
    send(message, sendOptions) {
      sent.push(JSON.parse(serializeMessage(message, 1_000_000)));
      sentWith.push(sendOptions);
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  return { peer, clock, sent, sentWith, errors };
}

/** Lets everything run that waits for a promise only. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function call(
  peer: JsonRpcPeer,
  method: string,
  id: RequestId = 1,
  params?: JsonRpcParams,
): void {
  peer.receive({ jsonrpc: "2.0", id, method, params });
}

function notification(
  method: string,
  params?: JsonRpcParams,
): JsonRpcMessage {
  return { jsonrpc: "2.0", method, params };
}

function result(id: RequestId, value: JsonRpcParams = {}): JsonRpcMessage {
  return { jsonrpc: "2.0", id, result: value };
}

function cancelled(requestId: unknown, reason?: string): JsonRpcMessage {
  return notification("notifications/cancelled", { requestId, reason });
}

function errorCodes(messages: readonly JsonRpcMessage[]): number[] {
  return messages.flatMap((message) => "error" in message ? [message.error.code] : []);
}

/** A signal that tells how many listeners it has. */
function countedSignal(): { controller: AbortController; listeners(): number } {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: EventListener) => {
    listeners++;
    add(type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listeners--;
    remove(type, listener);
  };
  return { controller, listeners: () => listeners };
}

// Requests that leave.

Deno.test("JsonRpcPeer.request() sends a request, with ids that count from 1", async () => {
  const { peer, sent } = setUp();
  const both = [peer.request("a", { x: 1 }), peer.request("b")];
  assertEquals(sent, [
    { jsonrpc: "2.0", id: 1, method: "a", params: { x: 1 } },
    { jsonrpc: "2.0", id: 2, method: "b" },
  ]);
  peer.receive(result(1));
  peer.receive(result(2));
  await Promise.all(both);
});

Deno.test("JsonRpcPeer.request() resolves with the result", async () => {
  const { peer } = setUp();
  const answer = peer.request<{ n: number }>("x");
  peer.receive(result(1, { n: 42 }));
  assertEquals((await answer).n, 42);
});

Deno.test("JsonRpcPeer.request() can be answered before send() returns", async () => {
  const { peer }: Setting = setUp({
    send: () => peer.receive(result(1, { quick: true })),
  });
  assertEquals(await peer.request("x"), { quick: true });
});

Deno.test("JsonRpcPeer.request() gets its own answer, in whatever order they come", async () => {
  const { peer } = setUp();
  const answers = ["a", "b", "c"].map((method) => peer.request(method));
  for (const id of [3, 1, 2]) peer.receive(result(id, { id }));
  assertEquals(await Promise.all(answers), [{ id: 1 }, { id: 2 }, { id: 3 }]);
});

Deno.test("JsonRpcPeer.request() rejects with the peer's error", async () => {
  const { peer, errors } = setUp();
  const answer = peer.request("x");
  peer.receive({
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32602, message: "Missing", data: { at: "n" } },
  });
  const error = await assertRejects(() => answer, MCPRpcError, "Missing");
  assertEquals([error.code, error.data, error.id], [-32602, { at: "n" }, 1]);
  assertEquals(errors, []);
});

Deno.test("JsonRpcPeer.request() rejects with what this end knows of the loss", async () => {
  const { peer } = setUp();
  const lost = new MCPConnectionError("Cut", { outcome: "unknown" });
  const answer = peer.request("x");
  peer.receive({
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32000, message: "Lost" },
  }, { lost });
  assertStrictEquals(await answer.catch((error) => error), lost);
});

for (
  const [title, message] of [
    ["an unknown id", result(7)],
    ["its id as a string", result("1")],
    ["an error for an unknown id", {
      jsonrpc: "2.0",
      id: 7,
      error: { code: 1, message: "m" },
    }],
  ] as const
) {
  Deno.test(`JsonRpcPeer.receive() ignores an answer to ${title}`, async () => {
    const { peer, sent, errors } = setUp();
    const answer = peer.request("x");
    peer.receive(message);
    assertEquals([peer.stats.pending, sent.length, errors], [1, 1, []]);
    peer.receive(result(1));
    await answer;
  });
}

Deno.test("JsonRpcPeer.receive() ignores a second answer", async () => {
  const { peer, errors } = setUp();
  const answer = peer.request("x");
  peer.receive(result(1, { n: 1 }));
  peer.receive(result(1, { n: 2 }));
  assertEquals(await answer, { n: 1 });
  assertEquals(errors, []);
});

for (const id of [undefined, null]) {
  Deno.test(`JsonRpcPeer.receive() reports an error whose id is ${id}`, () => {
    const { peer, sent, errors } = setUp();
    const message = {
      jsonrpc: "2.0",
      id,
      error: { code: -32700, message: "Parse error", data: 1 },
    } as JsonRpcMessage;
    peer.receive(message);
    const [error] = errors;
    assertInstanceOf(error, MCPRpcError);
    assertEquals([error.code, error.data], [-32700, 1]);
    assertEquals(error.message, 'The peer reports: "Parse error"');
    assertEquals([errors.length, sent.length], [1, 0]);
  });
}

Deno.test("JsonRpcPeer.request() lets stamp have the last hand on the parameters", async () => {
  const { peer, sent } = setUp({
    stamp: (params) => ({ ...params, stamped: true }),
  });
  const answers = [peer.request("x", { a: 1 }), peer.request("y")];
  assertEquals(sent.map((message) => "params" in message && message.params), [
    { a: 1, stamped: true },
    { stamped: true },
  ]);
  peer.receive(result(1));
  peer.receive(result(2));
  await Promise.all(answers);
});

Deno.test("JsonRpcPeer.request() rejects if stamp throws, and sends nothing", async () => {
  const { peer, sent, clock } = setUp({
    stamp: () => {
      throw new TypeError("no stamp");
    },
  });
  await assertRejects(() => peer.request("x"), TypeError, "no stamp");
  assertEquals([sent.length, peer.stats.pending, clock.timers], [0, 0, 0]);
});

Deno.test("JsonRpcPeer.request() hands its options to send()", async () => {
  const { peer, sentWith } = setUp();
  const options = { retry: true };
  const answer = peer.request("x", {}, options);
  assertEquals(sentWith[0]?.retry, true);
  peer.receive(result(1));
  await answer;
});

for (
  const [title, send] of [
    ["throws", () => {
      throw new TypeError("no room");
    }],
    ["rejects", () => Promise.reject(new TypeError("no room"))],
  ] as const
) {
  Deno.test(`JsonRpcPeer.request() rejects alone if send() ${title}`, async () => {
    const { controller, listeners } = countedSignal();
    const { peer, errors }: Setting = setUp({
      send: (message) => "method" in message && message.method === "bad" ? send() : undefined,
    });
    const good = peer.request("good");
    await assertRejects(
      () => peer.request("bad", {}, { signal: controller.signal }),
      TypeError,
      "no room",
    );
    assertEquals([peer.stats.pending, listeners()], [1, 0]);
    peer.receive(result(1, { fine: true }));
    assertEquals(await good, { fine: true });
    assertEquals(errors, []);
  });
}

Deno.test("JsonRpcPeer.request() reports values that cannot be serialised, and leaves nothing", async () => {
  const { peer } = setUp();
  const circle: JsonRpcParams = {};
  circle.self = circle;
  await assertRejects(() => peer.request("x", { n: 1n }), TypeError, "BigInt");
  await assertRejects(() => peer.request("x", circle), TypeError, "circular");
  assertEquals(peer.stats.pending, 0);
});

// Time.

Deno.test("JsonRpcPeer.request() gives up in time and tells the peer", async () => {
  const { peer, clock, sent } = setUp();
  const answer = peer.request("x", {}, { timeout: 100 });
  clock.advance(99);
  assertEquals(sent.length, 1);
  clock.advance(1);
  const error = await assertRejects(
    () => answer,
    MCPTimeoutError,
    'Request "x" was not answered within 100 ms',
  );
  assertEquals([error.timeout, error.retryable], [100, false]);
  assertEquals(sent.slice(1), [cancelled(1, "The request timed out")]);
  assertEquals([peer.stats.timeouts, peer.stats.cancelled], [1, 0]);
  assertEquals([peer.stats.pending, clock.timers], [0, 0]);
});

Deno.test("JsonRpcPeer.receive() ignores the answer that comes too late", async () => {
  const { peer, clock, errors } = setUp();
  const answer = peer.request("x", {}, { timeout: 100 });
  clock.advance(100);
  peer.receive(result(1));
  await assertRejects(() => answer, MCPTimeoutError);
  assertEquals(errors, []);
});

Deno.test("JsonRpcPeer.request() takes 60 seconds unless told otherwise", async () => {
  const { peer, clock } = setUp();
  const answer = peer.request("x");
  clock.advance(59_999);
  assertEquals(peer.stats.pending, 1);
  clock.advance(1);
  await assertRejects(() => answer, MCPTimeoutError);
});

Deno.test("JsonRpcPeer.setTimeouts() is for requests to come", async () => {
  const { peer, clock } = setUp({ requestTimeout: 100 });
  const before = peer.request("x");
  peer.setTimeouts(10, 20);
  const after = peer.request("x");
  clock.advance(10);
  await assertRejects(() => after, MCPTimeoutError, "10 ms");
  assertEquals(peer.stats.pending, 1);
  clock.advance(90);
  await assertRejects(() => before, MCPTimeoutError, "100 ms");
});

Deno.test("JsonRpcPeer.setTimeouts() changes the hard maximum, too", async () => {
  const { peer, clock } = setUp();
  peer.setTimeouts(100, 150);
  const answer = peer.request("x", {}, { onProgress: () => {} });
  clock.advance(90);
  peer.receive(
    notification("notifications/progress", { progressToken: 1, progress: 1 }),
  );
  clock.advance(60);
  await assertRejects(() => answer, MCPTimeoutError);
});

Deno.test("JsonRpcPeer.setTimeouts() leaves what it is not given", async () => {
  const { peer, clock } = setUp({ requestTimeout: 100, maxRequestTimeout: 150 });
  peer.setTimeouts(undefined, undefined);
  const answer = peer.request("x", {}, { onProgress: () => {} });
  clock.advance(99);
  peer.receive(
    notification("notifications/progress", { progressToken: 1, progress: 1 }),
  );
  clock.advance(50);
  assertEquals(peer.stats.pending, 1);
  clock.advance(1);
  await assertRejects(() => answer, MCPTimeoutError, "150 ms");
});

for (const how of ["time out", "abort"] as const) {
  Deno.test(`JsonRpcPeer.request() never cancels initialize: ${how}`, async () => {
    const { peer, clock, sent } = setUp();
    const controller = new AbortController();
    const answer = peer.request("initialize", {}, {
      timeout: 100,
      signal: controller.signal,
    });
    if (how === "abort") controller.abort(new RangeError("enough"));
    else clock.advance(100);
    await assertRejects(
      () => answer,
      how === "abort" ? RangeError : MCPTimeoutError,
    );
    assertEquals(sent.length, 1);
  });
}

Deno.test("JsonRpcPeer.request() asks for progress with its id, and keeps other metadata", async () => {
  const { peer, sent } = setUp();
  const params = { a: 1, _meta: { "a.b/c": 2, progressToken: "mine" } };
  const before = structuredClone(params);
  const answers = [
    peer.request("x", params, { onProgress: () => {} }),
    peer.request("y", undefined, { onProgress: () => {} }),
  ];
  assertEquals(sent.map((message) => "params" in message && message.params), [
    { a: 1, _meta: { "a.b/c": 2, progressToken: 1 } },
    { _meta: { progressToken: 2 } },
  ]);
  assertEquals(params, before);
  peer.receive(result(1));
  peer.receive(result(2));
  await Promise.all(answers);
});

Deno.test("JsonRpcPeer.request() hears its own progress, until the answer", async () => {
  const { peer } = setUp();
  const heard: Progress[] = [];
  const answer = peer.request("x", {}, {
    onProgress: (progress) => heard.push(progress),
  });
  const other = peer.request("y");
  const tell = (params: JsonRpcParams) =>
    peer.receive(notification("notifications/progress", params));
  tell({ progressToken: 1, progress: 1, total: 4, message: "m" });
  tell({ progressToken: 2, progress: 2 });
  tell({ progressToken: 1, progress: 3, total: "4", message: 5 });
  peer.receive(result(1));
  tell({ progressToken: 1, progress: 4 });
  await answer;
  assertEquals(heard, [
    { progress: 1, total: 4, message: "m" },
    { progress: 3, total: undefined, message: undefined },
  ]);
  peer.receive(result(2));
  await other;
});

for (
  const params of [
    {},
    { progressToken: 1 },
    { progressToken: 1, progress: "1" },
    { progressToken: null, progress: 1 },
    { progressToken: "1", progress: 1 },
    { progressToken: 99, progress: 1 },
  ]
) {
  Deno.test(`JsonRpcPeer.receive() ignores progress ${JSON.stringify(params)}`, async () => {
    const { peer, clock, errors } = setUp();
    let heard = 0;
    const answer = peer.request("x", {}, {
      timeout: 100,
      onProgress: () => heard++,
    });
    clock.advance(60);
    peer.receive(notification("notifications/progress", params));
    clock.advance(40);
    await assertRejects(() => answer, MCPTimeoutError);
    assertEquals([heard, errors], [0, []]);
  });
}

Deno.test("JsonRpcPeer.request() takes progress as a sign of life, up to the hard maximum", async () => {
  const { peer, clock } = setUp();
  const answer = peer.request("x", {}, {
    timeout: 100,
    maxTimeout: 250,
    onProgress: () => {},
  });
  for (const progress of [1, 2, 3]) {
    clock.advance(80);
    peer.receive(
      notification("notifications/progress", { progressToken: 1, progress }),
    );
  }
  clock.advance(9);
  assertEquals(peer.stats.pending, 1);
  clock.advance(1);
  await assertRejects(() => answer, MCPTimeoutError, "within 250 ms");
});

for (const [name, timeout] of [["timeout", Number.NaN], ["maxTimeout", -1]] as const) {
  Deno.test(`JsonRpcPeer.request() refuses ${timeout} as its ${name}`, async () => {
    const { peer, sent } = setUp();
    await assertRejects(
      () => peer.request("x", {}, { [name]: timeout }),
      RangeError,
      `"${name}" must be a positive number: current value is ${timeout}`,
    );
    assertEquals([sent, peer.stats.pending], [[], 0]);
  });
}

Deno.test("JsonRpcPeer.onNotification() hears progress of tokens that are not the peer's", () => {
  const { peer } = setUp();
  const heard: unknown[] = [];
  peer.onNotification("notifications/progress", ({ progressToken }) => heard.push(progressToken));
  peer.receive(notification("notifications/progress", { progressToken: "mine", progress: 1 }));
  assertEquals(heard, ["mine"]);
});

Deno.test("JsonRpcPeer.request() has at least its timeout, whatever the maximum", async () => {
  const { peer, clock } = setUp({ maxRequestTimeout: 50 });
  const answer = peer.request("x", {}, { timeout: 100 });
  clock.advance(99);
  assertEquals(peer.stats.pending, 1);
  clock.advance(1);
  await assertRejects(() => answer, MCPTimeoutError);
});

Deno.test("JsonRpcPeer.request() goes on if its progress listener throws", async () => {
  const { peer, errors } = setUp();
  const answer = peer.request("x", {}, {
    onProgress: () => {
      throw new RangeError("listener");
    },
  });
  peer.receive(
    notification("notifications/progress", { progressToken: 1, progress: 1 }),
  );
  assertEquals(errors.map(({ message }) => message), ["listener"]);
  peer.receive(result(1, { fine: true }));
  assertEquals(await answer, { fine: true });
});

// Cancelling.

Deno.test("JsonRpcPeer.request() sends nothing for a signal that is aborted already", async () => {
  const { peer, sent, clock } = setUp();
  const reason = new RangeError("enough");
  const signal = AbortSignal.abort(reason);
  const error = await peer.request("x", {}, { signal }).catch((error) => error);
  assertStrictEquals(error, reason);
  assertEquals([sent.length, peer.stats.requests, clock.timers], [0, 0, 0]);
});

Deno.test("JsonRpcPeer.request() rejects with the signal's reason and tells the peer once", async () => {
  const { peer, sent } = setUp();
  const controller = new AbortController();
  const answer = peer.request("x", {}, { signal: controller.signal });
  const reason = new RangeError("enough");
  controller.abort(reason);
  controller.abort(new Error("again"));
  assertStrictEquals(await answer.catch((error) => error), reason);
  assertEquals(sent.slice(1), [cancelled(1, "The caller cancelled")]);
  assertEquals([peer.stats.cancelled, peer.stats.timeouts], [1, 0]);
  assertEquals(peer.stats.pending, 0);
});

Deno.test("JsonRpcPeer.request() follows one signal for many requests", async () => {
  const { peer, sent } = setUp();
  const { controller, listeners } = countedSignal();
  const { signal } = controller;
  const answers = ["a", "b"].map((method) => peer.request(method, {}, { signal }));
  controller.abort(new RangeError("enough"));
  const outcomes = await Promise.allSettled(answers);
  assert(outcomes.every(({ status }) => status === "rejected"));
  assertEquals([sent.length, listeners()], [4, 0]);
});

for (
  const [title, end] of [
    ["its answer", ({ peer }: Setting) => peer.receive(result(1))],
    ["an error", ({ peer }: Setting) =>
      peer.receive({
        jsonrpc: "2.0",
        id: 1,
        error: { code: 1, message: "m" },
      })],
    ["its timeout", ({ clock }: Setting) => clock.advance(60_000)],
    ["the end of the connection", ({ peer }: Setting) => peer.close()],
  ] as const
) {
  Deno.test(`JsonRpcPeer.request() lets go of its signal with ${title}`, async () => {
    const setting = setUp();
    const { peer, sent } = setting;
    const { controller, listeners } = countedSignal();
    const answer = peer.request("x", {}, { signal: controller.signal });
    assertEquals(listeners(), 1);
    end(setting);
    assertEquals(listeners(), 0);
    await answer.catch(() => {});
    const before = sent.length;
    controller.abort();
    assertEquals([sent.length, peer.stats.cancelled], [before, 0]);
  });
}

Deno.test("JsonRpcPeer.receive() aborts the handler of a cancelled request", async () => {
  const { peer, sent } = setUp();
  let context: RequestContext | undefined;
  peer.handle("x", (_params, given) => {
    context = given;
    given.signal.throwIfAborted();
    return new Promise(() => {});
  });
  call(peer, "x");
  peer.receive(cancelled(1, "too slow"));
  await settle();
  const reason = context?.signal.reason;
  assertInstanceOf(reason, DOMException);
  assertEquals(reason.name, "AbortError");
  assertEquals(reason.message, "The caller cancelled: too slow");
  assertEquals([sent.length, peer.stats.handling], [0, 0]);
});

Deno.test("JsonRpcPeer.receive() aborts without a reason, too", () => {
  const { peer } = setUp();
  let signal: AbortSignal | undefined;
  peer.handle("x", (_params, context) => {
    signal = context.signal;
    return new Promise(() => {});
  });
  call(peer, "x");
  peer.receive(cancelled(1));
  assertEquals(
    signal?.reason.message,
    "The caller cancelled: no reason given",
  );
});

for (const end of ["returns", "throws"] as const) {
  Deno.test(`JsonRpcPeer sends nothing for a cancelled request whose handler ${end}`, async () => {
    const { peer, sent, errors } = setUp();
    const gate = Promise.withResolvers<JsonRpcParams>();
    let context: RequestContext | undefined;
    peer.handle("x", (_params, given) => {
      context = given;
      return gate.promise;
    });
    call(peer, "x", 1, { _meta: { progressToken: 1 } });
    peer.receive(cancelled(1));
    context?.progress(1);
    context?.notify("x/tick");
    if (end === "returns") gate.resolve({});
    else gate.reject(new Error("aborted"));
    await settle();
    assertEquals([sent, errors], [[], []]);
  });
}

for (
  const params of [
    {},
    { requestId: null },
    { requestId: 99 },
    { requestId: "1" },
    { requestId: {} },
  ]
) {
  Deno.test(`JsonRpcPeer.receive() ignores the cancellation ${JSON.stringify(params)}`, () => {
    const { peer, errors } = setUp();
    let signal: AbortSignal | undefined;
    peer.handle("x", (_params, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    call(peer, "x");
    peer.receive(notification("notifications/cancelled", params));
    assertEquals([signal?.aborted, errors], [false, []]);
  });
}

Deno.test("JsonRpcPeer does not mistake a cancelled request for the next one of the same id", async () => {
  const { peer, sent } = setUp();
  const gates: PromiseWithResolvers<JsonRpcParams>[] = [];
  peer.handle("x", () => {
    const gate = Promise.withResolvers<JsonRpcParams>();
    gates.push(gate);
    return gate.promise;
  });
  call(peer, "x");
  peer.receive(cancelled(1));
  call(peer, "x");
  gates[0]?.resolve({ from: "the first" });
  await settle();
  assertEquals([sent.length, peer.stats.handling], [0, 1]);
  gates[1]?.resolve({ from: "the second" });
  await settle();
  assertEquals(sent, [result(1, { from: "the second" })]);
});

// Requests that come in.

for (
  const [title, handler] of [
    ["returns", () => ({ n: 1 })],
    ["resolves", () => Promise.resolve({ n: 1 })],
    ["gives a thenable", () => ({
      then: (resolve: (value: unknown) => void) => resolve({ n: 1 }),
    })],
  ] as const
) {
  Deno.test(`JsonRpcPeer.handle() answers with what its handler ${title}`, async () => {
    const { peer, sent } = setUp();
    peer.handle("x", handler);
    call(peer, "x");
    await settle();
    assertEquals(sent, [result(1, { n: 1 })]);
    assertEquals(peer.stats.handling, 0);
  });
}

for (const id of ["a", "", 0, -3, "1"]) {
  Deno.test(`JsonRpcPeer.handle() echoes the id ${JSON.stringify(id)} exactly`, () => {
    const { peer, sent } = setUp();
    peer.handle("x", () => ({}));
    call(peer, "x", id);
    assertEquals(sent, [result(id)]);
  });
}

Deno.test("JsonRpcPeer.handle() answers with an empty object where nothing is returned", () => {
  const { peer, sent } = setUp();
  peer.handle("x", () => {});
  call(peer, "x");
  assertEquals(sent, [result(1)]);
});

Deno.test("JsonRpcPeer.handle() gives parameters, and an empty object for none", () => {
  const { peer } = setUp();
  const given: JsonRpcParams[] = [];
  peer.handle("x", (params) => {
    given.push(params);
  });
  call(peer, "x", 1, { a: 1 });
  call(peer, "x", 2);
  assertEquals(given, [{ a: 1 }, {}]);
});

Deno.test("JsonRpcPeer.handle() tells the handler what is known of the request", () => {
  const { peer } = setUp();
  const extra = { requestInfo: { headers: {} } };
  let context: RequestContext | undefined;
  peer.handle("x", (_params, given) => {
    context = given;
  });
  peer.receive({ jsonrpc: "2.0", id: "r", method: "x" }, extra);
  assertEquals([context?.id, context?.method], ["r", "x"]);
  assertStrictEquals(context?.extra, extra);
});

for (const value of [null, 1, "x", true, [1], () => ({})]) {
  Deno.test(`JsonRpcPeer.handle() refuses the result ${Deno.inspect(value)}`, async () => {
    const { peer, sent, errors } = setUp();
    peer.handle("sync", () => value);
    peer.handle("async", () => Promise.resolve(value));
    call(peer, "sync", 1);
    call(peer, "async", 2);
    await settle();
    assertEquals(errorCodes(sent), [-32603, -32603]);
    assertEquals(errors.map(({ message }) => message), [
      'Handler of "sync" must return an object',
      'Handler of "async" must return an object',
    ]);
  });
}

for (
  const [title, handler] of [
    ["throws", () => {
      throw new MCPRpcError(-32602, "Missing", { data: { at: "n" } });
    }],
    ["rejects with", () =>
      Promise.reject(
        new MCPRpcError(-32602, "Missing", { data: { at: "n" } }),
      )],
  ] as const
) {
  Deno.test(`JsonRpcPeer.handle() answers with the MCPRpcError a handler ${title}`, async () => {
    const { peer, sent, errors } = setUp();
    peer.handle("x", handler);
    call(peer, "x", "r");
    await settle();
    assertEquals(sent, [{
      jsonrpc: "2.0",
      id: "r",
      error: { code: -32602, message: "Missing", data: { at: "n" } },
    }]);
    assertEquals([errors, peer.stats.handling], [[], 0]);
  });
}

for (
  const thrown of [
    new Error("password=x"),
    "password=x",
    undefined,
    Object.create(null),
  ]
) {
  for (const isAsync of [false, true]) {
    const how = isAsync ? "rejects with" : "throws";
    const title = thrown instanceof Error ? "an error" : Deno.inspect(thrown);
    Deno.test(`JsonRpcPeer.handle() keeps the details here where a handler ${how} ${title}`, async () => {
      const { peer, sent, errors } = setUp();
      peer.handle("x", () => {
        if (isAsync) return Promise.reject(thrown);
        throw thrown;
      });
      call(peer, "x");
      await settle();
      assertEquals(sent, [{
        jsonrpc: "2.0",
        id: 1,
        error: { code: -32603, message: "Internal error" },
      }]);
      assertEquals([errors.length, peer.stats.handling], [1, 0]);
    });
  }
}

for (
  const [title, handler] of [
    ["a result", () => ({ n: 1n })],
    ["an error", () => {
      throw new MCPRpcError(-32602, "Missing", { data: 1n });
    }],
  ] as const
) {
  Deno.test(`JsonRpcPeer.handle() tells the caller that ${title} cannot be sent`, () => {
    const { peer, sent, errors } = setUp();
    peer.handle("x", handler);
    call(peer, "x");
    assertEquals(sent, [{
      jsonrpc: "2.0",
      id: 1,
      error: { code: -32603, message: "Internal error" },
    }]);
    assertEquals(errors.length, 1);
    assertInstanceOf(errors[0], TypeError);
  });
}

Deno.test("JsonRpcPeer.handle() does not answer twice over a lost connection", async () => {
  let attempts = 0;
  const { peer, errors } = setUp({
    send: () => {
      attempts++;
      return Promise.reject(new MCPConnectionError("Cut"));
    },
  });
  peer.handle("x", () => ({}));
  call(peer, "x");
  await settle();
  assertEquals(attempts, 1);
  assertEquals(errors.map(({ message }) => message), ["Cut"]);
});

for (const method of ["x", "__proto__", "constructor", ""]) {
  Deno.test(`JsonRpcPeer.receive() refuses the unknown method "${method}"`, () => {
    const { peer, sent, errors } = setUp();
    call(peer, method, "r");
    assertEquals(sent, [{
      jsonrpc: "2.0",
      id: "r",
      error: { code: -32601, message: `Method not found: "${method}"` },
    }]);
    assertEquals(errors, []);
  });
}

Deno.test("JsonRpcPeer.handle() replaces the handler before it", () => {
  const { peer, sent } = setUp();
  peer.handle("x", () => ({ n: 1 }));
  peer.handle("x", () => ({ n: 2 }));
  call(peer, "x");
  assertEquals(sent, [result(1, { n: 2 })]);
});

Deno.test("JsonRpcPeer.onRequest() answers only what has no handler of its own", () => {
  const { peer, sent } = setUp();
  peer.onRequest((_params, { method }) => ({ any: method }));
  peer.handle("x", () => ({ own: true }));
  call(peer, "x", 1);
  call(peer, "y", 2);
  assertEquals(sent, [result(1, { own: true }), result(2, { any: "y" })]);
});

Deno.test("JsonRpcPeer.receive() refuses a second request with an id in flight", async () => {
  const { peer, sent } = setUp();
  const gate = Promise.withResolvers<JsonRpcParams>();
  let runs = 0;
  peer.handle("x", () => {
    runs++;
    return gate.promise;
  });
  call(peer, "x", "r");
  call(peer, "x", "r");
  assertEquals(runs, 1);
  assertEquals(errorCodes(sent), [-32600]);
  gate.resolve({ n: 1 });
  await settle();
  assertEquals(sent[1], result("r", { n: 1 }));
  call(peer, "x", "r");
  assertEquals(runs, 2);
});

Deno.test("JsonRpcPeer.receive() takes 1 and '1' for two requests", () => {
  const { peer, sent } = setUp();
  peer.handle("x", () => new Promise(() => {}));
  call(peer, "x", 1);
  call(peer, "x", "1");
  assertEquals([peer.stats.handling, sent], [2, []]);
});

Deno.test("RequestContext.progress() and notify() travel with the request they belong to", async () => {
  const { peer, sent, sentWith } = setUp();
  peer.handle("x", async (_params, { progress, notify }) => {
    progress(1, 2, "half");
    await Promise.resolve();
    notify("x/tick", { n: 1 });
    notify("x/tock");
    return {};
  });
  call(peer, "x", 5, { _meta: { progressToken: "t" } });
  await settle();
  assertEquals(sent, [
    notification("notifications/progress", {
      progressToken: "t",
      progress: 1,
      total: 2,
      message: "half",
    }),
    notification("x/tick", { n: 1 }),
    { jsonrpc: "2.0", method: "x/tock" },
    result(5),
  ]);
  assertEquals(sentWith.slice(0, 3), Array(3).fill({ relatedRequestId: 5 }));
});

Deno.test("RequestContext is silent after the answer", async () => {
  const { peer, sent } = setUp();
  let context: RequestContext | undefined;
  peer.handle("x", (_params, given) => {
    context = given;
  });
  call(peer, "x", 1, { _meta: { progressToken: 1 } });
  context?.progress(1);
  context?.notify("x/tick");
  await settle();
  assertEquals(sent, [result(1)]);
});

// Bounds.

Deno.test("JsonRpcPeer.request() refuses more than maxInFlight, until one is answered", async () => {
  const { peer, sent } = setUp({ maxInFlight: 2 });
  const answers = [peer.request("a"), peer.request("b")];
  const error = await assertRejects(
    () => peer.request("c"),
    MCPCapacityError,
    "Cannot send request as 2 are in flight already",
  );
  assertEquals([error.limit, error.retryable, sent.length], [2, true, 2]);
  peer.receive(result(1));
  answers.push(peer.request("d"));
  assertEquals(sent.length, 3);
  peer.receive(result(2));
  peer.receive(result(3));
  await Promise.all(answers);
});

Deno.test("JsonRpcPeer.receive() refuses more than maxInFlight, until one is answered", async () => {
  const { peer, sent } = setUp({ maxInFlight: 2 });
  const gate = Promise.withResolvers<JsonRpcParams>();
  peer.handle("x", () => gate.promise);
  for (const id of [1, 2, 3]) call(peer, "x", id);
  assertEquals(sent, [{
    jsonrpc: "2.0",
    id: 3,
    error: {
      code: -32603,
      message: "More than 2 requests are in flight",
      data: { limit: 2 },
    },
  }]);
  gate.resolve({});
  await settle();
  call(peer, "x", 4);
  assertEquals(peer.stats.handling, 1);
});

// Notifications.

Deno.test("JsonRpcPeer.notify() sends a notification", async () => {
  const { peer, sent } = setUp();
  await peer.notify("x/changed", { a: 1 });
  await peer.notify("x/changed");
  assertEquals(sent, [
    { jsonrpc: "2.0", method: "x/changed", params: { a: 1 } },
    { jsonrpc: "2.0", method: "x/changed" },
  ]);
});

Deno.test("JsonRpcPeer.notify() hands its options on to send()", async () => {
  const options: unknown[] = [];
  const { peer } = setUp({ send: (_message, given) => void options.push(given) });
  const given = { delivered: true, deliveryTimeout: 5 };
  await peer.notify("x", undefined, given);
  await peer.notify("x");
  assertEquals(options, [given, undefined]);
});

Deno.test("JsonRpcPeer.notify() resolves when send() does", async () => {
  const gate = Promise.withResolvers<void>();
  const { peer } = setUp({ send: () => gate.promise });
  let isSent = false;
  const sent = peer.notify("x").then(() => isSent = true);
  await settle();
  assertEquals(isSent, false);
  gate.resolve();
  await sent;
});

for (
  const [title, send] of [
    ["throws", () => {
      throw new TypeError("no room");
    }],
    ["rejects", () => Promise.reject(new TypeError("no room"))],
  ] as const
) {
  Deno.test(`JsonRpcPeer.notify() rejects if send() ${title}`, async () => {
    const { peer, errors } = setUp({ send });
    await assertRejects(() => peer.notify("x"), TypeError, "no room");
    assertEquals(errors, []);
  });
}

Deno.test("JsonRpcPeer.onNotification() hears its own kind, the last listener only", () => {
  const { peer } = setUp();
  const heard: unknown[] = [];
  peer.onNotification("a", () => heard.push("replaced"));
  peer.onNotification("a", (params, extra) => heard.push([params, extra]));
  const extra = { requestInfo: { headers: {} } };
  peer.receive(notification("a", { n: 1 }), extra);
  peer.receive(notification("a"));
  peer.receive(notification("b"));
  assertEquals(heard, [[{ n: 1 }, extra], [{}, undefined]]);
});

Deno.test("JsonRpcPeer.onAnyNotification() hears what has no listener of its own", () => {
  const { peer, sent, errors } = setUp();
  const heard: string[] = [];
  peer.onAnyNotification(({ method }) => heard.push(method));
  peer.onNotification("a", () => {});
  peer.receive(notification("a"));
  peer.receive(notification("b"));
  peer.receive(cancelled(1));
  assertEquals([heard, sent, errors], [["b"], [], []]);
});

Deno.test("JsonRpcPeer.receive() takes a message whose id is undefined for a notification", () => {
  const { peer, sent } = setUp();
  let heard = 0;
  peer.onNotification("a", () => heard++);
  peer.receive({ jsonrpc: "2.0", method: "a", id: undefined } as JsonRpcMessage);
  assertEquals([heard, sent], [1, []]);
});

Deno.test("JsonRpcPeer.receive() takes a notification that nobody listens to", () => {
  const { peer, sent, errors } = setUp();
  peer.receive(notification("__proto__"));
  assertEquals([sent, errors], [[], []]);
});

for (
  const [title, listener] of [
    ["throws", () => {
      throw new RangeError("listener");
    }],
    ["rejects", () => Promise.reject(new RangeError("listener"))],
  ] as const
) {
  Deno.test(`JsonRpcPeer.onNotification() reports a listener that ${title}`, async () => {
    const { peer, errors } = setUp();
    peer.onNotification("a", listener);
    peer.onAnyNotification(listener);
    peer.receive(notification("a"));
    peer.receive(notification("b"));
    await settle();
    assertEquals(errors.map(({ message }) => message), [
      "listener",
      "listener",
    ]);
  });
}

// The end.

Deno.test("JsonRpcPeer.close() rejects requests in flight, aborts handlers, and leaves no timer", async () => {
  const { peer, clock, sent } = setUp();
  const reason = new MCPConnectionError("Cut");
  let signal: AbortSignal | undefined;
  peer.handle("x", (_params, context) => {
    signal = context.signal;
    return new Promise(() => {});
  });
  call(peer, "x");
  const answers = [peer.request("a"), peer.request("b")];
  peer.close(reason);
  for (const outcome of await Promise.allSettled(answers)) {
    assert(outcome.status === "rejected");
    assertStrictEquals(outcome.reason, reason);
  }
  assertStrictEquals(signal?.reason, reason);
  assertEquals([peer.stats.pending, peer.stats.handling], [0, 0]);
  assertEquals([clock.timers, sent.length], [0, 2]);
});

Deno.test("JsonRpcPeer.close() says that the connection was closed, unless told otherwise", async () => {
  const { peer } = setUp();
  const answer = peer.request("x");
  peer.close();
  await assertRejects(
    () => answer,
    MCPConnectionError,
    "The connection was closed",
  );
});

Deno.test("JsonRpcPeer.close() asks for its reason once, when there is somebody to tell", async () => {
  const reasons: Error[] = [];
  const reason = () => {
    const error = new MCPConnectionError("gone");
    reasons.push(error);
    return error;
  };
  const peer = new JsonRpcPeer({ send: () => {} });
  peer.close(reason);
  assertEquals(reasons.length, 0);
  const thrown = [
    await assertRejects(() => peer.request("a")),
    await assertRejects(() => peer.notify("a")),
  ];
  assertEquals(reasons.length, 1);
  for (const error of thrown) assertStrictEquals(error, reasons[0]);
});

Deno.test("JsonRpcPeer is deaf and mute after close(), which can be repeated", async () => {
  const { peer, sent, errors } = setUp();
  const reason = new MCPConnectionError("Cut");
  const heard: string[] = [];
  peer.handle("x", () => {
    heard.push("request");
  });
  peer.onNotification("x", () => heard.push("notification"));
  peer.close(reason);
  peer.close(new Error("again"));
  assertStrictEquals(await peer.request("x").catch((e) => e), reason);
  assertStrictEquals(await peer.notify("x").catch((e) => e), reason);
  call(peer, "x");
  peer.receive(notification("x"));
  peer.receive(result(1));
  peer.receive({ jsonrpc: "2.0", error: { code: 1, message: "m" } });
  assertEquals([heard, sent, errors], [[], [], []]);
});

Deno.test("JsonRpcPeer sends no answer after close()", async () => {
  const { peer, sent, errors } = setUp();
  const gate = Promise.withResolvers<JsonRpcParams>();
  peer.handle("x", () => gate.promise);
  call(peer, "x", 1);
  call(peer, "x", 2);
  peer.close();
  gate.resolve({});
  await settle();
  assertEquals([sent, errors], [[], []]);
});

Deno.test("JsonRpcPeer.close() is not reported once more by sends that fail with its reason", async () => {
  const reason = new MCPConnectionError("Cut");
  const gate = Promise.withResolvers<void>();
  const { peer, errors } = setUp({ send: () => gate.promise });
  peer.handle("x", () => ({}));
  call(peer, "x");
  peer.close(reason);
  gate.reject(reason);
  await settle();
  assertEquals(errors, []);
});

Deno.test("JsonRpcPeer.reopen() takes the conversation up again, with the same handlers and new ids", async () => {
  const { peer, sent, clock } = setUp();
  const gate = Promise.withResolvers<JsonRpcParams>();
  peer.handle("x", () => gate.promise);
  call(peer, "x", "old");
  const lost = peer.request("a");
  peer.close();
  await assertRejects(() => lost, MCPConnectionError);
  peer.reopen();
  const answer = peer.request("b");
  call(peer, "x", "new");
  peer.receive(result(1, { from: "before" }));
  peer.receive(result(2, { from: "after" }));
  assertEquals(await answer, { from: "after" });
  gate.resolve({});
  await settle();
  assertEquals(sent.slice(2), [result("new")]);
  peer.close();
  assertEquals(clock.timers, 0);
});

// Reports.

for (
  const [title, onError] of [
    ["throws", () => {
      throw new RangeError("reporter");
    }],
    ["rejects", () => Promise.reject(new RangeError("reporter"))],
  ] as const
) {
  const failing = { onError: onError as () => void };

  Deno.test(`JsonRpcPeer.receive() is not harmed by an onError that ${title}`, async () => {
    const { peer, sent } = setUp(failing);
    peer.handle("x", () => {
      throw new TypeError("handler");
    });
    call(peer, "x");
    peer.receive({ jsonrpc: "2.0", error: { code: 1, message: "m" } });
    await settle();
    assertEquals(errorCodes(sent), [-32603]);
  });

  Deno.test(`JsonRpcPeer expires every request although onError ${title}`, async () => {
    let isCut = false;
    const { peer, clock } = setUp({
      ...failing,
      send: () => {
        if (isCut) throw new MCPConnectionError("Cut");
      },
    });
    const answers = ["a", "b", "c"].map((method) => peer.request(method, {}, { timeout: 100 }));
    isCut = true;
    clock.advance(100);
    for (const answer of answers) {
      await assertRejects(() => answer, MCPTimeoutError);
    }
    assertEquals([peer.stats.pending, clock.timers], [0, 0]);
  });

  Deno.test(`JsonRpcPeer.request() can be aborted although onError ${title}`, async () => {
    let isCut = false;
    const { peer } = setUp({
      ...failing,
      send: () => {
        if (isCut) throw new MCPConnectionError("Cut");
      },
    });
    const controller = new AbortController();
    const answer = peer.request("x", {}, { signal: controller.signal });
    isCut = true;
    controller.abort(new RangeError("enough"));
    await assertRejects(() => answer, RangeError, "enough");
  });
}

Deno.test("JsonRpcPeer needs no onError", async () => {
  const { peer, sent } = setUp({ onError: undefined });
  peer.handle("x", () => Promise.reject(new TypeError("handler")));
  call(peer, "x");
  await settle();
  assertEquals(errorCodes(sent), [-32603]);
});

Deno.test("JsonRpcPeer.stats counts both directions", async () => {
  const { peer, clock } = setUp();
  const controller = new AbortController();
  peer.handle("x", () => new Promise(() => {}));
  call(peer, "x", 1);
  call(peer, "x", 2);
  const answered = peer.request("a");
  const late = peer.request("b", {}, { timeout: 10 });
  const aborted = peer.request("c", {}, { signal: controller.signal });
  const open = peer.request("d");
  peer.receive(result(1));
  clock.advance(10);
  controller.abort();
  assertEquals(peer.stats, {
    requests: 4,
    pending: 1,
    handling: 2,
    timeouts: 1,
    cancelled: 1,
  });
  peer.close();
  await Promise.allSettled([answered, late, aborted, open]);
});

Deno.test("JsonRpcPeer works with the wall clock and default bounds", async () => {
  const server: JsonRpcPeer = new JsonRpcPeer({
    send: (message) => client.receive(message),
  });
  const client: JsonRpcPeer = new JsonRpcPeer({
    send: (message) => server.receive(message),
  });
  server.handle("double", ({ n }) => ({ n: 2 * Number(n) }));
  assertEquals(await client.request("double", { n: 21 }), { n: 42 });
  client.close();
});

Deno.test("JsonRpcPeer leaves no timer when it is disposed of", () => {
  const { peer, clock } = setUp();
  {
    using scoped = peer;
    scoped.request("x").catch(() => {});
    assertEquals(clock.timers, 1);
  }
  assertEquals([peer.stats.pending, clock.timers], [0, 0]);
});

Deno.test("JsonRpcPeer settles every request exactly once, whatever two ends and the network do", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = seededRandom(seed);
    const clock = new ManualClock();
    const wire: (() => void)[] = [];
    const errors: Error[] = [];
    const connect = (to: () => JsonRpcPeer): JsonRpcPeer =>
      new JsonRpcPeer({
        clock,
        maxInFlight: 20,
        requestTimeout: 500,
        maxRequestTimeout: 1_000,
        onError: (error) => errors.push(error),
        send(message) {
          if (random() < 0.02) throw new MCPConnectionError("Not sent");
          if (random() > 0.05) wire.push(() => to().receive(message));
        },
      });
    const left: JsonRpcPeer = connect(() => right);
    const right: JsonRpcPeer = connect(() => left);
    const ends = [left, right] as const;
    const work: (() => void)[] = [];
    for (const end of ends) {
      end.onRequest((params, context) => {
        if (random() < 0.2) return { echo: params.n };
        if (random() < 0.1) throw new MCPRpcError(1, "no");
        return new Promise((resolve, reject) => {
          context.signal.addEventListener(
            "abort",
            () => reject(context.signal.reason),
          );
          work.push(() => {
            context.progress(1);
            if (random() < 0.7) resolve({ echo: params.n });
          });
        });
      });
    }
    const controllers: AbortController[] = [];
    const outcomes: Promise<void>[] = [];
    let settled = 0;
    for (let step = 0; step < 400; step++) {
      const action = random();
      if (action < 0.3) {
        const controller = new AbortController();
        controllers.push(controller);
        const n = outcomes.length;
        const end = ends[n % 2] ?? left;
        const answer = end.request<{ echo: number }>("x", { n }, {
          signal: controller.signal,
          onProgress: () => {},
        });
        outcomes.push(
          answer.then(({ echo }) => assertEquals(echo, n), () => {}).then(
            () => {
              settled++;
            },
          ),
        );
      } else if (action < 0.6) wire.shift()?.();
      else if (action < 0.7) {
        wire.splice(randomInteger(random, wire.length + 1), 1)[0]?.();
      } else if (action < 0.85) {
        work.splice(randomInteger(random, work.length + 1), 1)[0]?.();
      } else if (action < 0.95) clock.advance(randomInteger(random, 50));
      else controllers[randomInteger(random, controllers.length)]?.abort();
      if (step % 20 === 0) await settle();
    }
    if (seed % 2 === 0) clock.advance(2_000);
    else for (const end of ends) end.close();
    await Promise.all(outcomes);
    assertEquals(settled, outcomes.length, `seed ${seed}`);
    assertEquals([left.stats.pending, right.stats.pending], [0, 0]);
    assertEquals(clock.timers, 0, `seed ${seed}`);
    for (const end of ends) end.close();
  }
});
