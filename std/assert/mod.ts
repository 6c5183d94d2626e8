/**
 * Stand-in for `jsr:@std/assert`: the assertions this repository uses.
 *
 * @module
 */
export { assertArrayIncludes } from "./array_includes.ts";
export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export { assertEquals, assertNotEquals, assertStrictEquals } from "./equals.ts";
export { assertIsError, assertRejects, assertThrows } from "./errors.ts";
export { assertInstanceOf } from "./instance_of.ts";
export {
  assertAlmostEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "./numbers.ts";
export { assertObjectMatch } from "./object_match.ts";
export { assertMatch, assertNotMatch, assertStringIncludes } from "./strings.ts";
export { assert, assertExists, assertFalse, fail, type Falsy, unreachable } from "./truth.ts";
