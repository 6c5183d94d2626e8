// deno-lint-ignore-file no-console -- figures are part of what this test tells
import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { RunningCommand } from "../support/running_command.ts";
import { until } from "../support/until.ts";

const MODULE = "tests/chaos/support/journaling_server.ts";
const CLIENTS = 6;
/** Between two calls of a lane, in milliseconds. */
const PAUSE = 5;

/** A server in a process of its own, which is replaced by another one now and then. */
class Replaceable implements AsyncDisposable {
  /** What the handlers of all of them did. */
  readonly journal: string[] = [];
  port = 0;
  #process: RunningCommand | undefined;

  async start(): Promise<void> {
    const args = ["--port", `${this.port}`, "--module", MODULE];
    this.#process = new RunningCommand("server/main.ts", args);
    this.port = Number(new URL(await this.#process.url()).port);
  }

  /** Lets it end as a deployment does. Returns its exit status. */
  async stop(): Promise<number | undefined> {
    await using process = this.#process;
    process?.kill("SIGTERM");
    const code = await process?.exit();
    this.journal.push(...process?.stdout.slice(1) ?? []);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

/** A client that never stops calling. */
class Caller {
  readonly client: MCPWebSocketClient;
  readonly failures: string[] = [];
  readonly events: string[] = [];
  readonly called: string[] = [];
  readonly #name: string;

  constructor(url: string, name: string, era: "legacy" | "auto") {
    this.#name = name;
    this.client = new MCPWebSocketClient(url, { era });
    for (const type of ["moved", "lost", "sessionlost"] as const) {
      this.client.transport.addEventListener(type, () => this.events.push(type));
    }
  }

  /** Calls quick and slow tools, each lane one after the other, until told otherwise. */
  async run(goesOn: () => boolean): Promise<void> {
    await Promise.all([0, 0, 0, 1_000, 1_000].map(async (time) => {
      for (; goesOn(); await delay(PAUSE)) await this.#call(time);
    }));
  }

  async #call(time: number): Promise<void> {
    const n = `${this.#name}-${this.called.length}`;
    this.called.push(n);
    const seen: number[] = [];
    try {
      const { content } = await this.client.request("tools/call", {
        name: "unsafe",
        arguments: { n, time },
      }, { onProgress: ({ progress }) => seen.push(progress) });
      assertEquals(content, [{ type: "text", text: `unsafe ${n}` }]);
      assertEquals(seen, time === 0 ? [] : [1, 2, 3, 4, 5]);
    } catch (error) {
      this.failures.push(`${n}: ${error}`);
    }
  }
}

Deno.test("servers that are restarted one after the other fail no call and run none twice", async () => {
  const startedAt = performance.now();
  await using first = new Replaceable();
  await using second = new Replaceable();
  await Promise.all([first.start(), second.start()]);
  await using link = ChaosLink.open([first.port, second.port]);
  const callers = Array.from({ length: CLIENTS }, (_, index) => {
    return new Caller(link.url(), `${index}`, index % 2 === 0 ? "legacy" : "auto");
  });
  for (const { client } of callers) await client.connect();

  let goesOn = true;
  const running = callers.map((caller) => caller.run(() => goesOn));
  const codes: unknown[] = [];
  const moves = () => callers.flatMap(({ events }) => events).filter((type) => type === "moved");
  for (const server of [first, second]) {
    const before = callers.map(({ called }) => called.length);
    await until(() => callers.every(({ called }, index) => called.length > before[index]! + 50));
    codes.push(await server.stop());
    await server.start();
  }
  goesOn = false;
  await Promise.all(running);

  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const calls = callers.flatMap(({ called }) => called);
  console.log({ calls: calls.length, moves: moves().length, seconds });
  assertEquals(callers.flatMap(({ failures }) => failures), []);
  // Nobody lost a connection: all had moved before their server went.
  assertEquals(callers.map(({ events }) => events.filter((type) => type !== "moved")).flat(), []);
  assertGreaterOrEqual(moves().length, CLIENTS);
  for (const { client } of callers) await client.disconnect();
  codes.push(await first.stop(), await second.stop());
  assertEquals(codes, [0, 0, 0, 0]);
  const run = [...first.journal, ...second.journal].map((line) => line.replace("unsafe ", ""));
  assertEquals(run.toSorted(), calls.toSorted());
});
