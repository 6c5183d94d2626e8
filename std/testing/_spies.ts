/** A function or method of the given signature. */
export type Method<Self, Args extends unknown[], Return> = (
  this: Self,
  ...args: Args
) => Return;

/** A method cannot be replaced, or not be put back. */
export class MockError extends Error {
  /** @param message What cannot be done, and why. */
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** One call, as recorded. */
export interface SpyCall<Self = unknown, Args = unknown[], Return = unknown> {
  /** What was passed. */
  args: Args;
  /** What was returned. */
  returned?: Return;
  /** What was thrown. */
  error?: Error;
  /** What it was called on. */
  self?: Self;
}

/** A function that records its calls. */
export interface Spy<
  Self = unknown,
  Args extends unknown[] = unknown[],
  Return = unknown,
> {
  (this: Self, ...args: Args): Return;
  /** The function it stands for. */
  original: (this: Self, ...args: Args) => Return;
  /** Its calls so far. */
  calls: SpyCall<Self, Args, Return>[];
  /** Whether the method was put back. */
  restored: boolean;
  /** Puts the method back. */
  restore(): void;
}

/** A method that records its calls. */
export interface MethodSpy<
  Self = unknown,
  Args extends unknown[] = unknown[],
  Return = unknown,
> extends Spy<Self, Args, Return>, Disposable {}

/** Another method in the place of one, which records its calls. */
export interface Stub<
  Self = unknown,
  Args extends unknown[] = unknown[],
  Return = unknown,
> extends MethodSpy<Self, Args, Return> {
  /** What is called instead of the original. */
  fake: (this: Self, ...args: Args) => Return;
}

/** Wraps a function so that its calls are recorded. */
export function wrapFunction<Self, Args extends unknown[], Return>(
  original: Method<Self, Args, Return>,
): Spy<Self, Args, Return> {
  const restore = () => {
    throw new MockError("Cannot restore: function cannot be restored");
  };
  return record(original, { original, restored: false, restore });
}

/**
 * Puts a recording function in the place of a method.
 *
 * @param verb What is being done, for the error messages.
 * @param fake What to call instead of the method, by default itself.
 */
export function replaceMethod<Self, Args extends unknown[], Return>(
  verb: "spy" | "stub",
  self: Self,
  property: keyof Self,
  fake?: Method<Self, Args, Return>,
): Stub<Self, Args, Return> {
  const original = self[property] as Method<Self, Args, Return>;
  if (isSpy(original)) {
    throw new MockError(`Cannot ${verb}: already spying on instance method`);
  }
  const descriptor = Object.getOwnPropertyDescriptor(self, property);
  if (descriptor && !descriptor.configurable) {
    throw new MockError(`Cannot ${verb}: non-configurable instance method`);
  }

  let restored = false;
  function restore(): void {
    if (restored) {
      throw new MockError("Cannot restore: instance method already restored");
    }
    if (descriptor) Object.defineProperty(self, property, descriptor);
    else delete self[property];
    restored = true;
  }
  const target = fake ?? original;
  const recorder = record<Self, Args, Return, Stub<Self, Args, Return>>(
    target,
    {
      original,
      fake: target,
      get restored() {
        return restored;
      },
      restore,
      [Symbol.dispose]: restore,
    },
  );
  Object.defineProperty(self, property, {
    configurable: true,
    enumerable: descriptor?.enumerable ?? false,
    writable: descriptor?.writable ?? false,
    value: recorder,
  });
  return recorder;
}

function record<
  Self,
  Args extends unknown[],
  Return,
  Recorder extends Spy<Self, Args, Return>,
>(
  target: Method<Self, Args, Return>,
  properties: Omit<Recorder, "calls">,
): Recorder {
  const calls: SpyCall<Self, Args, Return>[] = [];
  function recorder(this: Self, ...args: Args): Return {
    const call: SpyCall<Self, Args, Return> = { args };
    if (this) call.self = this;
    try {
      return call.returned = target.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
  }
  return Object.defineProperties(recorder, {
    calls: { enumerable: true, value: calls },
    ...Object.getOwnPropertyDescriptors(properties),
  }) as unknown as Recorder;
}

function isSpy(value: unknown): boolean {
  return typeof value === "function" && "original" in value &&
    "restored" in value && "restore" in value && "calls" in value;
}
