import { delay } from "@std/async/delay";
import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import type { Scale } from "./figures.ts";
import { FloorClient } from "./floor.ts";
import { DOWN, type LargeAddresses, ROOM, SMALL, UP } from "./large_messages.ts";
import { atMost, type Figure, type Goal } from "./ratios.ts";
import { median } from "./statistics.ts";

/** One side of the comparison: a session, or a bare socket. */
type Side = Pick<FloorClient, "request">;

/** The figures of large messages; they are measured before it is disposed of. */
export interface LargeFigures extends AsyncDisposable {
  /** In the order of the table. */
  readonly figures: readonly Figure[];
}

const MIB = 2 ** 20;
const SIDES = { over: "bowline.v1", against: "bare socket, one frame" } as const;

/**
 * Large messages, in a session and on a bare socket, with a server process of
 * their own: their limits are raised. Throughput includes the callers'
 * `JSON.stringify` and `JSON.parse` on both sides.
 *
 * @param scale How much is measured.
 * @returns The figures.
 */
export async function openLargeFigures(scale: Scale): Promise<LargeFigures> {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await LargeServer.start());
  const { addresses } = server;
  const ours = stack.use(await openOurs(addresses.ours));
  const floor = stack.use(await FloorClient.open(addresses.floor));
  const pairs = Math.ceil(scale.pairs / 3);
  const count = (calls: number) => Math.max(1, Math.round(calls * scale.calls));

  const pair = (block: (side: Side) => Promise<number>) => ({
    ours: () => block(ours),
    floor: () => block(floor),
  });
  const time = (name: string, bytes: number, calls: number, goals: readonly Goal[]): Figure[] => {
    const params = { up: { data: "x".repeat(bytes) }, down: { units: bytes } };
    const method = { up: UP, down: DOWN };
    return (["up", "down"] as const).map((way) => ({
      name: `${name}, ${way}`,
      unit: "ms",
      ...SIDES,
      goals,
      pairs,
      warmUps: 2,
      ...pair((side) => measureTime(() => side.request(method[way], params[way]), count(calls))),
    }));
  };
  const figures: Figure[] = [
    ...time("1 MiB message", MIB, 20, []),
    ...time("10 MiB message", 10 * MIB, 4, [atMost(1.25)]),
    ...time("60 MiB message", 60 * MIB, 1, [atMost(1.1)]),
    {
      name: "100 MB result",
      unit: "ms",
      ...SIDES,
      against: "bare socket, two frames of 50 MB",
      goals: [atMost(1.25)],
      pairs,
      warmUps: 1,
      ours: () => measureTime(() => ours.request(DOWN, { units: 1e8 }), 1),
      floor: () => measureTime(() => Promise.all([half(floor), half(floor)]), 1),
    },
    {
      name: "small request beside 60 MiB result, p50",
      unit: "ms",
      ...SIDES,
      goals: [atMost(0.1)],
      pairs,
      warmUps: 1,
      ...pair((side) => measureBeside(side, 60 * MIB)),
    },
  ];
  return { figures, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function half(side: Side): Promise<unknown> {
  return side.request(DOWN, { units: 5e7 });
}

/** The mean time of calls, one after the other. */
async function measureTime(call: () => Promise<unknown>, calls: number): Promise<number> {
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) await call();
  return (performance.now() - startedAt) / calls;
}

/** The median time of small requests, one after the other, until a large result is here. */
async function measureBeside(side: Side, units: number): Promise<number> {
  const times: number[] = [];
  let isDone = false;
  const large = side.request(DOWN, { units }).then(() => isDone = true);
  while (!isDone) {
    const startedAt = performance.now();
    await side.request(SMALL, {});
    times.push(performance.now() - startedAt);
    await delay(1);
  }
  await large;
  return median(times);
}

/** A session with limits that let large messages through. */
async function openOurs(url: string): Promise<Side & AsyncDisposable> {
  const client = new MCPWebSocketClient(url, {
    era: "legacy",
    require: "bowline.v1",
    maxSendBytes: ROOM,
    maxReceiveBytes: ROOM,
  });
  await client.connect();
  return {
    request: (method, params) => client.request(method, params as Record<string, unknown>),
    [Symbol.asyncDispose]: () => client.disconnect(),
  };
}

/** The server, in a process of its own. */
class LargeServer implements AsyncDisposable {
  readonly addresses: LargeAddresses;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, addresses: LargeAddresses) {
    this.#child = child;
    this.addresses = addresses;
  }

  static async start(): Promise<LargeServer> {
    const script = new URL("./large_server.ts", import.meta.url);
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script.href],
      stdin: "piped",
      stdout: "piped",
    });
    const child = command.spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let line = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      line += part.value;
      if (line.includes("\n")) return new LargeServer(child, JSON.parse(line));
    }
    throw new Error("Cannot start server: it ended without a word");
  }

  /** Ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}
