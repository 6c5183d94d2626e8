import { assertEquals, assertStrictEquals } from "@std/assert";
import type { JsonRpcNotification, JsonRpcRequest, RequestId } from "../../protocol/jsonrpc.ts";
import { InboundIds } from "../../client/inbound_ids.ts";

const request = (id: RequestId, params?: Record<string, unknown>): JsonRpcRequest => ({
  jsonrpc: "2.0",
  id,
  method: "sampling/createMessage",
  ...(params === undefined ? {} : { params }),
});

const answer = (id: RequestId) => ({ jsonrpc: "2.0" as const, id, result: {} });

const progress = (progressToken: unknown): JsonRpcNotification => ({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken, progress: 1 },
});

const cancel = (requestId: unknown): JsonRpcNotification => ({
  jsonrpc: "2.0",
  method: "notifications/cancelled",
  params: { requestId, reason: "no longer needed" },
});

Deno.test("InboundIds hands everything on as it is while nothing is lost", () => {
  const ids = new InboundIds();
  const asked = request(1);
  assertStrictEquals(ids.accept(asked), asked);
  assertEquals(ids.size("present"), 1);
  const told = progress(1);
  assertStrictEquals(ids.release(told), told);
  const answered = answer(1);
  assertStrictEquals(ids.answer(answered), answered);
  assertEquals(ids.size("present"), 0);
});

Deno.test("InboundIds.lose() cancels each request in flight, once", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.accept(request("two"));
  ids.accept(request(3));
  ids.answer(answer(3));
  assertEquals(
    ids.lose(),
    [1, "two"].map((requestId) => ({
      jsonrpc: "2.0" as const,
      method: "notifications/cancelled",
      params: { requestId, reason: "The connection was lost" },
    })),
  );
  assertEquals(ids.size("present"), 0);
  assertEquals(ids.lose(), []);
});

Deno.test("InboundIds drops an answer and progress that belong to a lost request", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  assertEquals(ids.release(progress(1)), undefined);
  assertEquals(ids.answer(answer(1)), undefined);
});

Deno.test("InboundIds keeps a lost id apart from the new request of the same id", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  const shown = ids.accept(request(1));
  assertEquals(shown.id, "reused-1");
  assertEquals(ids.answer(answer(1)), undefined, "the lost one's answer");
  assertEquals(ids.answer(answer("reused-1")), answer(1), "the new one's answer");
  assertEquals(ids.accept(request(1)).id, 1, "nothing is lost any more");
});

Deno.test("InboundIds renames the progress token with the id, where it is the same", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  const shown = ids.accept(request(1, { _meta: { progressToken: 1, other: true }, n: 2 }));
  assertEquals(shown.params, { _meta: { progressToken: "reused-1", other: true }, n: 2 });
  assertEquals(ids.release(progress("reused-1")), progress(1));
  assertEquals(ids.release(progress(1)), undefined);
});

Deno.test("InboundIds leaves a progress token of its own alone", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  const shown = ids.accept(request(1, { _meta: { progressToken: "mine" } }));
  assertEquals(shown.params, { _meta: { progressToken: "mine" } });
  const told = progress("mine");
  assertStrictEquals(ids.release(told), told);
});

Deno.test("InboundIds leaves other notifications and progress of other requests alone", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  ids.accept(request(2));
  const notifications: JsonRpcNotification[] = [
    { jsonrpc: "2.0", method: "notifications/message", params: { progressToken: 1 } },
    progress(2),
    progress(undefined),
    { jsonrpc: "2.0", method: "notifications/progress" },
  ];
  for (const notification of notifications) {
    assertStrictEquals(ids.release(notification), notification);
  }
});

Deno.test("InboundIds translates the peer's cancel to the id the application knows", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.lose();
  ids.accept(request(2));
  ids.accept(request(1));
  assertEquals(ids.translate(cancel(1)), cancel("reused-1"));
  assertEquals(ids.size("present"), 1);
});

