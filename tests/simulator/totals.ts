/** What happened in all runs so far. */
export class Totals {
  seeds = 0;
  /** Messages that the servers' applications were given. */
  up = 0;
  /** Messages that the client's application was given. */
  down = 0;
  breaks = 0;
  resumes = 0;
  moves = 0;
  restarts = 0;
  sessionsLost = 0;
  /** Frames that carried a piece. */
  pieces = 0;
  /** Messages that were sent again after a resume. */
  replayed = 0;
  withdrawn = 0;
  poisoned = 0;
  staleHellos = 0;
  frames = 0;
  /** Virtual time, in hours. */
  hours = 0;

  toString(): string {
    return Object.entries(this)
      .map(([name, value]) => `${name} ${Math.round(Number(value)).toLocaleString("en")}`)
      .join(", ");
  }
}
