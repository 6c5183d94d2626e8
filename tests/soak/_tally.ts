/** Counts what happens at the clients' end of a soak. */
export class Tally {
  /** Requests that were sent. */
  requests = 0;
  /** Those that were answered. */
  answered = 0;
  /** Those that were given up, by a cancel or with their client. */
  cancelled = 0;
  /** Notifications that arrived, both ways. */
  notifications = 0;
  /** Sessions that were opened. */
  sessions = 0;
  /** Sessions that went on after a cut. */
  resumes = 0;
  /** Clients that went without goodbye. */
  abandoned = 0;
  /** What went wrong, and how often. */
  readonly failures: Map<string, number> = new Map();

  /** The number of the next request. */
  next(): number {
    return this.requests++;
  }

  /** Notes what went wrong. */
  fail(what: string): void {
    this.failures.set(what, 1 + (this.failures.get(what) ?? 0));
  }
}
