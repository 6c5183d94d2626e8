import { assertEquals } from "@std/assert";
import type { JsonRpcMessage } from "../../../protocol/jsonrpc.ts";
import { Handover } from "../../../protocol/session/handover.ts";

const request = (id: number): JsonRpcMessage => ({ jsonrpc: "2.0", id, method: "x" });
const answer = (id: number): JsonRpcMessage => ({ jsonrpc: "2.0", id, result: {} });
const note: JsonRpcMessage = { jsonrpc: "2.0", method: "note" };

/** Notes messages as an SDK hears them: notifications a microtask late. */
function setUp(): { handover: Handover; heard: JsonRpcMessage[] } {
  const heard: JsonRpcMessage[] = [];
  const handover = new Handover({
    message(message) {
      const isNotification = "method" in message && !("id" in message);
      if (isNotification) Promise.resolve().then(() => heard.push(message));
      else heard.push(message);
    },
  });
  return { handover, heard };
}

/** The end of the present turn: no other task has run meanwhile. */
async function turn(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

Deno.test("Handover hands over at once what need not wait", () => {
  const { handover, heard } = setUp();
  const messages = [request(1), answer(2), request(3)];
  for (const message of messages) handover.take(message);
  assertEquals(heard, messages);
});

Deno.test("Handover lets notifications be heard before the answers behind them, in the same turn", async () => {
  const { handover, heard } = setUp();
  const messages = [note, note, answer(1), request(2), note, answer(3), answer(4)];
  for (const message of messages) handover.take(message);
  assertEquals(heard, []);
  await turn();
  assertEquals(heard.filter((message) => "id" in message).length, 4);
  const kinds = heard.map((message) => "method" in message ? message.method : "answer");
  assertEquals(kinds, ["note", "note", "answer", "x", "note", "answer", "answer"]);
});

Deno.test("Handover.flush() hands over what waits at once, and clear() forgets it", async () => {
  const { handover, heard } = setUp();
  for (const message of [note, answer(1)]) handover.take(message);
  handover.flush();
  assertEquals(heard, [answer(1)]);
  await turn();
  for (const message of [note, answer(2)]) handover.take(message);
  handover.clear();
  await turn();
  assertEquals(heard, [answer(1), note, note]);
});

Deno.test("Handover takes messages while it hands one over", () => {
  const heard: JsonRpcMessage[] = [];
  const handover: Handover = new Handover({
    message(message) {
      heard.push(message);
      if (heard.length === 1) handover.take(answer(2));
    },
  });
  handover.take(answer(1));
  assertEquals(heard, [answer(1), answer(2)]);
});
