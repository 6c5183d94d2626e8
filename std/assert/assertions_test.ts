import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertObjectMatch,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";

interface Named {
  readonly name: string;
  readonly tags?: readonly string[];
}
const named: Named = { name: "a", tags: ["x", "y"] };

Deno.test("assertions pass where they hold", () => {
  assert(1);
  assertFalse("");
  assertExists(0);
  assertEquals({ a: [1] }, { a: [1] });
  assertNotEquals({ a: 1 }, { a: 2 });
  assertStrictEquals(NaN, NaN);
  assertInstanceOf(new TypeError(), Error);
  assertMatch("text", /ex/);
  assertNotMatch("text", /ax/);
  assertStringIncludes("text", "ex");
  assertArrayIncludes([1, { a: 2 }], [{ a: 2 }]);
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess("a", "b");
  assertLessOrEqual(1n, 1n);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(1, 1.5, 0.5);
  assertObjectMatch(named, { name: "a" });
  assertObjectMatch({ a: { b: 1, c: [1, 2] } }, { a: { c: [1, 2] } });
  assertObjectMatch({ list: [{ a: 1, b: 2 }] }, { list: [{ a: 1 }] });
  assertObjectMatch({ list: [1, 2] }, { list: [1] });
  assertObjectMatch(
    { map: new Map([["a", { b: 1, c: 2 }]]), set: new Set([1, 2]) },
    { map: new Map([["a", { b: 1 }]]), set: new Set([1]) },
  );
  assertObjectMatch({ error: new TypeError("m") }, { error: { message: "m" } });
});

/** The source of an assertion, on one line. */
function describe(assertion: () => unknown): string {
  return assertion.toString().replace(/^\(\)\s*=>\s*/, "")
    .replaceAll(/\s+/g, " ");
}

const failing: [() => void, string][] = [
  [() => assert(0), ""],
  [() => assert(0, "own"), "own"],
  [() => assertFalse(1), ""],
  [() => assertFalse(1, "own"), "own"],
  [
    () => assertExists(null),
    'Expected actual: "null" to not be null or undefined.',
  ],
  [
    () => assertExists(undefined, "own"),
    'Expected actual: "undefined" to not be null or undefined: own',
  ],
  [() => fail(), "Failed assertion."],
  [() => fail("own"), "Failed assertion: own"],
  [() => unreachable(), "Unreachable."],
  [() => unreachable("own"), "Unreachable: own"],
  [
    () => assertNotEquals(1, 1, "own"),
    "Expected actual: 1 not to be: 1: own",
  ],
  [
    () => assertMatch("text", /ax/),
    'Expected actual: "text" to match: "/ax/".',
  ],
  [
    () => assertNotMatch("text", /ex/, "own"),
    'Expected actual: "text" to not match: "/ex/": own',
  ],
  [
    () => assertStringIncludes("text", "ax"),
    'Expected actual: "text" to contain: "ax".',
  ],
  [() => assertGreater(1, 1), "Expect 1 > 1"],
  [() => assertGreater(1, 1, "own"), "own"],
  [() => assertGreaterOrEqual(1, 2), "Expect 1 >= 2"],
  [() => assertLess(1, 1), "Expect 1 < 1"],
  [() => assertLessOrEqual(2, 1), "Expect 2 <= 1"],
  [
    () => assertAlmostEquals(1, 2, 0.5),
    'Expected actual: "1" to be close to "2": delta "1" is greater than "5e-1".',
  ],
  [
    () => assertInstanceOf({}, Date),
    'Expected object to be an instance of "Date" but was "Object".',
  ],
  [
    () => assertInstanceOf(null, Date, "own"),
    'Expected object to be an instance of "Date" but was "null": own',
  ],
  [
    () => assertInstanceOf(Date, Date),
    'Expected object to be an instance of "Date" but was not an instanced object.',
  ],
  [
    () => assertInstanceOf({ constructor: Date }, Date),
    'Expected object to be an instance of "Date".',
  ],
];
for (const [assertion, message] of failing) {
  const name = describe(assertion);
  Deno.test(`${name} fails with ${JSON.stringify(message)}`, () => {
    const error = assertThrows(assertion, AssertionError);
    assertStrictEquals(error.message, message);
    assertStrictEquals(error.name, "AssertionError");
  });
}

const explaining: [() => void, string][] = [
  [() => assertEquals({ a: 1 }, { a: 2 }), "Values are not equal."],
  [() => assertEquals(1, 2, "own"), "Values are not equal: own"],
  [() => assertStrictEquals<unknown>(1, "1"), "Values are not strictly equal."],
  [
    () => assertStrictEquals({ a: 1 }, { a: 1 }),
    "Values have the same structure but are not reference-equal.",
  ],
  [
    () => assertArrayIncludes([1], [1, 2]),
    "missing: [\n  2,\n]",
  ],
  [() => assertObjectMatch(named, { name: "b" }), "Values are not equal."],
  [() => assertObjectMatch({ a: 1 }, { a: 1, b: 2 }), "Values are not equal."],
  [
    () => assertObjectMatch({ list: [1] }, { list: [1, 2] }),
    "Values are not equal.",
  ],
  [() => assertObjectMatch({ a: 1 }, { b: 1 }), "Values are not equal."],
];
for (const [assertion, message] of explaining) {
  const name = describe(assertion);
  Deno.test(`${name} says ${JSON.stringify(message)}`, () => {
    assertThrows(assertion, AssertionError, message);
  });
}

Deno.test("assertEquals() shows both values when it fails", () => {
  const { message } = assertThrows(
    () => assertEquals(["same", "old"], ["same", "new"]),
    AssertionError,
  );
  assertStringIncludes(message, '"old"');
  assertStringIncludes(message, '"new"');
});

Deno.test("assertObjectMatch() refuses what is no object", () => {
  assertThrows(
    () => Reflect.apply(assertObjectMatch, undefined, [null, {}]),
    TypeError,
  );
});

Deno.test("assertions narrow the type of what they look at", () => {
  const value: unknown = new Date(5);
  assertInstanceOf(value, Date);
  assertEquals(value.getTime(), 5);
  const found: string | undefined = ["a"].find(() => true);
  assertExists(found);
  assertEquals(found.length, 1);
});
