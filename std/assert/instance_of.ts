import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: abstract new (...args: never[]) => T,
  msg = "",
): asserts actual is T {
  if (actual instanceof expectedType) return;

  const expected = expectedType.name;
  const found = nameOf(actual);
  let contrast = ` but was "${found}"`;
  if (found === expected) contrast = "";
  else if (found === "function") contrast = " but was not an instanced object";
  throw new AssertionError(
    `Expected object to be an instance of "${expected}"${contrast}${suffix(msg)}`,
  );
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "Object";
}
