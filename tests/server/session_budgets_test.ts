import { assertEquals, assertStrictEquals } from "@std/assert";
import { SessionBudgets } from "../../server/session_budgets.ts";

Deno.test("SessionBudgets.take() gives the sessions of one principal one budget", () => {
  const budgets = new SessionBudgets(100, 10);
  const alice = budgets.take("alice");
  assertStrictEquals(budgets.take("alice"), alice);
  budgets.take("bob").change(11);
  assertEquals([alice.isExhausted, budgets.take("bob").isExhausted], [false, true]);
  assertEquals(budgets.total.used, 11);
});

Deno.test("SessionBudgets.take() gives sessions of nobody the budget of all", () => {
  const budgets = new SessionBudgets(100, 10);
  assertStrictEquals(budgets.take(undefined), budgets.total);
  budgets.giveBack(undefined);
  assertEquals(budgets.size, 0);
});

Deno.test("SessionBudgets.giveBack() forgets a principal with its last session", () => {
  const budgets = new SessionBudgets(100, 10);
  budgets.take("alice");
  budgets.take("alice");
  budgets.giveBack("alice");
  assertEquals(budgets.size, 1);
  budgets.giveBack("alice");
  budgets.giveBack("alice");
  assertEquals(budgets.size, 0);
});
