import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { MCPCapacityError, MCPConnectionError } from "../../protocol/errors.ts";
import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { Exchange } from "../../client/exchange.ts";

const make = (maxInFlight = 10) => new Exchange({ maxInFlight, resend: undefined });

const request = (id: number, method = "x", params = {}): JsonRpcMessage => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

Deno.test("Exchange hands messages on as they are while nothing is lost", () => {
  const exchange = make();
  const messages: JsonRpcMessage[] = [
    request(1),
    { jsonrpc: "2.0", method: "x" },
    { jsonrpc: "2.0", id: 5, result: {} },
  ];
  for (const message of messages) {
    assertStrictEquals(exchange.outgoing(message), message);
    assertStrictEquals(exchange.incoming(message), message);
  }
});

Deno.test("Exchange refuses requests above the bound, until one is answered", () => {
  const exchange = make(1);
  exchange.outgoing(request(1));
  assertThrows(() => exchange.outgoing(request(2)), MCPCapacityError, "as 1 are in flight");
  exchange.incoming({ jsonrpc: "2.0", id: 1, result: {} });
  exchange.outgoing(request(2));
});

Deno.test("Exchange.lose() tells of the peer's requests first, then of the application's", () => {
  const exchange = make();
  exchange.outgoing(request(1));
  exchange.incoming(request(7, "roots/list"));
  const [cancel, answer, ...others] = exchange.lose(true);
  assertEquals(cancel?.message, {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: 7, reason: "The connection was lost" },
  });
  assertEquals((answer?.message as { id: number }).id, 1);
  assertEquals(answer?.extra?.lost instanceof MCPConnectionError, true);
  assertEquals(others, []);
});

Deno.test("Exchange drops what leaves for a lost request", () => {
  const exchange = make();
  exchange.incoming(request(7, "roots/list"));
  exchange.lose(true);
  const progress: JsonRpcMessage = {
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: 7, progress: 1 },
  };
  assertEquals(exchange.outgoing(progress), undefined);
  assertEquals(exchange.outgoing({ jsonrpc: "2.0", id: 7, result: {} }), undefined);
});

const META = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };

Deno.test("Exchange.question() knows how to ask which peer", () => {
  const unknown = make();
  assertEquals([unknown.question(true), unknown.question(false)], [undefined, undefined]);
  const legacy = make();
  legacy.outgoing(request(1, "initialize"));
  legacy.incoming({ jsonrpc: "2.0", id: 1, result: {} });
  assertEquals(legacy.question(false), { method: "ping" });
  const modern = make();
  modern.outgoing(request(1, "tools/list", { _meta: META }));
  assertEquals(modern.question(false), undefined);
  assertEquals(modern.question(true)?.method, "server/discover");
});

Deno.test("Exchange knows which connection a message that leaves belongs to", () => {
  const exchange = make();
  exchange.outgoing(request(1));
  exchange.incoming(request(7, "roots/list"));
  assertEquals(exchange.leave(), []);
  assertEquals(exchange.leaving, 2);
  const notification = (method: string, params: object): JsonRpcMessage => ({
    jsonrpc: "2.0",
    method,
    params: { ...params },
  });
  const sides = [
    request(2),
    notification("notifications/cancelled", { requestId: 1 }),
    notification("notifications/cancelled", { requestId: 2 }),
    notification("notifications/progress", { progressToken: 7 }),
    notification("notifications/roots/list_changed", {}),
    { jsonrpc: "2.0", id: 7, result: {} } as const,
    { jsonrpc: "2.0", id: 8, result: {} } as const,
  ].map((message) => exchange.sideOf(message));
  assertEquals(sides, [
    "present",
    "leaving",
    "present",
    "leaving",
    "present",
    "leaving",
    "present",
  ]);
  exchange.incoming({ jsonrpc: "2.0", id: 1, result: {} }, "leaving");
  exchange.outgoing({ jsonrpc: "2.0", id: 7, result: {} });
  assertEquals(exchange.leaving, 0);
});

Deno.test("Exchange keeps to itself what the old connection says of a request that has moved", () => {
  const exchange = make();
  exchange.outgoing(request(1, "subscriptions/listen"));
  assertEquals(exchange.leave().length, 1);
  const answer: JsonRpcMessage = { jsonrpc: "2.0", id: 1, result: {} };
  assertEquals(exchange.incoming(answer, "leaving"), undefined);
  assertStrictEquals(exchange.incoming(answer, "present"), answer);
});

Deno.test("Exchange.fail() tells the application of one request", () => {
  const exchange = make();
  exchange.outgoing(request(1));
  const [notice, ...others] = exchange.fail(1);
  assertEquals((notice?.message as { id: number }).id, 1);
  assertEquals([others, exchange.fail(1)], [[], []]);
});
