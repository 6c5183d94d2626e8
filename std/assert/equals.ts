import { diff, format, suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Asserts that two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}${difference(actual, expected)}`,
  );
}

/** Asserts that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${suffix(msg)}`,
  );
}

/** Asserts that two values are the same, by `Object.is()`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  if (format(actual) === format(expected)) {
    const lines = format(actual).split("\n").map((line) => `    ${line}`);
    throw new AssertionError(
      `Values have the same structure but are not reference-equal${suffix(msg)}\n\n${
        lines.join("\n")
      }\n`,
    );
  }
  throw new AssertionError(
    `Values are not strictly equal${suffix(msg)}${difference(actual, expected)}`,
  );
}

function difference(actual: unknown, expected: unknown): string {
  return typeof actual === "string" && typeof expected === "string"
    ? diff(actual, expected)
    : diff(format(actual), format(expected));
}
