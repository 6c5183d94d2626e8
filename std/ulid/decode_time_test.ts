import { assertEquals, assertThrows } from "@std/assert";
import { decodeTime, ulid } from "@std/ulid";

Deno.test("decodeTime() reads what ulid() wrote", () => {
  for (const time of [0, 1469918176385, 2 ** 48 - 1]) {
    assertEquals(decodeTime(ulid(time)), time);
  }
});

Deno.test("decodeTime() does not look at the randomness", () => {
  assertEquals(decodeTime("01ARYZ6S41" + "!".repeat(16)), 1469918176385);
});

Deno.test("decodeTime() refuses another length", () => {
  for (const text of ["", "FFFF", "0".repeat(27)]) {
    const error = assertThrows(() => decodeTime(text), Error);
    assertEquals(error.message, "ULID must be exactly 26 characters long");
  }
});

Deno.test("decodeTime() names the last invalid character of the time", () => {
  const error = assertThrows(
    () => decodeTime("&1ARZiNDEKTSV4RRFFQ69G5FAV"),
    Error,
  );
  assertEquals(error.message, "Invalid ULID character found: i");
});

Deno.test("decodeTime() refuses a time of more than 48 bits", () => {
  assertThrows(
    () => decodeTime("8" + "0".repeat(25)),
    RangeError,
    "ULID timestamp component exceeds maximum value of 281474976710655",
  );
});
