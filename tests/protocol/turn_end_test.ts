import { assertEquals } from "@std/assert";
import { atTurnEnd, prolongTurn } from "../../protocol/turn_end.ts";

/** Until the next turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("atTurnEnd() runs tasks in their order, before anything else can happen", async () => {
  const order: string[] = [];
  setImmediate(() => order.push("next turn"));
  atTurnEnd({
    run() {
      order.push("first");
      atTurnEnd({ run: () => void order.push("third") });
    },
  });
  atTurnEnd({ run: () => void order.push("second") });
  assertEquals(order, []);
  await nextTurn();
  assertEquals(order, ["first", "second", "third", "next turn"]);
});

Deno.test("prolongTurn() puts the end off for as long as something is sent in every microtask", async () => {
  const order: number[] = [];
  atTurnEnd({ run: () => void order.push(-1) });
  for (let n = 0; n < 10; n++) {
    await undefined;
    order.push(n);
    prolongTurn();
  }
  await nextTurn();
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1]);
});

Deno.test("atTurnEnd() runs the others when one task throws", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    resolve(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listener, { once: true });
  const fault = new Error("a fault of a task");
  atTurnEnd({ run: () => void order.push("before") });
  atTurnEnd({
    run() {
      throw fault;
    },
  });
  atTurnEnd({ run: () => void order.push("behind") });
  assertEquals(await promise, fault);
  assertEquals(order, ["before", "behind"]);
});
