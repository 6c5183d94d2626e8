import { assertEquals } from "@std/assert";
import { Counter } from "../../server/counter.ts";

const CODES = { name: "x_total", help: "X.", label: "code", kinds: ["1", "2"] };

Deno.test("Counter tells every known kind from the start", () => {
  assertEquals(new Counter(CODES, undefined).family(), {
    name: "x_total",
    type: "counter",
    help: "X.",
    samples: [{ labels: { code: "1" }, value: 0 }, { labels: { code: "2" }, value: 0 }],
  });
});

Deno.test("Counter makes one kind of all that it does not know, however many there are", () => {
  const counter = new Counter(CODES, undefined);
  counter.add("2");
  for (let i = 3; i < 1_000; i++) counter.add(String(i));
  counter.add();
  const values = counter.family().samples.map(({ labels, value }) => [labels?.code, value]);
  assertEquals(values, [["1", 0], ["2", 1], ["other", 998]]);
});

Deno.test("Counter without a label has one kind", () => {
  const counter = new Counter({ name: "x_total", help: "X." }, undefined);
  counter.add();
  counter.add();
  assertEquals(counter.family().samples, [{ labels: {}, value: 2 }]);
});

Deno.test("Counter tells its sink each time, and survives it", async () => {
  const told: unknown[] = [];
  const counter = new Counter(CODES, {
    add(...record) {
      told.push(record);
      if (told.length === 1) throw new Error("at once");
      return Promise.reject(new Error("later"));
    },
    record() {},
  });
  counter.add("1");
  counter.add("7");
  await Promise.resolve();
  assertEquals(told, [["x_total", 1, { code: "1" }], ["x_total", 1, { code: "other" }]]);
});
