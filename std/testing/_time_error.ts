/** Time is faked, or is not, where it should be the other way round. */
export class TimeError extends Error {
  /** @param message What cannot be done, and why. */
  constructor(message: string) {
    super(message);
    this.name = "TimeError";
  }
}
