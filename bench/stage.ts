/** What a group of figures needs: opened when it is first asked for, closed with the stage. */
export class Stage implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();

  /**
   * Puts off opening.
   *
   * @param open Opens it; it is called once at most.
   * @returns Gives what was opened.
   */
  lazy<T extends AsyncDisposable>(open: () => Promise<T>): () => Promise<T> {
    let opened: Promise<T> | undefined;
    return () => opened ??= open().then((it) => this.#stack.use(it));
  }

  /** Closes all that was opened, the last first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
