import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isTextTooDeep, isTooDeep, readEnvelope } from "../../protocol/nesting.ts";

/** The levels of a value, counted in the plainest way. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

for (
  const [text, depth] of [
    ["1", 0],
    ['"[[[["', 0],
    ["[]", 1],
    ["[[],[[]],{}]", 3],
    ['{"a":{"b":[{}]},"c":1}', 4],
    ['{"a[[[":"]]]","b":[]}', 2],
    ['["\\"[[[[",[]]', 2],
    ['["\\\\",[[]]]', 3],
    ['["\\\\\\"[[[[[[",[]]', 2],
    ['["漢字≢𝟛",[[]]]', 3],
  ] as const
) {
  Deno.test(`isTextTooDeep() and isTooDeep() find ${depth} levels in ${text}`, () => {
    for (const maxDepth of [0, 1, 2, 3, 4, 5]) {
      assertEquals(isTextTooDeep(text, maxDepth), depth > maxDepth);
      assertEquals(isTooDeep(JSON.parse(text), maxDepth), depth > maxDepth);
    }
  });
}

Deno.test("isTextTooDeep() and isTooDeep() agree with a count of the levels, whatever the JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(8), (value, maxDepth) => {
      const isDeep = depthOf(value) > maxDepth;
      assertEquals(isTooDeep(value, maxDepth), isDeep);
      assertEquals(isTextTooDeep(JSON.stringify(value), maxDepth), isDeep);
      assertEquals(isTextTooDeep(JSON.stringify(value, null, 2), maxDepth), isDeep);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("isTextTooDeep() says no to nothing that a parser would read too deep", () => {
  const alphabet = ["[", "]", "{", "}", '"', "\\", ",", ":", "1", "a"];
  const text = fc.array(fc.constantFrom(...alphabet), { maxLength: 40 }).map((all) => all.join(""));
  fc.assert(
    fc.property(text, (text) => {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        isTextTooDeep(text, 2);
        return;
      }
      assertEquals(isTextTooDeep(text, 2), depthOf(value) > 2);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("isTextTooDeep() reads no further than the level that is too deep", () => {
  // Some 10 GiB would be read here, if it did.
  const text = "[".repeat(10 * 1024 * 1024);
  let found = 0;
  for (let i = 0; i < 1_000; i++) found += Number(isTextTooDeep(text, 64));
  assertEquals(found, 1_000);
});

Deno.test("isTextTooDeep() takes a time in proportion to the text, whatever is escaped", () => {
  const inputs = ['\\"', "\\", '"', '"\\\\'].map((part) => '"' + part.repeat(2_000_000));
  // In the square of it, each of these would take hours.
  assertEquals(inputs.map((text) => isTextTooDeep(text, 64)), [false, false, false, false]);
});

for (
  const [title, text, isAnswer, id] of [
    ["a request", '{"jsonrpc":"2.0","id":7,"method":"x","params":{}}', false, "7"],
    ["a result", '{"jsonrpc":"2.0","id":"a b","result":{}}', true, '"a b"'],
    ["an error", '{"jsonrpc":"2.0","id":-1,"error":{}}', true, "-1"],
    ["an SDK's request", '{"method":"x","params":{},"jsonrpc":"2.0","id":0}', false, "0"],
    ["an SDK's result", '{"result":{"a":[]},"jsonrpc":"2.0","id":3}', true, "3"],
  ] as const
) {
  Deno.test(`readEnvelope() finds the id of ${title}, and whether it answers`, () => {
    assertEquals(readEnvelope(text), { isAnswer, id });
  });
}

for (
  const [title, text] of [
    ["a notification", '{"jsonrpc":"2.0","method":"x","params":{"id":7}}'],
    ["an id that is neither first nor last", '{"jsonrpc":"2.0","method":"x","id":7,"params":{}}'],
    ["an array", '[{"jsonrpc":"2.0","id":7,"method":"x"}]'],
    ["an id of a kind that is none", '{"jsonrpc":"2.0","id":1.5,"method":"x"}'],
    ["an id inside a string", '{"method":"x,\\"jsonrpc\\":\\"2.0\\",\\"id\\":7}"}'],
    ["an id of params", '{"method":"x","params":{"a":1,"jsonrpc":"2.0","id":7}}'],
    ["nothing", ""],
  ] as const
) {
  Deno.test(`readEnvelope() finds no id in ${title}`, () => {
    assertEquals(readEnvelope(text), undefined);
  });
}

Deno.test("isTooDeep() walks no deeper than it is told", () => {
  const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
  assert(isTooDeep(deep, 64));
});
