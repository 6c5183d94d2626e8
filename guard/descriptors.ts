import { areGranted } from "./permissions.ts";

/** What must be granted for Deno to let this process read about itself. */
const NEEDED = ["read", "write", "net", "env", "run", "sys", "ffi"] as const;
const LIMITS_PATH = "/proc/self/limits";

/**
 * How many files this process may have open. It is known on Linux, to a
 * process with all permissions; nobody is asked for them.
 *
 * @returns The limit, or `undefined`.
 */
export function descriptorLimit(): number | undefined {
  if (Deno.build.os !== "linux" || !areGranted(NEEDED)) return undefined;
  try {
    return readLimit(Deno.readTextFileSync(LIMITS_PATH));
  } catch {
    // No /proc here.
    return undefined;
  }
}

/**
 * Finds the limit that is in force.
 *
 * @param limits The text of `/proc/self/limits`.
 * @returns The limit, or `undefined` if there is none.
 */
export function readLimit(limits: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}
