/** The most lines that are kept. */
const MAX_LINES = 1_000;

/** A text that grows by a line at a time while it is started; otherwise there is no timer. */
export class DemoJournal {
  readonly #interval: number;
  readonly #onGrowth: () => void;
  #lines: string[] = [];
  #count = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Makes a journal of one line.
   *
   * @param interval Time between two lines, in milliseconds.
   * @param onGrowth Called after every further line.
   */
  constructor(interval: number, onGrowth: () => void) {
    this.#interval = interval;
    this.#onGrowth = onGrowth;
    this.#write();
  }

  /** All lines. */
  get text(): string {
    return this.#lines.join("\n");
  }

  /** Grows from now on. Starting twice is fine. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#write();
      this.#onGrowth();
    }, this.#interval);
  }

  /** Stands still. Stopping twice is fine. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(): void {
    this.#lines.push(`Line ${++this.#count}, ${new Date().toISOString()}`);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
  }
}
