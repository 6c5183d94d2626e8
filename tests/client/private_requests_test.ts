import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPConnectionError, MCPRpcError, MCPTimeoutError } from "../../protocol/errors.ts";
import { PrivateRequests, resultOf } from "../../client/private_requests.ts";
import { type Loss, lossOf } from "../../client/recovery.ts";
import type { Json } from "../support/json_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";

function setUp() {
  const sent: Json[] = [];
  const clock = new ManualClock();
  const { promise: lost, resolve } = Promise.withResolvers<Loss>();
  const requests = new PrivateRequests({
    send: (text, request) => {
      assertEquals(JSON.parse(text), request);
      sent.push(request);
    },
    lost,
    timeout: 1_000,
    clock,
  });
  const lose = () => resolve(lossOf({ code: 1012, reason: "so long" }));
  return { requests, sent, clock, lose };
}

const answer = (id: number, result = {}): Json => ({ jsonrpc: "2.0", id, result });

Deno.test("PrivateRequests.ask() asks under negative ids, and gets its own answer", async () => {
  const { requests, sent, clock } = setUp();
  const asked = [requests.ask({ method: "a", params: { n: 1 } }), requests.ask({ method: "b" })];
  assertEquals(sent, [
    { jsonrpc: "2.0", id: -1, method: "a", params: { n: 1 } },
    { jsonrpc: "2.0", id: -2, method: "b" },
  ]);
  assertEquals(requests.settle(answer(-2, { of: "b" })), true);
  assertEquals(requests.settle(answer(-1, { of: "a" })), true);
  assertEquals((await Promise.all(asked)).map(resultOf), [{ of: "a" }, { of: "b" }]);
  assertEquals(clock.timers, 0);
});

Deno.test("PrivateRequests.settle() keeps what has a negative id, and nothing else", () => {
  const { requests } = setUp();
  assertEquals(requests.settle(answer(-99)), true);
  assertEquals(requests.settle(answer(0)), false);
  assertEquals(requests.settle(answer(5)), false);
  assertEquals(requests.settle({ jsonrpc: "2.0", id: "-1", result: {} }), false);
  assertEquals(requests.settle({ jsonrpc: "2.0", id: -1, method: "asks" }), false);
});

Deno.test("PrivateRequests.ask() waits as long as its limit says, or by default", async () => {
  const { requests, clock } = setUp();
  const slow = requests.ask({ method: "slow" });
  const quick = requests.ask({ method: "quick" }, { timeout: 10 });
  clock.advance(10);
  const error = await assertRejects(() => quick, MCPTimeoutError);
  assertEquals([error.message, error.retryable], [
    'Peer did not answer "quick" within 10 ms',
    true,
  ]);
  clock.advance(990);
  assertEquals((await assertRejects(() => slow, MCPTimeoutError)).timeout, 1_000);
  // Too late.
  assertEquals(requests.settle(answer(-1)), true);
});

Deno.test("PrivateRequests.ask() gives up with its signal, and does not begin after it", async () => {
  const { requests, sent, clock } = setUp();
  const controller = new AbortController();
  const asked = requests.ask({ method: "a" }, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => asked, Error, "enough");
  const late = requests.ask({ method: "b" }, { signal: controller.signal });
  await assertRejects(() => late, Error, "enough");
  assertEquals([sent.length, clock.timers], [1, 0]);
});

Deno.test("PrivateRequests.ask() fails with the connection, and does not begin after it", async () => {
  const { requests, sent, clock, lose } = setUp();
  const asked = requests.ask({ method: "a" });
  lose();
  const error = await assertRejects(() => asked, MCPConnectionError);
  assertEquals([error.code, error.verdict?.cause], [1012, "restarting"]);
  await assertRejects(() => requests.ask({ method: "b" }), MCPConnectionError);
  assertEquals([sent.length, clock.timers], [1, 0]);
});

Deno.test("PrivateRequests.send() needs no listener, and forgets one", () => {
  const { requests } = setUp();
  const heard: number[] = [];
  requests.send({ method: "a" });
  const id = requests.send({ method: "b" }, () => heard.push(1));
  requests.send({ method: "c" }, () => heard.push(2));
  requests.forget(id);
  for (let n = 1; n <= 3; n++) requests.settle(answer(-n));
  assertEquals(heard, [2]);
});

Deno.test("resultOf() throws what was answered instead", () => {
  const error = { code: 7, message: "no", data: { n: 1 } };
  try {
    resultOf({ jsonrpc: "2.0", id: 1, error });
    assert(false);
  } catch (thrown) {
    assert(thrown instanceof MCPRpcError);
    assertEquals([thrown.code, thrown.message, thrown.data], [7, "no", { n: 1 }]);
  }
});
