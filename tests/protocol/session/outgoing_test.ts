import { assertEquals } from "@std/assert";
import type { JsonRpcMessage } from "../../../protocol/jsonrpc.ts";
import { type Lane, measure, Outgoing } from "../../../protocol/session/outgoing.ts";
import { randomInteger, seededRandom } from "../../support/random.ts";

const ENCODER = new TextEncoder();

Deno.test("Outgoing knows what a message is and which request it belongs to", () => {
  const cancelled = "notifications/cancelled";
  const table: [JsonRpcMessage, Lane, unknown][] = [
    [{ jsonrpc: "2.0", id: 0, method: "m" }, "request", 0],
    [{ jsonrpc: "2.0", id: "a", method: cancelled }, "request", "a"],
    [{ jsonrpc: "2.0", method: "n" }, "notification", undefined],
    [{ jsonrpc: "2.0", method: "n", params: { requestId: 1 } }, "notification", undefined],
    [{ jsonrpc: "2.0", id: "", result: {} }, "response", ""],
    [{ jsonrpc: "2.0", id: 3, error: { code: 1, message: "" } }, "response", 3],
    [{ jsonrpc: "2.0", error: { code: 1, message: "" } }, "response", undefined],
    [{ jsonrpc: "2.0", method: cancelled, params: { requestId: 4 } }, "cancel", 4],
    [{ jsonrpc: "2.0", method: cancelled, params: { requestId: "4" } }, "cancel", "4"],
    [{ jsonrpc: "2.0", method: cancelled, params: { requestId: null } }, "cancel", undefined],
    [{ jsonrpc: "2.0", method: cancelled, params: { requestId: 1.5 } }, "cancel", undefined],
    [{ jsonrpc: "2.0", method: cancelled, params: {} }, "cancel", undefined],
    [{ jsonrpc: "2.0", method: cancelled }, "cancel", undefined],
  ];
  for (const [message, lane, id] of table) {
    const outgoing = new Outgoing(message, JSON.stringify(message));
    assertEquals([outgoing.lane, outgoing.id], [lane, id], outgoing.text);
    assertEquals([outgoing.wasComplete, outgoing.settled], [false, undefined]);
  }
});

Deno.test("Outgoing takes text without a message for a notification", () => {
  const { lane, id, text } = new Outgoing(undefined, "{oops");
  assertEquals([lane, id, text], ["notification", undefined, "{oops"]);
});

Deno.test("measure() assumes three bytes per unit of a short text, and counts a long one", () => {
  assertEquals(measure(""), 0);
  assertEquals(measure("a"), 3);
  assertEquals(measure("a".repeat(256)), 768);
  assertEquals(measure("a".repeat(257)), 257);
  assertEquals(measure("€".repeat(257)), 771);
});

Deno.test("measure() is never less than the bytes of UTF-8", () => {
  const random = seededRandom(2);
  for (let run = 0; run < 2_000; run++) {
    let text = "";
    const length = randomInteger(random, 400);
    while (text.length < length) text += String.fromCharCode(randomInteger(random, 65_536));
    const bytes = ENCODER.encode(text).length;
    if (text.length > 256) assertEquals(measure(text), bytes);
    else assertEquals(measure(text) >= bytes, true);
  }
});
