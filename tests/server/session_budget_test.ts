import { assertEquals } from "@std/assert";
import { SessionBudget } from "../../server/session_budget.ts";
import { isPending } from "../support/until.ts";

/** Sessions that hold ten bytes each, and what was evicted of them. */
function createHolders(budget: SessionBudget, names: string) {
  const evicted: string[] = [];
  const holders = Array.from(names, (name) => ({
    evict() {
      evicted.push(name);
      budget.change(-10);
      budget.release(this);
    },
  }));
  for (const _ of holders) budget.change(10);
  return { evicted, holders };
}

Deno.test("SessionBudget evicts who lost its connection first, as long as there is too much", () => {
  const budget = new SessionBudget(30);
  const { evicted, holders: [a, b, c] } = createHolders(budget, "abc");
  for (const holder of [c!, a!, b!]) budget.detach(holder);
  budget.attach(a!);
  assertEquals([evicted, budget.detached], [[], 2]);
  budget.change(1);
  assertEquals([evicted, budget.used, budget.isExhausted], [["c"], 21, false]);
  budget.change(20);
  assertEquals([evicted, budget.used, budget.isExhausted], [["c", "b"], 31, true]);
  // Whoever is connected stays.
  budget.change(1);
  assertEquals([evicted, budget.used, budget.detached], [["c", "b"], 32, 0]);
});

Deno.test("SessionBudget evicts who loses its connection when there is no room", () => {
  const budget = new SessionBudget(15);
  const { evicted, holders: [a] } = createHolders(budget, "ab");
  assertEquals(evicted, []);
  budget.detach(a!);
  assertEquals([evicted, budget.used, budget.detached], [["a"], 10, 0]);
});

Deno.test("SessionBudget.room() waits until there is room, or the session has ended", async () => {
  const budget = new SessionBudget(15);
  const { holders: [a, b] } = createHolders(budget, "ab");
  const [first, second] = [budget.room(a!), budget.room(b!)];
  assertEquals([await isPending(first), await isPending(second)], [true, true]);
  budget.release(a!);
  await first;
  assertEquals(await isPending(second), true);
  budget.change(-4);
  assertEquals(await isPending(second), true);
  budget.change(-1);
  await second;
  await budget.room(b!);
});

Deno.test("SessionBudget as a part evicts its own holders, and counts for the whole", () => {
  const whole = new SessionBudget(100);
  const part = new SessionBudget(15, whole);
  const other = createHolders(whole, "x");
  whole.detach(other.holders[0]!);
  const { evicted, holders: [a, b] } = createHolders(part, "ab");
  part.detach(b!);
  assertEquals([evicted, other.evicted], [["b"], []]);
  assertEquals([part.used, whole.used, whole.detached], [10, 20, 1]);
  part.detach(a!);
  assertEquals([part.detached, whole.detached], [1, 2]);
  whole.change(90);
  assertEquals([evicted, other.evicted, part.detached], [["b"], ["x"], 1]);
  whole.change(1);
  assertEquals([evicted, part.used, part.detached], [["b", "a"], 0, 0]);
});

Deno.test("SessionBudget.room() as a part waits for the whole, too", async () => {
  const whole = new SessionBudget(15);
  const part = new SessionBudget(15, whole);
  const { holders: [a] } = createHolders(part, "a");
  whole.change(10);
  const room = part.room(a!);
  assertEquals([part.isExhausted, await isPending(room)], [true, true]);
  whole.change(-10);
  await room;
});
