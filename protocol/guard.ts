import { toError } from "./errors.ts";

/** Whether the value is a promise, or like one. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

/**
 * Runs what the application gave us, sync or async: it harms nobody but itself.
 * An error thrown in a socket's or timer's callback would end the process.
 *
 * @param run What to run.
 * @param failed Told what it threw or rejected with.
 */
export function guard(run: () => unknown, failed: (error: Error) => void): void {
  try {
    const outcome = run();
    if (isPromiseLike(outcome)) outcome.then(undefined, (thrown) => failed(toError(thrown)));
  } catch (thrown) {
    failed(toError(thrown));
  }
}
