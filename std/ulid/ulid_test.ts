import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ulid } from "@std/ulid";
import { FakeTime } from "@std/testing/time";

Deno.test("ulid() is 26 characters of Crockford's alphabet", () => {
  assertMatch(ulid(), /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
});

Deno.test("ulid() begins with its time", () => {
  assertEquals(ulid(1469918176385).slice(0, 10), "01ARYZ6S41");
  assertEquals(ulid(0).slice(0, 10), "0000000000");
  assertEquals(ulid(2 ** 48 - 1).slice(0, 10), "7ZZZZZZZZZ");
});

Deno.test("ulid() takes the current time by default", () => {
  using _time = new FakeTime(1469918176385);
  assertEquals(ulid().slice(0, 10), "01ARYZ6S41");
});

Deno.test("ulid() refuses a time that is no integer of 48 bits", () => {
  for (const time of [-1, 1.5, NaN, Infinity, 2 ** 48]) {
    assertThrows(
      () => ulid(time),
      RangeError,
      "Time must be a positive integer less than 281474976710655",
    );
  }
});
