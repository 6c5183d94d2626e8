import { isPromiseLike } from "../protocol/guard.ts";

/** Something to do; it must not throw or reject. */
export type Task = () => void | PromiseLike<void>;

/** Does what concerns the same thing one after the other, and at once if nothing is under way. */
export class Turns {
  /** What waits for its turn, by what it concerns; present while something is under way. */
  readonly #queues = new Map<string, Task[]>();

  /** How many things something is under way for. */
  get size(): number {
    return this.#queues.size;
  }

  /**
   * Runs a task as soon as those before it are done.
   *
   * @param key What it concerns.
   * @param task What to do.
   */
  take(key: string, task: Task): void {
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#run(key, [task]);
    else queue.push(task);
  }

  #run(key: string, queue: Task[]): void {
    this.#queues.set(key, queue);
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      const outcome = task();
      if (!isPromiseLike(outcome)) continue;
      outcome.then(() => this.#run(key, queue));
      return;
    }
    this.#queues.delete(key);
  }
}
