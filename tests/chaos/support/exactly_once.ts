/** Counts things that are numbered from 0, each of which is to come exactly once. */
export class ExactlyOnce {
  readonly #counts: Uint8Array;

  /** @param end The first number that is not expected. */
  constructor(end: number) {
    this.#counts = new Uint8Array(end);
  }

  /** Notes that it came. */
  note(n: number): void {
    const count = this.#counts[n];
    if (count === undefined) throw new RangeError(`${n} was not expected`);
    this.#counts[n] = count + 1;
  }

  /** Those below `end` that came never, or more than once. */
  wrong(end: number): number[] {
    const wrong: number[] = [];
    for (let n = 0; n < end; n++) if (this.#counts[n] !== 1) wrong.push(n);
    return wrong;
  }
}

/** Notes whether what is numbered from 0 comes in order, each once. */
export class InOrder {
  #next = 0;
  #faults = 0;

  /** Notes that it came. */
  note(n: number): void {
    if (n !== this.#next) this.#faults++;
    this.#next = n + 1;
  }

  /** How many came. */
  get total(): number {
    return this.#next;
  }

  /** How many came where another one was expected. */
  get faults(): number {
    return this.#faults;
  }
}
