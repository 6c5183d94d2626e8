import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { InboundRequest } from "../../protocol/inbound.ts";
import type { JsonRpcParams } from "../../protocol/jsonrpc.ts";

type Told = [method: string, params: JsonRpcParams | undefined, from: unknown];

function receive(
  params?: JsonRpcParams,
): { request: InboundRequest; told: Told[] } {
  const told: Told[] = [];
  const request = new InboundRequest(
    { jsonrpc: "2.0", id: "r", method: "x/slow", params },
    { lost: undefined },
    (...args) => told.push(args),
  );
  return { request, told };
}

Deno.test("InboundRequest tells its id, its method and what is known besides", () => {
  const { request } = receive();
  assertEquals([request.id, request.method], ["r", "x/slow"]);
  assertEquals(request.extra, { lost: undefined });
});

Deno.test("InboundRequest.signal is one signal, aborted with the reason", () => {
  const { request } = receive();
  const { signal } = request;
  assertStrictEquals(request.signal, signal);
  assert(!signal.aborted);
  const reason = new Error("over");
  request.abort(reason);
  assertStrictEquals(signal.reason, reason);
});

Deno.test("InboundRequest.signal is aborted for who asks after the abort", () => {
  const { request } = receive();
  const reason = new Error("over");
  request.abort(reason);
  assertStrictEquals(request.signal.reason, reason);
});

for (const token of ["t", "", 0, -5]) {
  Deno.test(`InboundRequest.progress() goes to the token ${JSON.stringify(token)}`, () => {
    const { request, told } = receive({ _meta: { progressToken: token } });
    request.progress(1);
    request.progress(2, 4, "half");
    assertEquals(told, [
      ["notifications/progress", { progressToken: token, progress: 1 }, "r"],
      [
        "notifications/progress",
        { progressToken: token, progress: 2, total: 4, message: "half" },
        "r",
      ],
    ]);
  });
}

for (
  const [title, params] of [
    ["no params", undefined],
    ["no _meta", {}],
    ["_meta that is no object", { _meta: [] }],
    ["no token", { _meta: {} }],
    ["a null token", { _meta: { progressToken: null } }],
    ["a fractional token", { _meta: { progressToken: 0.5 } }],
  ] as const
) {
  Deno.test(`InboundRequest.progress() is not sent to a caller with ${title}`, () => {
    const { request, told } = receive(params as JsonRpcParams | undefined);
    request.progress(1);
    assertEquals(told, []);
  });
}

Deno.test("InboundRequest.notify() names the request it belongs to", () => {
  const { request, told } = receive();
  request.notify("notifications/message", { level: "info" });
  request.notify("x/tick");
  assertEquals(told, [
    ["notifications/message", { level: "info" }, "r"],
    ["x/tick", undefined, "r"],
  ]);
});

Deno.test("InboundRequest.progress() and notify() work when they are taken out of it", () => {
  const { request, told } = receive({ _meta: { progressToken: 1 } });
  const { progress, notify } = request;
  progress(1);
  notify("x/tick");
  assertEquals(told.map(([method]) => method), [
    "notifications/progress",
    "x/tick",
  ]);
});

for (const end of ["finish", "abort"] as const) {
  Deno.test(`InboundRequest is silent after ${end}()`, () => {
    const { request, told } = receive({ _meta: { progressToken: 1 } });
    const { progress } = request;
    assert(!request.isDone);
    if (end === "finish") request.finish();
    else request.abort(new Error("over"));
    assert(request.isDone);
    progress(1);
    request.progress(1);
    request.notify("x/tick");
    assertEquals(told, []);
  });
}

Deno.test("InboundRequest.finish() does not abort the signal", () => {
  const { request } = receive();
  const { signal } = request;
  request.finish();
  assert(!signal.aborted);
});
