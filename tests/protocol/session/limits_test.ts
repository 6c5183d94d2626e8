import { assertEquals } from "@std/assert";
import { clamp, narrow, RANGES } from "../../../protocol/session/limits.ts";

Deno.test("clamp() brings a number into its range", () => {
  const range = { min: 10, max: 20, fallback: 15 };
  const table: [unknown, number][] = [
    [10, 10],
    [20, 20],
    [12.5, 12.5],
    [9.99, 10],
    [20.01, 20],
    [0, 10],
    [-1, 10],
    [-Infinity, 10],
    [Infinity, 20],
    [2 ** 53, 20],
  ];
  for (const [value, expected] of table) assertEquals(clamp(value, range), expected, `${value}`);
});

Deno.test("clamp() gives the fallback for what is no number", () => {
  const range = { min: 10, max: 20, fallback: 15 };
  for (const value of [undefined, null, "12", "", true, [], {}, [12], NaN]) {
    assertEquals(clamp(value, range), 15);
  }
});

Deno.test("RANGES hold their own fallbacks", () => {
  for (const [name, range] of Object.entries(RANGES)) {
    assertEquals(clamp(range.fallback, range), range.fallback, name);
  }
});

Deno.test("narrow() takes the smaller window, and the size of messages from the peer", () => {
  const small = { messageBytes: 1, bufferBytes: 2, bufferMessages: 3 };
  const large = { messageBytes: 10, bufferBytes: 20, bufferMessages: 30 };
  assertEquals(narrow(small, large), { messageBytes: 10, bufferBytes: 2, bufferMessages: 3 });
  assertEquals(narrow(large, small), { messageBytes: 1, bufferBytes: 2, bufferMessages: 3 });
  const mixed = { messageBytes: 5, bufferBytes: 1, bufferMessages: 40 };
  assertEquals(narrow(large, mixed), { messageBytes: 5, bufferBytes: 1, bufferMessages: 30 });
});
