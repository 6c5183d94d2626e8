const NOW: Promise<void> = Promise.resolve();

/** Runs a task in the next microtask; it must not throw. Cheaper than `queueMicrotask()`. */
export function inMicrotask(task: () => void): void {
  NOW.then(task);
}
