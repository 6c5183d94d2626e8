import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  MCPCapacityError,
  MCPConnectionError,
  MCPError,
  MCPRpcError,
  MCPTimeoutError,
  toError,
} from "../../protocol/errors.ts";

const CAUSE = new TypeError("why");

for (
  const [error, name, kind, retryable] of [
    [new MCPError("policy", "m"), "MCPError", "policy", false],
    [new MCPConnectionError("m"), "MCPConnectionError", "network", true],
    [new MCPTimeoutError("m", 5), "MCPTimeoutError", "timeout", false],
    [new MCPCapacityError("m", 5), "MCPCapacityError", "capacity", true],
    [new MCPRpcError(1, "m"), "MCPRpcError", "protocol", false],
  ] as const
) {
  Deno.test(`${name} says of itself: ${kind}, ${retryable ? "" : "not "}retryable`, () => {
    assert(error instanceof MCPError);
    assert(error instanceof Error);
    assertEquals(error.name, name);
    assertEquals(error.message, "m");
    assertEquals(error.kind, kind);
    assertEquals(error.retryable, retryable);
    assert(error.stack?.includes("errors_test.ts"));
    assertEquals("cause" in error, false);
  });
}

for (
  const error of [
    new MCPError("policy", "m", { cause: CAUSE, retryable: true }),
    new MCPConnectionError("m", { cause: CAUSE, retryable: true }),
    new MCPTimeoutError("m", 5, { cause: CAUSE, retryable: true }),
    new MCPCapacityError("m", 5, { cause: CAUSE, retryable: true }),
    new MCPRpcError(1, "m", { cause: CAUSE, retryable: true }),
  ]
) {
  Deno.test(`${error.name} keeps its cause and what it is told about trying again`, () => {
    assertStrictEquals(error.cause, CAUSE);
    assertEquals(error.retryable, true);
  });
}

Deno.test("MCPConnectionError can be about something else than the network, and final", () => {
  const error = new MCPConnectionError("m", {
    kind: "authentication",
    retryable: false,
    code: 4401,
    status: 401,
    outcome: "not-sent",
    verdict: { cause: "unauthenticated", pace: "refresh" },
  });
  assertEquals(error.kind, "authentication");
  assertEquals(error.retryable, false);
  assertEquals(error.code, 4401);
  assertEquals(error.status, 401);
  assertEquals(error.outcome, "not-sent");
  assertEquals(error.verdict, { cause: "unauthenticated", pace: "refresh" });
});

Deno.test("MCPTimeoutError says how long was allowed", () => {
  assertEquals(new MCPTimeoutError("m", 250).timeout, 250);
});

Deno.test("MCPCapacityError says which bound was reached", () => {
  assertEquals(new MCPCapacityError("m", 7).limit, 7);
});

Deno.test("MCPRpcError carries code, data and id", () => {
  const error = new MCPRpcError(-32602, "m", { data: [1], id: "a" });
  assertEquals([error.code, error.data, error.id], [-32602, [1], "a"]);
});

Deno.test("toError() gives back an error as it is", () => {
  assertStrictEquals(toError(CAUSE), CAUSE);
});

for (
  const [thrown, message] of [
    ["words", "words"],
    [7, "7"],
    [undefined, "undefined"],
    [null, "null"],
    [Symbol("s"), "Symbol(s)"],
    [{ a: 1 }, "[object Object]"],
    [Object.create(null), "[object Object]"],
    [
      {
        toString() {
          throw new TypeError("no");
        },
      },
      "[object Object]",
    ],
  ] as const
) {
  Deno.test(`toError() makes an error of ${Deno.inspect(thrown)}`, () => {
    const error = toError(thrown);
    assert(error instanceof Error);
    assertEquals(error.message, message);
    assertStrictEquals(error.cause, thrown);
  });
}
