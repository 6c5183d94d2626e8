/**
 * Tells whether two values are deeply equal: of the same prototype, with equal
 * contents. `0` equals `-0`, `NaN` itself, a missing property never `undefined`.
 *
 * @throws {TypeError} If it comes across a `WeakMap` or a `WeakSet`.
 */
export function equal(a: unknown, b: unknown): boolean {
  return new Comparison().equal(a, b);
}

type Fields = Record<PropertyKey, unknown>;
type Keyed = Map<unknown, unknown> | Set<unknown>;

class Comparison {
  /** Pairs under comparison already; cycles are taken to be equal. */
  readonly #seen = new Map<object, object>();

  equal(a: unknown, b: unknown): boolean {
    if (isSame(a, b)) return true;
    if (!isObject(a) || !isObject(b)) return false;
    if (a instanceof Date && b instanceof Date) {
      return isSame(a.getTime(), b.getTime());
    }
    if (!haveEqualPrototypes(a, b)) return false;

    if (isNumberArray(a)) return equalNumbers(a, b as ArrayLike<unknown>);
    if (isBuffer(a)) {
      return equalNumbers(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
    }
    if (a instanceof WeakMap) {
      throw new TypeError("Cannot compare WeakMap instances");
    }
    if (a instanceof WeakSet) {
      throw new TypeError("Cannot compare WeakSet instances");
    }
    if (a instanceof WeakRef) {
      return this.equal(a.deref(), (b as WeakRef<WeakKey>).deref());
    }

    if (this.#seen.get(a) === b) return true;
    if (Object.keys(a).length !== Object.keys(b).length) return false;
    this.#seen.set(a, b);
    if (isKeyed(a)) return this.#equalEntries(a, b as Keyed);
    if (isTextual(a)) return String(a) === String(b);
    return this.#equalFields(a as Fields, b as Fields);
  }

  #equalEntries(a: Keyed, b: Keyed): boolean {
    if (a.size !== b.size) return false;
    if ([...a.keys()].some((key) => isObject(key) || isFunction(key))) {
      const others = [...b.entries()];
      // Keys are compared deeply as well, in any order.
      return [...a.entries()].every(([key, value]) =>
        others.some(([otherKey, otherValue]) =>
          this.equal(key, otherKey) && this.equal(value, otherValue)
        )
      );
    }
    if (a instanceof Set) return a.isSubsetOf(b);
    return [...a].every(([key, value]) =>
      b.has(key) && this.equal(value, (b as Map<unknown, unknown>).get(key))
    );
  }

  #equalFields(a: Fields, b: Fields): boolean {
    // Accessors of a class live on its prototype, so these count too.
    const keys = isPlain(a) ? Reflect.ownKeys({ ...a, ...b }) : [...allKeys(a).union(allKeys(b))];
    return keys.every((key) => this.equal(a[key], b[key]) && (key in a) === (key in b));
  }
}

/** By `===`, and `NaN` too. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || Object.is(a, b);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}

function haveEqualPrototypes(a: object, b: object): boolean {
  // An object without a prototype is as plain as one with the usual one.
  const [ofA, ofB] = [a, b].map((value) => Object.getPrototypeOf(value) ?? Object.prototype);
  return ofA === ofB;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return [null, Object.prototype, Array.prototype].includes(prototype);
}

function isNumberArray(value: object): value is Uint8Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function isBuffer(value: object): value is ArrayBuffer {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isKeyed(value: object): value is Keyed {
  return value instanceof Map || value instanceof Set;
}

function equalNumbers(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (!isSame(a[index], b[index])) return false;
  }
  return true;
}

/** Prototypes whose instances are told apart by their text alone. */
const TEXTUAL = new Set<unknown>(
  [
    Intl.Locale,
    RegExp,
    URL,
    URLSearchParams,
    ...temporalTypes(),
  ].map((type) => type.prototype),
);

/** Older runtimes have none. */
function temporalTypes(): { prototype: unknown }[] {
  if (typeof Temporal === "undefined") return [];
  return [
    Temporal.Duration,
    Temporal.Instant,
    Temporal.PlainDate,
    Temporal.PlainDateTime,
    Temporal.PlainMonthDay,
    Temporal.PlainTime,
    Temporal.PlainYearMonth,
    Temporal.ZonedDateTime,
  ];
}

function isTextual(value: object): boolean {
  return TEXTUAL.has(Object.getPrototypeOf(value));
}

/** Own keys and those of all prototypes but the most common ones. */
function allKeys(value: object): Set<PropertyKey> {
  const keys = new Set<PropertyKey>();
  for (
    let part: object | null = value;
    part !== null && part !== Object.prototype && part !== Array.prototype;
    part = Object.getPrototypeOf(part)
  ) {
    for (const key of Reflect.ownKeys(part)) keys.add(key);
  }
  return keys;
}
