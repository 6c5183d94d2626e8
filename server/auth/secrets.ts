import { createHash } from "node:crypto";

/** Parts of a token that are shorter give nothing away. */
const MIN_PART = 16;

/** The SHA-256 of a secret: what is kept of it. */
export function digest(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

/** The same, as a key of a map. */
export function digestKey(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/**
 * Whether a value, with everything it holds, may be shown.
 *
 * @param value Anything; usually an error of somebody else's code.
 * @param secrets What must not be in it, whole or by its parts.
 * @returns Whether none of the secrets can be found.
 */
export function isFreeOf(value: unknown, secrets: readonly string[]): boolean {
  const text = show(value);
  return text !== undefined && !secrets.flatMap(partsOf).some((part) => text.includes(part));
}

/** The secret, and each part of a JWT. */
function partsOf(secret: string): string[] {
  return [secret, ...secret.split(".").filter(({ length }) => length >= MIN_PART)];
}

/** All of a value as text; `undefined` if it resists. */
function show(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const all = Number.MAX_SAFE_INTEGER;
  try {
    return Deno.inspect(value, {
      depth: 8,
      iterableLimit: all,
      strAbbreviateSize: all,
      showHidden: true,
    });
  } catch {
    return undefined;
  }
}
