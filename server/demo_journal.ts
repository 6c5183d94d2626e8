/** The most lines that are kept. */
const MAX_LINES = 1_000;

/**
 * A text that grows by a line at a time, as long as somebody follows it.
 * Without followers there is no timer.
 */
export class DemoJournal {
  readonly #interval: number;
  readonly #followers = new Set<() => void>();
  #lines: string[] = [];
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Makes a journal of one line.
   *
   * @param interval Time between two lines, in milliseconds.
   */
  constructor(interval: number) {
    this.#interval = interval;
    this.#grow();
  }

  /** All lines. */
  get text(): string {
    return this.#lines.join("\n");
  }

  /** How many follow it. */
  get followers(): number {
    return this.#followers.size;
  }

  /**
   * Follows it.
   *
   * @param onGrowth Called after every line.
   * @returns Stops following. Doing so twice is fine.
   */
  follow(onGrowth: () => void): () => void {
    // A listener that is given twice counts twice.
    const follower = () => onGrowth();
    this.#followers.add(follower);
    this.#timer ??= setInterval(() => this.#grow(), this.#interval);
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #grow(): void {
    this.#lines.push(`Line ${++this.#count}, ${new Date().toISOString()}`);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    for (const follower of this.#followers) follower();
  }
}
