import { assertEquals } from "@std/assert";
import { afterTurn } from "../../protocol/after_turn.ts";

async function orderOfTasks(): Promise<string[]> {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  afterTurn(() => {
    order.push("after");
    resolve();
  });
  queueMicrotask(() => queueMicrotask(() => order.push("microtasks")));
  order.push("now");
  await promise;
  return order;
}

Deno.test("afterTurn() runs a task behind all microtasks", async () => {
  assertEquals(await orderOfTasks(), ["now", "microtasks", "after"]);
});

Deno.test("afterTurn() does so where there is no setImmediate(), and leaves nothing open", async () => {
  const surroundings = globalThis as { setImmediate?: unknown };
  const { setImmediate } = surroundings;
  surroundings.setImmediate = undefined;
  try {
    assertEquals(await orderOfTasks(), ["now", "microtasks", "after"]);
  } finally {
    surroundings.setImmediate = setImmediate;
  }
});
