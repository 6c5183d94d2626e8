import { assertEquals, assertThrows } from "@std/assert";
import { equal } from "@std/assert/equal";

class Point {
  x: number;
  constructor(x: number) {
    this.x = x;
  }
  get double(): number {
    return this.x * 2;
  }
}
class Other extends Point {}
class Hidden {
  #value: number;
  constructor(value: number) {
    this.#value = value;
  }
  get value(): number {
    return this.#value;
  }
}

function cycle(): unknown {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

const shared = () => {};
const error = new Error("message");

const equalPairs: [string, unknown, unknown][] = [
  ["NaN and NaN", NaN, NaN],
  ["0 and -0", 0, -0],
  ["an object with its keys in another order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  [
    "an object without a prototype",
    { a: 1 },
    Object.assign(Object.create(null), { a: 1 }),
  ],
  ["nested arrays", [1, [2, { a: 3 }]], [1, [2, { a: 3 }]]],
  ["the same function", { f: shared }, { f: shared }],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["patterns", /a/g, /a/g],
  ["URLs", new URL("https://example.com"), new URL("https://example.com/")],
  [
    "maps in another order",
    new Map([["a", { x: 1 }], ["b", { x: 2 }]]),
    new Map([["b", { x: 2 }], ["a", { x: 1 }]]),
  ],
  [
    "maps with objects for keys",
    new Map([[{ a: 1 }, 1]]),
    new Map([[{ a: 1 }, 1]]),
  ],
  ["sets", new Set([1, "2"]), new Set(["2", 1])],
  [
    "sets of objects",
    new Set([{ a: 1 }, { a: 2 }]),
    new Set([{ a: 2 }, { a: 1 }]),
  ],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["floats", new Float32Array([NaN, 0]), new Float32Array([NaN, -0])],
  ["buffers", new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
  ["instances of a class", new Point(1), new Point(1)],
  ["getters of a class", new Hidden(1), new Hidden(1)],
  ["symbols for keys", { [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 1 }],
  ["cycles", cycle(), cycle()],
  ["the same error", error, error],
];

const unequalPairs: [string, unknown, unknown][] = [
  ["a number and its text", 1, "1"],
  ["null and undefined", null, undefined],
  ["an undefined property and none", { a: undefined }, {}],
  ["different undefined properties", { a: undefined }, { b: undefined }],
  ["an array and an object", [], {}],
  ["an array and a shorter one", [1, 2], [1]],
  ["a hole and undefined", [1, , 3], [1, undefined, 3]],
  ["two functions", () => {}, () => {}],
  ["dates", new Date(5), new Date(6)],
  ["patterns with other flags", /a/g, /a/i],
  ["URLs", new URL("https://example.com/a"), new URL("https://example.com/b")],
  ["map values", new Map([["a", 1]]), new Map([["a", 2]])],
  ["map keys", new Map([["a", undefined]]), new Map([["b", undefined]])],
  ["sets", new Set([1, 2]), new Set([1, 3])],
  ["sets of objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["bytes and numbers", new Uint8Array([1]), [1]],
  ["buffers", new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
  ["instances of a class and its subclass", new Point(1), new Other(1)],
  ["an instance and a plain object", new Point(1), { x: 1 }],
  ["getters of a class", new Hidden(1), new Hidden(2)],
  ["symbols for keys", { [Symbol.for("a")]: 1 }, { [Symbol.for("a")]: 2 }],
  ["an object and null", {}, null],
];

for (const [name, a, b] of equalPairs) {
  Deno.test(`equal() holds for ${name}`, () => {
    assertEquals(equal(a, b), true);
    assertEquals(equal(b, a), true);
  });
}

for (const [name, a, b] of unequalPairs) {
  Deno.test(`equal() tells apart ${name}`, () => {
    assertEquals(equal(a, b), false);
    assertEquals(equal(b, a), false);
  });
}

Deno.test("equal() refuses to compare weak collections", () => {
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError);
  assertThrows(() => equal(new WeakSet(), new WeakSet()), TypeError);
});
