import { deadline } from "@std/async";
import { denoArgs } from "../../support/running_command.ts";
import { Capture } from "./capture.ts";
import type { Ground, Levels } from "./ground.ts";

/** How a {@linkcode Victim} is confined. */
export interface VictimOptions {
  /** Options of its server, as far as JSON can carry them. */
  readonly server?: Record<string, unknown>;
  /** Puts a guard before it, with these options. */
  readonly guard?: Record<string, unknown>;
  /** How many file descriptors it may have. */
  readonly descriptors?: number;
}

/** Time for an answer, in milliseconds. */
const PATIENCE = 15_000;

/** A server in a process of its own, which an attack may use up. */
export class Victim implements Ground {
  readonly capture: Capture = new Capture();
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;
  /** Who waits for a line of which kind. */
  readonly #awaited = new Map<string, PromiseWithResolvers<unknown>>();
  #port = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#read = Promise.all([
      eachLine(child.stdout, (line) => this.#hear(line)),
      eachLine(child.stderr, (line) => void this.capture.texts.push(line)),
    ]);
  }

  /** Starts one. */
  static async open(options: VictimOptions = {}): Promise<Victim> {
    const { server, guard, descriptors } = options;
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors} && `;
    const args = denoArgs("tests/attacks/support/victim.ts");
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        `${limit}exec "$0" "$@"`,
        Deno.execPath(),
        ...args,
        JSON.stringify({ server, guard }),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const victim = new Victim(child);
    victim.#port = Number(await victim.#await("port"));
    return victim;
  }

  get port(): number {
    return this.#port;
  }

  /** Its memory, in bytes. */
  async rss(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
  }

  /** How many file descriptors it has open. */
  async descriptors(): Promise<number> {
    let count = 0;
    for await (const _ of Deno.readDir(`/proc/${this.#child.pid}/fd`)) count++;
    return count;
  }

  async levels(): Promise<Levels> {
    return await this.#ask("levels") as Levels;
  }

  async metrics(): Promise<string> {
    return String(await this.#ask("metrics"));
  }

  /** How it has ended, once it has. */
  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  /** Stops the process for a while, or kills it. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await this.#read;
    await this.#writer.abort().catch(() => {});
  }

  async #ask(kind: string): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${kind}\n`));
    return await this.#await(kind);
  }

  /** The content of the next line of a kind. */
  async #await(kind: string): Promise<unknown> {
    const awaited = this.#awaited.get(kind) ?? Promise.withResolvers<unknown>();
    this.#awaited.set(kind, awaited);
    return await deadline(awaited.promise, PATIENCE);
  }

  #hear(line: string): void {
    const [kind = ""] = line.split(" ", 1);
    const awaited = this.#awaited.get(kind);
    const content = () => JSON.parse(line.slice(kind.length));
    if (kind === "log") this.capture.log.push(content());
    else if (kind === "text") this.capture.texts.push(content());
    else if (awaited !== undefined) {
      this.#awaited.delete(kind);
      awaited.resolve(content());
    } else this.capture.texts.push(line);
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  hear: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const complete = (rest + text).split("\n");
    rest = complete.pop() ?? "";
    complete.forEach(hear);
  }
  if (rest !== "") hear(rest);
}

/** How many file descriptors a process may have here. */
export async function descriptorLimit(): Promise<number> {
  const limits = await Deno.readTextFile("/proc/self/limits");
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
}
