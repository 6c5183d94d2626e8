import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { monotonicUlid } from "@std/ulid";
import { FakeTime } from "@std/testing/time";

Deno.test("monotonicUlid() begins with its time", () => {
  assertMatch(monotonicUlid(1000), /^00000000Z8[0-9A-HJKMNP-TV-Z]{16}$/);
});

Deno.test("monotonicUlid() ascends within one millisecond", () => {
  using _time = new FakeTime(2000);
  const ulids = Array.from({ length: 100 }, () => monotonicUlid());
  assertEquals(ulids, ulids.toSorted());
  assertEquals(new Set(ulids).size, 100);
});

Deno.test("monotonicUlid() keeps its time when the clock goes back", () => {
  const later = monotonicUlid(3000);
  const earlier = monotonicUlid(1500);
  assertLess(later, earlier);
  assertEquals(earlier.slice(0, 10), later.slice(0, 10));
});
