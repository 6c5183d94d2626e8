import { assertEquals, AssertionError, assertIsError } from "@std/assert";
import type { Spy } from "./_spies.ts";

/** What is expected of a call; only what is named is looked at. */
export interface ExpectedSpyCall<
  Self = unknown,
  Args extends unknown[] = unknown[],
  Return = unknown,
> {
  /** What should have been passed. */
  args?: [...Args, ...unknown[]];
  /** What it should have been called on. */
  self?: Self;
  /** What should have been returned. */
  returned?: Return;
  /** What should have been thrown. */
  error?: {
    /** Class of the error. */
    Class?: new (...args: never[]) => Error;
    /** Part of its message. */
    msgIncludes?: string;
  };
}

/** Asserts that a spy was called as often as expected. */
export function assertSpyCalls<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  expectedCalls: number,
): void {
  const { length } = spy.calls;
  assertEqualOr(
    length < expectedCalls
      ? "Spy not called as much as expected:"
      : "Spy called more than expected:",
    length,
    expectedCalls,
  );
}

/**
 * Asserts that a spy was called as expected.
 *
 * @param callIndex Which call to look at, from 0.
 */
export function assertSpyCall<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  callIndex: number,
  expected: ExpectedSpyCall<Self, Args, Return> = {},
): void {
  const call = spy.calls[callIndex];
  if (call === undefined) {
    throw new AssertionError("Spy not called as much as expected");
  }
  if (expected.args) {
    assertEqualOr(
      "Spy not called with expected args:",
      call.args,
      expected.args,
    );
  }
  if ("self" in expected) {
    assertEqualOr(
      expected.self
        ? "Spy not called as method on expected self:"
        : "Spy not expected to be called as method on object:",
      call.self,
      expected.self,
    );
  }
  if ("returned" in expected) {
    if ("error" in expected) {
      throw new TypeError(
        "Do not expect error and return, only one should be expected",
      );
    }
    if (call.error) {
      throw new AssertionError(
        "Spy call did not return expected value, an error was thrown.",
      );
    }
    assertEqualOr(
      "Spy call did not return expected value:",
      call.returned,
      expected.returned,
    );
  }
  if ("error" in expected) {
    if ("returned" in call) {
      throw new AssertionError(
        "Spy call did not throw an error, a value was returned.",
      );
    }
    const { Class, msgIncludes } = expected.error ?? {};
    assertIsError(call.error, Class, msgIncludes);
  }
}

/** Compares as `assertEquals()` does, with another first line of the message. */
function assertEqualOr(
  message: string,
  actual: unknown,
  expected: unknown,
): void {
  try {
    assertEquals(actual, expected);
  } catch (error) {
    assertIsError(error);
    const [, ...difference] = error.message.split("\n");
    throw new AssertionError([message, ...difference].join("\n"));
  }
}
