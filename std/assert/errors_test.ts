import {
  assertEquals,
  AssertionError,
  assertIsError,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";

const error = new RangeError("out of range");
const throwing = () => {
  throw error;
};
const rejecting = () => Promise.reject(error);

Deno.test("assertThrows() returns what was thrown", () => {
  assertStrictEquals(assertThrows(throwing), error);
  assertStrictEquals(assertThrows(throwing, "own"), error);
  assertStrictEquals(assertThrows(throwing, RangeError), error);
  assertStrictEquals(assertThrows(throwing, Error, "range"), error);
  assertStrictEquals(
    assertThrows(() => {
      throw "text";
    }),
    "text",
  );
});

Deno.test("assertRejects() resolves with the reason", async () => {
  assertStrictEquals(await assertRejects(rejecting), error);
  assertStrictEquals(await assertRejects(rejecting, "own"), error);
  assertStrictEquals(await assertRejects(rejecting, RangeError), error);
  assertStrictEquals(await assertRejects(rejecting, Error, "range"), error);
  assertStrictEquals(await assertRejects(() => Promise.reject("text")), "text");
});

Deno.test("assertIsError() accepts an error of the class and message", () => {
  assertIsError(error);
  assertIsError(error, RangeError, "out of");
  assertIsError(error, Error, /^out/);
  assertIsError(new Error("\x1b[31mred\x1b[39m text"), Error, "red text");
});

/** The source of an assertion, on one line. */
function describe(assertion: () => unknown): string {
  return assertion.toString().replace(/^\(\)\s*=>\s*/, "")
    .replaceAll(/\s+/g, " ");
}

const WRONG_CLASS = 'Expected error to be instance of "TypeError", but was "RangeError"';
const WRONG_MESSAGE = 'Expected error message to include "missing", but got "out of range"';

const failing: [() => unknown, string][] = [
  [() => assertIsError("text"), 'Expected "error" to be an Error object.'],
  [() => assertIsError(error, TypeError), `${WRONG_CLASS}.`],
  [
    () => assertIsError(error, Error, "missing", "own"),
    `${WRONG_MESSAGE}: own`,
  ],
  [
    () => assertIsError(error, Error, /missing/),
    'Expected error message to include /missing/, but got "out of range".',
  ],
  [() => assertThrows(() => {}), "Expected function to throw."],
  [() => assertThrows(() => {}, "own"), "Expected function to throw: own"],
  [
    () => assertThrows(() => {}, Error, "part", "own"),
    "Expected function to throw: own",
  ],
  [() => assertThrows(throwing, TypeError), `${WRONG_CLASS}.`],
  [() => assertThrows(throwing, RangeError, "missing"), `${WRONG_MESSAGE}.`],
  [
    () =>
      assertThrows(() => {
        throw "text";
      }, Error),
    "A non-Error object was thrown.",
  ],
];
for (const [assertion, message] of failing) {
  const name = describe(assertion);
  Deno.test(`${name} fails with ${JSON.stringify(message)}`, () => {
    assertEquals(assertThrows(assertion, AssertionError).message, message);
  });
}

const rejected: [() => Promise<unknown>, string][] = [
  [
    () => assertRejects(() => Promise.resolve()),
    "Expected function to reject.",
  ],
  [
    () => assertRejects(() => Promise.resolve(), "own"),
    "Expected function to reject: own",
  ],
  [
    () => assertRejects(throwing),
    "Function throws when expected to reject.",
  ],
  [
    () => assertRejects((() => "no promise") as never, Error, "part", "own"),
    "Function throws when expected to reject: own",
  ],
  [() => assertRejects(rejecting, TypeError), `${WRONG_CLASS}.`],
  [() => assertRejects(rejecting, RangeError, "missing"), `${WRONG_MESSAGE}.`],
  [
    () => assertRejects(() => Promise.reject("text"), Error),
    "A non-Error object was rejected.",
  ],
];
for (const [assertion, message] of rejected) {
  const name = describe(assertion);
  Deno.test(`${name} fails with ${JSON.stringify(message)}`, async () => {
    const failure = await assertRejects(assertion, AssertionError);
    assertEquals(failure.message, message);
  });
}