Deno.test("InboundIds hands on cancels of other requests, and other notifications, as they are", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  const notifications: JsonRpcNotification[] = [
    cancel(1),
    cancel(7),
    { jsonrpc: "2.0", method: "notifications/cancelled" },
    { jsonrpc: "2.0", method: "notifications/message", params: {} },
  ];
  for (const notification of notifications) {
    assertStrictEquals(ids.translate(notification), notification);
  }
  assertEquals(ids.size("present"), 0);
});

Deno.test("InboundIds lets answers through that name no request", () => {
  const ids = new InboundIds();
  const error = { jsonrpc: "2.0" as const, error: { code: -32700, message: "Parse error" } };
  assertStrictEquals(ids.answer(error), error);
  const unknown = answer(99);
  assertStrictEquals(ids.answer(unknown), unknown);
});

Deno.test("InboundIds remembers a bounded number of lost ids, the newest", () => {
  const ids = new InboundIds();
  for (let id = 0; id < 20_000; id++) ids.accept(request(id));
  ids.lose();
  assertEquals(ids.accept(request(0)).id, 0, "forgotten");
  assertEquals(ids.accept(request(19_999)).id, "reused-1", "remembered");
});

Deno.test("InboundIds remembers a bounded number of requests that are never answered", () => {
  const ids = new InboundIds();
  for (let id = 0; id < 20_000; id++) ids.accept(request(id));
  assertEquals(ids.size("present"), 16_384);
  const unheardOf = answer(0);
  assertStrictEquals(ids.answer(unheardOf), unheardOf, "answers to the oldest still pass");
});

// A connection that is being left for another.

Deno.test("InboundIds.leave() keeps what is in flight apart from what comes in on the next connection", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.leave();
  assertEquals([ids.size("present"), ids.size("leaving")], [0, 1]);
  const reused = ids.accept(request(1), "present");
  assertEquals(reused.id, "reused-1");
  assertEquals([ids.sideOf(answer(1)), ids.sideOf(answer("reused-1"))], ["leaving", "present"]);
  assertEquals(ids.answer(answer("reused-1")), answer(1));
  assertEquals(ids.answer(answer(1)), answer(1));
  assertEquals([ids.size("present"), ids.size("leaving")], [0, 0]);
});

Deno.test("InboundIds still takes requests of a connection that is being left", () => {
  const ids = new InboundIds();
  ids.leave();
  ids.accept(request(1), "present");
  assertEquals(ids.accept(request(1), "leaving").id, "reused-1");
  assertEquals(ids.sideOf(answer("reused-1")), "leaving");
});

Deno.test("InboundIds.translate() cancels on the connection where the cancel came in", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.leave();
  ids.accept(request(1), "present");
  assertEquals(ids.translate(cancel(1), "present").params?.requestId, "reused-1");
  assertEquals(ids.translate(cancel(1), "leaving").params?.requestId, 1);
  assertEquals([ids.size("present"), ids.size("leaving")], [0, 0]);
});

Deno.test("InboundIds.lose() of one connection leaves the other alone", () => {
  const ids = new InboundIds();
  ids.accept(request(1));
  ids.leave();
  ids.accept(request(2), "present");
  const lost = ids.lose("leaving") as JsonRpcNotification[];
  assertEquals(lost.map(({ params }) => params?.requestId), [1]);
  assertEquals(ids.answer(answer(1)), undefined);
  assertEquals(ids.answer(answer(2)), answer(2));
});

Deno.test("InboundIds.answer() drops the answer to a request that was cancelled", () => {
  const ids = new InboundIds();
  ids.accept({ jsonrpc: "2.0", id: 1, method: "a" });
  ids.translate({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  ids.lose();
  // Another session uses the id again while the first answer is still to come.
  const second = ids.accept({ jsonrpc: "2.0", id: 1, method: "b" });
  assertEquals(ids.answer({ jsonrpc: "2.0", id: 1, result: {} }), undefined);
  const answer = { jsonrpc: "2.0" as const, id: second.id, result: { n: 2 } };
  assertEquals(ids.answer(answer), { ...answer, id: 1 });
});
