import { assertEquals } from "./equals.ts";

type Fields = Record<PropertyKey, unknown>;

/** Asserts that an object has all that another one has, at every depth. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- an interface only fits a record of any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  // Cutting the expected object by itself makes both sides plain objects.
  assertEquals(
    new Cut().fields(actual, expected),
    new Cut().fields(expected, expected),
    msg,
  );
}

/** Cuts values down to what others have too. */
class Cut {
  /** Pairs being cut already; a cycle is left as it is. */
  readonly #seen = new WeakMap<object, object>();

  fields(value: Fields, like: Fields): Fields {
    if (Object(value) !== value) {
      throw new TypeError(
        `Cannot assertObjectMatch ${value === null ? null : `type ${typeof value}`}`,
      );
    }
    if (this.#seen.get(value) === like) return value;
    this.#seen.set(value, like);

    const own = Reflect.ownKeys(value);
    const wanted = Reflect.ownKeys(like);
    const common = own.filter((key) => wanted.includes(key));
    const result: Fields = {};
    if (own.length > 0 && wanted.length > 0 && common.length === 0) {
      // Nothing in common: the failure should show what there is instead.
      for (const key of own) define(result, key, value[key]);
    }
    for (const key of common) {
      define(result, key, this.#any(value[key], like[key]));
    }
    return result;
  }

  #any(value: unknown, like: unknown): unknown {
    if (value instanceof RegExp) return value;
    if (Array.isArray(value) && Array.isArray(like)) {
      return this.#items(value, like);
    }
    if (!isObject(value) || !isObject(like)) return value;
    if (value instanceof Map && like instanceof Map) {
      return this.#entries(value, like);
    }
    if (value instanceof Set && like instanceof Set) {
      return value.intersection(like);
    }
    return this.fields(value as Fields, like as Fields);
  }

  #items(value: unknown[], like: unknown[]): unknown[] {
    if (this.#seen.get(value) === like) return value;
    this.#seen.set(value, like);
    return value.slice(0, like.length)
      .map((item, index) => this.#any(item, like[index]));
  }

  #entries(
    value: Map<unknown, unknown>,
    like: Map<unknown, unknown>,
  ): Map<unknown, unknown> {
    const common = [...value].filter(([key]) => like.has(key));
    return new Map(common.map(([key, item]) => {
      const other = like.get(key);
      return isObject(item) && isObject(other)
        ? [key, this.fields(item as Fields, other as Fields)]
        : [key, item];
    }));
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Sets a property even where its name means something, like `__proto__`. */
function define(target: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}
