import { assertEquals } from "@std/assert";
import { Turns } from "../../server/turns.ts";

Deno.test("Turns runs at once what nothing is in the way of", () => {
  const turns = new Turns();
  const done: string[] = [];
  turns.take("a", () => void done.push("a"));
  turns.take("b", () => void done.push("b"));
  assertEquals([done, turns.size], [["a", "b"], 0]);
});

Deno.test("Turns runs the tasks of one key one after the other, those of others meanwhile", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const third = Promise.withResolvers<void>();
  turns.take("a", () => first.promise);
  turns.take("a", () => void done.push("second"));
  turns.take("a", () => third.promise);
  turns.take("a", () => void done.push("fourth"));
  turns.take("b", () => void done.push("other"));
  assertEquals([done, turns.size], [["other"], 1]);
  first.resolve();
  await first.promise;
  await Promise.resolve();
  assertEquals(done, ["other", "second"]);
  third.resolve();
  await third.promise;
  await Promise.resolve();
  assertEquals([done, turns.size], [["other", "second", "fourth"], 0]);
});

Deno.test("Turns runs a task that another one asks for after it", () => {
  const turns = new Turns();
  const done: string[] = [];
  turns.take("a", () => {
    turns.take("a", () => void done.push("inner"));
    done.push("outer");
  });
  assertEquals([done, turns.size], [["outer", "inner"], 0]);
});
