import { assertEquals, assertThrows } from "@std/assert";
import { ECHO, echoParams, NOTE, noteParams } from "../../bench/messages.ts";

function requestSize(id: number, bytes: number): number {
  const message = { jsonrpc: "2.0", id, method: ECHO, params: echoParams(bytes) };
  return JSON.stringify(message).length;
}

Deno.test("echoParams() makes the whole frame as large as its name says, never larger", () => {
  for (const bytes of [100, 1_000, 1_024, 10_240, 102_400]) {
    assertEquals(requestSize(1_000_000, bytes), bytes);
    assertEquals(requestSize(1, bytes), bytes - 6);
  }
});

Deno.test("noteParams() makes the whole frame exactly so large", () => {
  const message = { jsonrpc: "2.0", method: NOTE, params: noteParams(100) };
  assertEquals(JSON.stringify(message).length, 100);
});

Deno.test("echoParams() refuses a size that no request has", () => {
  assertThrows(() => echoParams(50), RangeError, "it is 50");
});
