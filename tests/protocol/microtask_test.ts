import { assertEquals } from "@std/assert";
import { inMicrotask } from "../../protocol/microtask.ts";

Deno.test("inMicrotask() runs tasks in their order, those given meanwhile in the next one", async () => {
  const order: string[] = [];
  inMicrotask(() => {
    order.push("first");
    inMicrotask(() => order.push("third"));
    queueMicrotask(() => order.push("fourth"));
  });
  inMicrotask(() => order.push("second"));
  assertEquals(order, []);
  await new Promise<void>((resolve) => setImmediate(resolve));
  assertEquals(order, ["first", "second", "third", "fourth"]);
});

Deno.test("inMicrotask() runs the others when one task throws", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    resolve(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listener, { once: true });
  const fault = new Error("a fault of a task");
  inMicrotask(() => order.push("before"));
  inMicrotask(() => {
    throw fault;
  });
  inMicrotask(() => order.push("behind"));
  assertEquals(await promise, fault);
  assertEquals(order, ["before", "behind"]);
});
