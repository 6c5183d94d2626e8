import { stripVTControlCharacters } from "node:util";
import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/**
 * Asserts that a value is an error, of the given class and message.
 *
 * @param msgMatches Part of its message, or a pattern for it.
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${suffix(msg)}`,
    );
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        suffix(msg)
      }`,
    );
  }
  if (msgMatches && !matches(error.message, msgMatches)) {
    const expected = typeof msgMatches === "string"
      ? JSON.stringify(msgMatches)
      : msgMatches.toString();
    throw new AssertionError(
      `Expected error message to include ${expected}, but got ${JSON.stringify(error.message)}${
        suffix(msg)
      }`,
    );
  }
}

function matches(message: string, expected: string | RegExp): boolean {
  const text = stripVTControlCharacters(message);
  return typeof expected === "string"
    ? text.includes(stripVTControlCharacters(expected))
    : expected.test(text);
}

/** Asserts that a function throws anything, and returns that. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that a function throws an error of the given class, and returns it.
 *
 * @param msgIncludes Part of its message.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const isClass = isErrorClass(classOrMsg);
  if (typeof classOrMsg === "string") msg = classOrMsg;
  else if (classOrMsg !== undefined && !isClass) msg = msgIncludes;

  try {
    fn();
  } catch (error) {
    if (isClass) {
      if (!(error instanceof Error)) {
        throw new AssertionError(
          `A non-Error object was thrown${suffix(msg)}`,
        );
      }
      assertIsError(error, classOrMsg, msgIncludes, msg);
    }
    return error;
  }
  throw new AssertionError(`Expected function to throw${suffix(msg)}`);
}

/** Asserts that a function's promise rejects, and resolves with the reason. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Asserts that a function's promise rejects with an error of the given class,
 * and resolves with it.
 *
 * @param msgIncludes Part of its message.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  if (typeof classOrMsg === "string") msg = classOrMsg;
  const promise = promiseOf(fn);
  if (promise === undefined) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(msg)}`,
    );
  }

  try {
    await promise;
  } catch (error) {
    if (isErrorClass(classOrMsg)) {
      if (!(error instanceof Error)) {
        throw new AssertionError(
          `A non-Error object was rejected${suffix(msg)}`,
        );
      }
      assertIsError(error, classOrMsg, msgIncludes, msg);
    }
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(msg)}`);
}

/** What a function returns, if it does not throw and that is a promise. */
function promiseOf(
  fn: () => PromiseLike<unknown>,
): PromiseLike<unknown> | undefined {
  try {
    const result: unknown = fn();
    if (typeof result !== "object" || result === null) return undefined;
    if (!("then" in result) || typeof result.then !== "function") {
      return undefined;
    }
    return result as PromiseLike<unknown>;
  } catch {
    return undefined;
  }
}

function isErrorClass<E extends Error>(
  value: ErrorClass<E> | string | undefined,
): value is ErrorClass<E> {
  return typeof value === "function" &&
    (value.prototype === Error.prototype || value.prototype instanceof Error);
}
