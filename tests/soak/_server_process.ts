import type { Memory } from "../chaos/support/memory.ts";
import { RunningCommand } from "../support/running_command.ts";
import { until } from "../support/until.ts";

/** What the tables of the server hold, by its metrics. */
export interface Gauges {
  /** Connections that are open. */
  readonly connections: number;
  /** Sessions that wait for their client. */
  readonly detached: number;
  /** Requests that are being handled. */
  readonly running: number;
  /** Bytes that sessions and sockets hold. */
  readonly buffered: number;
}

/** What the server says of itself. */
export interface Report {
  /** After a collection. */
  readonly memory: Memory;
  /** What its tables hold. */
  readonly gauges: Gauges;
  /** What it has counted. */
  readonly counts: {
    /** Requests that reached a handler. */
    readonly handled: number;
    /** Requests whose caller did not want the answer any more. */
    readonly cancelled: number;
    /** Failures that were reported. */
    readonly errors: number;
    /** News that was told to everybody. */
    readonly news: number;
  };
}

/** The server of a soak, in a process of its own. */
export class SoakServer implements AsyncDisposable {
  readonly #command: RunningCommand;

  /**
   * @param window How long sessions are kept without a connection, in milliseconds.
   * @param newsEvery Requests between two pieces of news.
   */
  constructor(window: number, newsEvery: number) {
    this.#command = new RunningCommand("tests/soak/_server.ts", [`${window}`, `${newsEvery}`]);
  }

  /** Where it listens. */
  async port(): Promise<number> {
    return Number(new URL(await this.#command.url()).port);
  }

  /** Collects its garbage, and says what is left. */
  async report(): Promise<Report> {
    const { stdout } = this.#command;
    const lines = stdout.length;
    await this.#command.write("report");
    await until(() => stdout.length > lines);
    return JSON.parse(stdout.at(-1) ?? "");
  }

  /** What it has complained of. */
  get complaints(): readonly string[] {
    return this.#command.stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#command[Symbol.asyncDispose]();
  }
}
