/**
 * Resolves as soon as the condition holds.
 *
 * @throws {Error} If it does not hold within five seconds.
 */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Whether the promise has not settled yet. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  // One turn, so that what settles right now counts as settled.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const first = await Promise.race([promise.catch(() => {}), Promise.resolve(pending)]);
  return first === pending;
}
