// Node's globals are made on first use, and need those of Deno for it.
Reflect.get(Reflect.get(globalThis, "process"), "versions");

/**
 * Gives a global another value, until it is disposed of.
 *
 * @param name Its name.
 * @param value Its value for the time being.
 */
export function setGlobal(name: string, value: unknown): Disposable {
  const original = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  return {
    [Symbol.dispose]() {
      if (original === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, original);
    },
  };
}

/** Makes this runtime look like one that lacks these globals, until it is disposed of. */
export function hideGlobals(...names: string[]): Disposable {
  const hidden = names.map((name) => setGlobal(name, undefined));
  return {
    [Symbol.dispose]() {
      for (const global of hidden) global[Symbol.dispose]();
    },
  };
}
