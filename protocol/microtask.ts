const TURN: Promise<void> = Promise.resolve();
/** What runs in the next microtask, and a list for the one after it. */
let tasks: (() => void)[] = [];
let spare: (() => void)[] = [];

/**
 * Runs a task in the next microtask, with all others that were given meanwhile:
 * one microtask for thousands of connections.
 *
 * @param task What to do; it is given once until it runs.
 */
export function inMicrotask(task: () => void): void {
  if (tasks.push(task) === 1) TURN.then(run);
}

function run(): void {
  const batch = tasks;
  tasks = spare;
  let done = 0;
  try {
    while (done < batch.length) batch[done++]?.();
  } finally {
    // A task that throws keeps no other from running.
    for (; done < batch.length; done++) inMicrotask(batch[done] as () => void);
    batch.length = 0;
    spare = batch;
  }
}
