import { assertEquals, assertInstanceOf } from "@std/assert";
import { MCPConnectionError, MCPRpcError } from "../../protocol/errors.ts";
import type { JsonRpcRequest } from "../../protocol/jsonrpc.ts";
import type { ConnectionState } from "../../client/connection.ts";
import { answerOffline, isCutOff } from "../../client/offline.ts";

const REQUEST: JsonRpcRequest = { jsonrpc: "2.0", id: 7, method: "tools/list" };

function answer(respond: (request: JsonRpcRequest) => unknown) {
  const errors: Error[] = [];
  const notice = answerOffline(
    REQUEST,
    respond as Parameters<typeof answerOffline>[1],
    (error) => errors.push(error),
  );
  return { notice, errors };
}

Deno.test("answerOffline() answers with the result, marked as made here", () => {
  const given = { tools: [], _meta: { mine: 1 } };
  const { notice, errors } = answer(() => ({ result: given }));
  assertEquals(notice?.message, {
    jsonrpc: "2.0",
    id: 7,
    result: { tools: [], _meta: { mine: 1, "bowline/offline": true } },
  });
  assertInstanceOf(notice?.extra?.lost, MCPConnectionError);
  assertEquals(notice.extra.lost.outcome, "not-sent");
  assertEquals([errors, given], [[], { tools: [], _meta: { mine: 1 } }]);
});

Deno.test("answerOffline() answers with the error, which says that nothing was sent", () => {
  const { notice } = answer(() => ({ error: { code: -32000, message: "You are offline" } }));
  assertEquals(notice?.message, {
    jsonrpc: "2.0",
    id: 7,
    error: { code: -32000, message: "You are offline", data: { outcome: "not-sent" } },
  });
  const { lost } = notice?.extra ?? {};
  assertInstanceOf(lost, MCPRpcError);
  assertEquals([lost.code, lost.message, lost.retryable], [-32000, "You are offline", true]);
  assertInstanceOf(lost.cause, MCPConnectionError);
});

/** Data given, and data told. */
const DATA: readonly [unknown, unknown][] = [
  [{ since: 5 }, { outcome: "not-sent", since: 5 }],
  [{ outcome: "unknown" }, { outcome: "unknown" }],
  ["text", "text"],
  [null, null],
];

for (const [given, told] of DATA) {
  Deno.test(`answerOffline() tells data ${JSON.stringify(given)} as ${JSON.stringify(told)}`, () => {
    const { notice } = answer(() => ({ error: { code: 1, message: "", data: given } }));
    assertEquals((notice?.message as { error: { data: unknown } }).error.data, told);
  });
}

Deno.test("answerOffline() is given the request", () => {
  const seen: JsonRpcRequest[] = [];
  const { notice, errors } = answer((request) => void seen.push(request));
  assertEquals([seen, notice, errors], [[REQUEST], undefined, []]);
});

Deno.test("answerOffline() reports what is thrown, and gives no answer", () => {
  const { notice, errors } = answer(() => {
    throw "boom";
  });
  assertEquals([notice, errors.map(({ message }) => message)], [undefined, ["boom"]]);
});

const WRONG: Record<string, () => unknown> = {
  "null": () => null,
  "an empty object": () => ({}),
  "a result that is no object": () => ({ result: [] }),
  "an error without a code": () => ({ error: { message: "no" } }),
  "a promise": () => Promise.resolve({ result: {} }),
  "a promise that rejects": () => Promise.reject(new Error("late")),
};

for (const [name, respond] of Object.entries(WRONG)) {
  Deno.test(`answerOffline() refuses ${name}`, () => {
    const { notice, errors } = answer(respond);
    assertEquals(notice, undefined);
    assertInstanceOf(errors[0], TypeError);
    assertEquals(
      errors[0].message,
      'Cannot answer "tools/list" offline: expected a "result" that is an object, ' +
        'or an "error" with an integer "code" and a string "message"',
    );
  });
}

/** Status, attempt, whether a connection was lost, and whether that is being cut off. */
const STATES: readonly [ConnectionState["status"], number, boolean, boolean][] = [
  ["disconnected", 0, false, false],
  ["connecting", 1, false, false],
  ["connecting", 2, false, true],
  ["connecting", 1, true, true],
  ["connected", 3, true, false],
  ["reconnecting", 0, true, true],
  ["reconnecting", 1, false, true],
  ["offline", 0, false, true],
  ["failed", 10, true, false],
];

for (const [status, attempt, wasLost, expected] of STATES) {
  const when = `${status}, attempt ${attempt}${wasLost ? ", after a loss" : ""}`;
  Deno.test(`isCutOff() is ${expected} when ${when}`, () => {
    const state = { status, attempt, since: 0, lastAttemptAt: undefined } as ConnectionState;
    assertEquals(isCutOff(state, wasLost), expected);
  });
}
