/** A rule was broken. Whoever catches it on the way does not make it undone. */
export class Violation extends Error {
  /** The first one of the present run. */
  static first: Violation | undefined;
  override name = "Violation";

  /** @param message What was broken. */
  constructor(message: string) {
    super(message);
    Violation.first ??= this;
  }
}
