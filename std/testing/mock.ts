/**
 * Stand-in for `jsr:@std/testing/mock`: functions that record their calls.
 *
 * @module
 */
import {
  type Method,
  type MethodSpy,
  MockError,
  replaceMethod,
  type Spy,
  type Stub,
  wrapFunction,
} from "./_spies.ts";

export { assertSpyCall, assertSpyCalls, type ExpectedSpyCall } from "./_spy_calls.ts";
export { type MethodSpy, MockError, type Spy, type SpyCall, type Stub } from "./_spies.ts";

/** Parameters of a method. */
export type GetParametersFromProp<Self, Prop extends keyof Self> = Self[Prop] extends
  (...args: infer Args) => unknown ? Args : unknown[];

/** What a method returns. */
export type GetReturnFromProp<Self, Prop extends keyof Self> = Self[Prop] extends
  (...args: never[]) => infer Return ? Return : unknown;

/** Creates a function that records its calls. */
export function spy<
  Self = unknown,
  Args extends unknown[] = unknown[],
  Return = undefined,
>(): Spy<Self, Args, Return>;
/** Wraps a function so that its calls are recorded. */
export function spy<Self, Args extends unknown[], Return>(
  func: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
/** Wraps a method so that its calls are recorded, until it is put back. */
export function spy<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): MethodSpy<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
>;
export function spy<Self, Args extends unknown[], Return>(
  target?: Method<Self, Args, Return> | Self,
  property?: keyof Self,
): Spy<Self, Args, Return> {
  if (!target || property === undefined) {
    return wrapFunction((target ?? noop) as Method<Self, Args, Return>);
  }
  const self = target as Self;
  if (typeof self[property] !== "function") {
    throw new MockError("Cannot spy: property is not an instance method");
  }
  return replaceMethod("spy", self, property);
}

/**
 * Replaces a method and records its calls, until it is put back.
 *
 * @param func What to call instead, by default nothing.
 */
export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
  func?: (
    this: Self,
    ...args: GetParametersFromProp<Self, Prop>
  ) => GetReturnFromProp<Self, Prop>,
): Stub<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
> {
  if (self[property] !== undefined && typeof self[property] !== "function") {
    throw new MockError("Cannot stub: property is not an instance method");
  }
  const fake = func ?? noop as NonNullable<typeof func>;
  return replaceMethod("stub", self, property, fake);
}

function noop(): void {}
