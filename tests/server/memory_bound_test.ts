import { assertEquals } from "@std/assert";
import { MemoryBound } from "../../server/memory_bound.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A bound of 100 bytes, somebody who holds as much as it is told to, and who was ended. */
function createBound() {
  const clock = new ManualClock();
  const ended: string[] = [];
  const bound = new MemoryBound<{ name: string; heldBytes: number; isOpen: boolean }>(
    100,
    clock,
    (holding) => {
      ended.push(holding.name);
      holding.isOpen = false;
    },
  );
  const holder = (name: string, heldBytes: number) => ({ name, heldBytes, isOpen: true });
  return { bound, clock, ended, holder };
}

Deno.test("MemoryBound ends whoever holds most, until there is room", () => {
  const { bound, ended, holder } = createBound();
  for (const one of [holder("a", 30), holder("b", 60), holder("c", 10)]) bound.written(one);
  assertEquals([ended, bound.sum], [[], 100]);
  bound.written(holder("d", 31));
  assertEquals([ended, bound.sum], [["b"], 71]);
  bound.written(holder("e", 90));
  assertEquals([ended, bound.sum], [["b", "e"], 71]);
});

Deno.test("MemoryBound looks again before it ends anybody", () => {
  const { bound, ended, holder } = createBound();
  const reader = holder("reader", 90);
  bound.written(reader);
  reader.heldBytes = 0;
  bound.written(holder("other", 50));
  assertEquals([ended, bound.sum], [[], 50]);
});

Deno.test("MemoryBound looks from time to time, and at nobody once nothing is held", () => {
  const { bound, clock, ended, holder } = createBound();
  const [one, two] = [holder("one", 40), holder("two", 50)];
  bound.written(one);
  bound.written(two);
  one.heldBytes = 80;
  clock.advance(250);
  assertEquals([ended, bound.sum], [["one"], 50]);
  two.heldBytes = 0;
  clock.advance(250);
  assertEquals(bound.sum, 0);
  clock.advance(10_000);
  two.heldBytes = 500;
  clock.advance(10_000);
  assertEquals(ended, ["one"]);
});
