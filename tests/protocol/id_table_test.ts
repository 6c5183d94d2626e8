import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { IdTable } from "../../protocol/id_table.ts";
import type { RequestId } from "../../protocol/jsonrpc.ts";

/** All that can be seen of a table. */
function contentsOf(table: IdTable<number>): unknown[] {
  return [table.size, table.entries()];
}

Deno.test("IdTable.entries() has what was added, in its order, whatever was taken out", () => {
  const table = new IdTable<number>();
  for (let id = 0; id < 10; id++) table.add(id, id * 10);
  table.add("3", 300);
  for (const id of [3, 0, 7]) assertEquals(table.take(id), id * 10);
  table.add(3, 31);
  assertEquals(contentsOf(table), [9, [
    [1, 10],
    [2, 20],
    [4, 40],
    [5, 50],
    [6, 60],
    [8, 80],
    [9, 90],
    ["3", 300],
    [3, 31],
  ]]);
});

Deno.test("IdTable keeps an id that stays for long while thousands come and go", () => {
  const table = new IdTable<number>();
  table.add(1, -1);
  for (let id = 2; id < 20_000; id++) {
    table.add(id, id);
    if (id > 100) table.take(id - 99);
  }
  assertEquals([table.get(1), table.has(1), table.size], [-1, true, 100]);
  assertEquals(table.entries()[0], [1, -1]);
  assertEquals([table.take(1), table.take(1), table.has(1)], [-1, undefined, false]);
});

Deno.test("IdTable has room for more ids than slots, and for those of one slot", () => {
  const table = new IdTable<number>();
  const ids = Array.from({ length: 10_000 }, (_, n) => n % 2 === 0 ? n : (n + 10_000) * 4_096);
  for (const id of ids) table.add(id, id);
  assertEquals(table.size, 10_000);
  for (const id of ids) assertEquals(table.take(id), id);
  assertEquals(contentsOf(table), [0, []]);
});

/** Ids that collide: few of them, far apart, negative, and texts that look like numbers. */
const anyId: fc.Arbitrary<RequestId> = fc.oneof(
  fc.integer({ min: -4, max: 40 }),
  fc.integer({ min: 0, max: 8 }).map((n) => n * 4_096),
  fc.constantFrom(2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, "1", "a", ""),
);
const anyStep = fc.record({
  does: fc.constantFrom("add" as const, "take" as const, "clear" as const, "add" as const),
  id: anyId,
});

Deno.test("IdTable does what a Map does, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 300 }), (steps) => {
      const table = new IdTable<number>();
      const model = new Map<RequestId, number>();
      for (const [value, { does, id }] of steps.entries()) {
        if (does === "clear" && value % 10 === 0) {
          table.clear();
          model.clear();
        } else if (does === "take") {
          assertEquals(table.take(id), model.get(id));
          model.delete(id);
        } else if (!model.has(id)) {
          table.add(id, value);
          model.set(id, value);
        }
        assertEquals([table.size, table.has(id), table.get(id)], [
          model.size,
          model.has(id),
          model.get(id),
        ]);
      }
      assertEquals(table.entries(), [...model]);
    }),
    { numRuns: 500, seed: 5 },
  );
});
