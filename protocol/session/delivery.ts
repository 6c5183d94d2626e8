import type { Clock } from "../clock.ts";
import { MCPTimeoutError } from "../errors.ts";

/** How long the other application may take to get a message, in milliseconds. */
const DELIVERY_TIMEOUT = 30_000;

/** How to wait for a delivery. */
export interface DeliveryOptions {
  /** How long it may take, in milliseconds. */
  readonly timeout?: number | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** A delivery that is waited for. */
export interface Delivery {
  /** Settles when the other application has the message, or why it never will. */
  readonly promise: Promise<void>;
  /** To be told once. */
  readonly settled: (error?: Error) => void;
}

/**
 * Waits until the other application has a message, for a while.
 *
 * @param clock Where time comes from.
 * @param options How long.
 * @returns The wait; its promise rejects with `MCPTimeoutError` or the signal's reason.
 */
export function awaitDelivery(
  clock: Clock,
  { timeout = DELIVERY_TIMEOUT, signal }: DeliveryOptions,
): Delivery {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle = (error?: unknown) => {
    timer.clear();
    signal?.removeEventListener("abort", abort);
    if (error === undefined) resolve();
    else reject(error);
  };
  const abort = () => settle(signal?.reason);
  const timer = clock.after(timeout, () => {
    const text = `Message was not confirmed within ${timeout} ms: it may still arrive`;
    settle(new MCPTimeoutError(text, timeout));
  });
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return { promise, settled: settle };
}
