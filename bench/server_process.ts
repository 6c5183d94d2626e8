import { Child } from "./child.ts";

/** Where the server process listens. */
export interface Addresses {
  /** This package's server. */
  readonly ours: string;
  /** The bare socket. */
  readonly floor: string;
  /** The bare socket on a unix socket: the path. */
  readonly unix: string;
}

/** What the server process can be asked. */
export type ServerQuestion = "cpu";

/** The server, in a process of its own: it shares no event loop with what measures it. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: Child<Addresses>;

  private constructor(child: Child<Addresses>) {
    this.#child = child;
  }

  /**
   * Starts it.
   *
   * @returns The process, as soon as it listens.
   * @throws {Error} If it does not say where.
   */
  static async start(): Promise<ServerProcess> {
    return new ServerProcess(await Child.startScript<Addresses>("server.ts"));
  }

  /** Where it listens. */
  get addresses(): Addresses {
    return this.#child.hello;
  }

  /** The processor time that it has used, in microseconds. */
  cpuTime(): Promise<number> {
    return this.#child.ask("cpu" satisfies ServerQuestion);
  }

  /** Lets this process end although the server still runs; the server ends then, too. */
  unref(): void {
    this.#child.unref();
  }

  /** Ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
