import { Child } from "./child.ts";
import type { Latencies } from "./load.ts";

/** Who is compared. */
export type CrowdSide = "ours" | "floor";

/** Where the server of a crowd listens. */
export type CrowdAddresses = Readonly<Record<CrowdSide, string>>;

/** What the server of a crowd holds after garbage was collected, in bytes. */
export interface Memory {
  /** Resident. */
  readonly rss: number;
  /** In V8's heap. */
  readonly heapUsed: number;
}

/** What the server of a crowd can be asked. */
export type CrowdServerQuestion =
  | { readonly ask: "cpu" | "memory" }
  | { readonly ask: "broadcast"; readonly side: CrowdSide };

/** What the clients of a crowd can be asked. */
export type CrowdClientQuestion =
  | { readonly ask: "cpu" }
  | {
    readonly ask: "open";
    readonly side: CrowdSide;
    readonly url: string;
    readonly count: number;
  }
  | { readonly ask: "heard"; readonly side: CrowdSide; readonly count: number }
  | { readonly ask: "load"; readonly side: CrowdSide; readonly seconds: number };

/** Processor time, in microseconds. */
export interface CpuTimes {
  /** Of the server. */
  readonly server: number;
  /** Of the clients. */
  readonly clients: number;
}

/** Files that a process has open besides sockets, with room to spare. */
const OTHER_FILES = 200;
/** What `ulimit -n` is where it cannot be asked. */
const USUAL_LIMIT = 1_024;

/** Many clients in one process, and their server in another. */
export class Crowd implements AsyncDisposable {
  readonly #server: Child<CrowdAddresses>;
  readonly #clients: Child<string>;
  readonly #stack: AsyncDisposableStack;
  readonly #sizes: Record<CrowdSide, number> = { ours: 0, floor: 0 };
  readonly #told: Record<CrowdSide, number> = { ours: 0, floor: 0 };

  private constructor(
    server: Child<CrowdAddresses>,
    clients: Child<string>,
    stack: AsyncDisposableStack,
  ) {
    this.#server = server;
    this.#clients = clients;
    this.#stack = stack;
  }

  /** Starts both processes, without a connection yet. */
  static async start(): Promise<Crowd> {
    const stack = new AsyncDisposableStack();
    const flags = ["--v8-flags=--expose-gc"];
    const server = stack.use(await Child.startScript<CrowdAddresses>("crowd_server.ts", flags));
    const clients = stack.use(await Child.startScript<string>("crowd_clients.ts"));
    return new Crowd(server, clients, stack);
  }

  /** Opens more connections of one side until there are so many. */
  async grow(side: CrowdSide, count: number): Promise<void> {
    await this.#askClients({ ask: "open", side, url: this.#server.hello[side], count });
    this.#sizes[side] = count;
  }

  /** The memory of the server. */
  memory(): Promise<Memory> {
    return this.#askServer({ ask: "memory" });
  }

  /** The processor time that was used so far. */
  async cpuTimes(): Promise<CpuTimes> {
    return {
      server: await this.#askServer<number>({ ask: "cpu" }),
      clients: await this.#askClients<number>({ ask: "cpu" }),
    };
  }

  /**
   * Tells all connections of one side something.
   *
   * @param side Which.
   * @returns Milliseconds until the server has sent to all of them, and until all have it.
   */
  async broadcast(side: CrowdSide): Promise<{ readonly sent: number; readonly heard: number }> {
    const count = this.#told[side] += this.#sizes[side];
    const startedAt = performance.now();
    const [sent] = await Promise.all([
      this.#askServer<number>({ ask: "broadcast", side }),
      this.#askClients({ ask: "heard", side, count }),
    ]);
    return { sent, heard: performance.now() - startedAt };
  }

  /** Puts a steady load on all connections of one side. */
  load(side: CrowdSide, seconds: number): Promise<Latencies> {
    return this.#askClients({ ask: "load", side, seconds });
  }

  /** Ends both processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #askServer<Answer>(question: CrowdServerQuestion): Promise<Answer> {
    return this.#server.ask(question);
  }

  #askClients<Answer>(question: CrowdClientQuestion): Promise<Answer> {
    return this.#clients.ask(question);
  }
}

/**
 * How many connections a process may have.
 *
 * @returns What `ulimit -n` says, and what is left of it for sockets.
 */
export function connectionLimit(): { readonly files: number; readonly sockets: number } {
  const files = openFileLimit();
  return { files, sockets: Math.max(1, files - OTHER_FILES) };
}

function openFileLimit(): number {
  if (Deno.build.os !== "linux") return USUAL_LIMIT;
  const line = /^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
  return Number(line?.[1] ?? USUAL_LIMIT);
}
