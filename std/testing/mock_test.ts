import { assertEquals, AssertionError, assertThrows } from "@std/assert";
import { assertSpyCall, assertSpyCalls, MockError, spy, stub } from "@std/testing/mock";

class Counter {
  count = 0;
  add(step: number): number {
    if (step < 0) throw new RangeError("negative step");
    return this.count += step;
  }
}

Deno.test("spy() records the calls of a function", () => {
  const add = spy((a: number, b: number) => a + b);
  assertEquals(add(1, 2), 3);
  assertEquals(add.calls, [{ args: [1, 2], returned: 3 }]);
  assertEquals(add.restored, false);
  assertThrows(
    () => add.restore(),
    MockError,
    "Cannot restore: function cannot be restored",
  );
});

Deno.test("spy() without a function does nothing but record", () => {
  const record = spy();
  assertEquals(record("a", 1), undefined);
  assertEquals(record.calls, [{ args: ["a", 1], returned: undefined }]);
});

Deno.test("spy() calls the method through, and puts it back", () => {
  const counter = new Counter();
  const add = spy(counter, "add");
  assertEquals(counter.add(2), 2);
  assertThrows(() => counter.add(-1), RangeError, "negative step");
  assertEquals(add.calls.length, 2);
  assertEquals(add.calls[0]?.self, counter);
  assertEquals(add.calls[1]?.error?.message, "negative step");
  assertThrows(
    () => spy(counter, "add"),
    MockError,
    "Cannot spy: already spying on instance method",
  );
  add.restore();
  assertEquals(add.restored, true);
  assertEquals(Object.keys(counter), ["count"]);
  assertEquals(counter.add, Counter.prototype.add);
  assertThrows(
    () => add.restore(),
    MockError,
    "Cannot restore: instance method already restored",
  );
});

Deno.test("spy() refuses what is no method", () => {
  assertThrows(
    () => spy(new Counter(), "count"),
    MockError,
    "Cannot spy: property is not an instance method",
  );
  const frozen = Object.freeze({ method: () => {} });
  assertThrows(
    () => spy(frozen, "method"),
    MockError,
    "Cannot spy: non-configurable instance method",
  );
});

Deno.test("stub() replaces a method until it is disposed", () => {
  const counter = new Counter();
  {
    using add = stub(counter, "add", (step) => step * 100);
    assertEquals(counter.add(2), 200);
    assertEquals(counter.count, 0);
    assertEquals(add.calls[0]?.args, [2]);
  }
  assertEquals(counter.add(2), 2);
});

Deno.test("stub() without a replacement does nothing", () => {
  const counter = new Counter();
  using _add = stub(counter, "add");
  assertEquals(counter.add(2), undefined);
  assertThrows(
    () => stub(counter, "add"),
    MockError,
    "Cannot stub: already spying on instance method",
  );
  assertThrows(
    () => stub(counter, "count"),
    MockError,
    "Cannot stub: property is not an instance method",
  );
});

Deno.test("assertSpyCalls() counts calls", () => {
  const record = spy();
  record();
  assertSpyCalls(record, 1);
  assertThrows(
    () => assertSpyCalls(record, 0),
    AssertionError,
    "Spy called more than expected:",
  );
  assertThrows(
    () => assertSpyCalls(record, 2),
    AssertionError,
    "Spy not called as much as expected:",
  );
});

Deno.test("assertSpyCall() looks at what is expected of a call", () => {
  const counter = new Counter();
  const add = spy(counter, "add");
  counter.add(2);
  assertThrows(() => counter.add(-1));
  assertSpyCall(add, 0);
  assertSpyCall(add, 0, { args: [2], self: counter, returned: 2 });
  assertSpyCall(add, 1, {
    error: { Class: RangeError, msgIncludes: "negative" },
  });

  const failing: [() => void, string][] = [
    [() => assertSpyCall(add, 2), "Spy not called as much as expected"],
    [
      () => assertSpyCall(add, 0, { args: [3] }),
      "Spy not called with expected args:",
    ],
    [
      () => assertSpyCall(add, 0, { self: new Counter() }),
      "Spy not called as method on expected self:",
    ],
    [
      () => assertSpyCall(add, 0, { returned: 3 }),
      "Spy call did not return expected value:",
    ],
    [
      () => assertSpyCall(add, 1, { returned: 3 }),
      "Spy call did not return expected value, an error was thrown.",
    ],
    [
      () => assertSpyCall(add, 0, { error: {} }),
      "Spy call did not throw an error, a value was returned.",
    ],
    [
      () => assertSpyCall(add, 1, { error: { Class: TypeError } }),
      'Expected error to be instance of "TypeError", but was "RangeError".',
    ],
  ];
  for (const [assertion, message] of failing) {
    assertThrows(assertion, AssertionError, message);
  }
});
