/**
 * Deno's client leaves Nagle's algorithm on: what follows something that the
 * peer has not acknowledged waits for its delayed acknowledgement, which is a
 * timer of the kernel of 40 ms. A session never waits for it. The bound asks
 * whether that timer is in the way, not how fast the machine is.
 *
 * @module
 */

import { assert } from "@std/assert";
import { delay } from "@std/async/delay";
import { MCPWebSocketClient, type MCPWebSocketClientOptions } from "@bowline/mcp-websocket/client";
import { RunningCommand } from "../support/running_command.ts";
import { FEW_SIZES, fill, SIZES } from "./_sizes.ts";

/** Half of the kernel's timer, in milliseconds. */
const BOUND = 20;
/** How often each pattern is repeated. */
const REPETITIONS = 15;
/** How often the bare socket is asked, which takes its 44 ms. */
const BARE_REPETITIONS = 3;
/** Above this, a burst is made of fewer messages: it would take long without any stall. */
const LARGE = 65_536;

/** Repeats a pattern; what it gives is its time, in milliseconds. */
async function repeat(times: number, pattern: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await pattern());
  return all.sort((a, b) => a - b)[Math.floor(times / 2)] ?? NaN;
}

async function time(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}

/** Measures a pattern for each size, and says where the kernel's timer was in the way. */
async function check(
  name: string,
  sizes: readonly number[],
  pattern: (bytes: number) => Promise<number>,
  repetitions = REPETITIONS,
): Promise<void> {
  const stalled: string[] = [];
  const told: string[] = [];
  for (const bytes of sizes) {
    const median = await repeat(repetitions, () => pattern(bytes));
    told.push(`${bytes}: ${median.toFixed(1)}`);
    if (!(median < BOUND)) stalled.push(`${name}, ${bytes} bytes: ${median} ms`);
  }
  say(`${name}: ${told.join(", ")} ms`);
  assert(stalled.length === 0, stalled.join("\n"));
}

function say(text: string): void {
  // deno-lint-ignore no-console -- for whoever compares
  console.log(text);
}

class Stage implements AsyncDisposable {
  readonly #command = new RunningCommand("tests/stall/_server.ts", []);
  readonly #clients: MCPWebSocketClient[] = [];

  async urls(): Promise<{ ours: string; pinging: string; bare: string }> {
    const [ours = "", pinging = "", bare = ""] = (await this.#command.url()).split(",");
    return { ours, pinging, bare };
  }

  /** A client that has said nothing but what opens its session. */
  async connect(
    url: string,
    options: MCPWebSocketClientOptions = { require: "bowline.v1" },
  ): Promise<MCPWebSocketClient> {
    const client = new MCPWebSocketClient(url, { era: "legacy", ...options });
    client.onNotification("x/note", () => {});
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.disconnect();
    await this.#command[Symbol.asyncDispose]();
  }
}

for (const method of ["x/now", "x/later"]) {
  const when = method === "x/now" ? "at once" : "later";

  Deno.test(`a request that is answered ${when} waits for no delayed acknowledgement`, async () => {
    await using stage = new Stage();
    const client = await stage.connect((await stage.urls()).ours);
    await check(`alone, answered ${when}`, SIZES, (bytes) => {
      return time(() => client.request(method, fill(method, bytes)));
    });
    await check(`1 ms after a notification, answered ${when}`, SIZES, async (bytes) => {
      await client.notify("x/note", fill("x/note", bytes));
      await delay(1);
      return time(() => client.request(method, fill(method, bytes)));
    });
  });

  Deno.test(`requests in a burst that are answered ${when} wait for none`, async () => {
    await using stage = new Stage();
    const client = await stage.connect((await stage.urls()).ours);
    const ask = (bytes: number) => client.request(method, fill(method, bytes));
    const count = (bytes: number) => bytes < LARGE ? 10 : 3;
    await check(`a burst, answered ${when}`, SIZES, (bytes) => {
      return time(() => Promise.all(Array.from({ length: count(bytes) }, () => ask(bytes))));
    });
    await check(`the last of some 1 ms apart, answered ${when}`, SIZES, async (bytes) => {
      const asked: Promise<unknown>[] = [];
      for (let i = 1; i < count(bytes); i++) {
        asked.push(ask(bytes));
        await delay(1);
      }
      const ms = await time(() => ask(bytes));
      await Promise.all(asked);
      return ms;
    });
    await check(`small beside large, answered ${when}`, SIZES, async (bytes) => {
      const large = ask(bytes);
      const ms = await time(() => ask(100));
      await large;
      return ms;
    });
  });
}

Deno.test("a request behind what the session says by itself waits for none", async () => {
  await using stage = new Stage();
  const { ours, pinging } = await stage.urls();
  const client = await stage.connect(ours);
  const ask = (bytes: number) => time(() => client.request("x/now", fill("x/now", bytes)));

  await check("behind an acknowledgement of many", FEW_SIZES, async (bytes) => {
    await client.request("x/notes", { count: 300 });
    return await ask(bytes);
  });
  await check("behind an acknowledgement of few", FEW_SIZES, async (bytes) => {
    await client.request("x/notes", { count: 3 });
    // About when the acknowledgement goes out by itself.
    await delay(198 + Math.random() * 5);
    return await ask(bytes);
  });
  await check("behind a ping", FEW_SIZES, async (bytes) => {
    const health = client.healthCheck();
    await delay(1);
    const ms = await ask(bytes);
    await health;
    return ms;
  });
  const pinged = await stage.connect(pinging);
  await check("behind a pong", FEW_SIZES, async (bytes) => {
    await delay(29 + Math.random() * 4);
    return await time(() => pinged.request("x/now", fill("x/now", bytes)));
  }, 3 * REPETITIONS);
});

Deno.test("a plain request that is filled up waits for none, alone and behind another", async () => {
  await using stage = new Stage();
  const { ours } = await stage.urls();
  const client = await stage.connect(ours, { protocols: ["mcp"] });
  const ask = (bytes: number) => client.request("x/now", fill("x/now", bytes));
  await check("plain, alone", SIZES, (bytes) => time(() => ask(bytes)));
  await check("plain, a burst", SIZES, (bytes) => {
    return time(() => Promise.all(Array.from({ length: 5 }, () => ask(bytes))));
  });
});

Deno.test("a batch waits for none", async () => {
  await using stage = new Stage();
  const { ours } = await stage.urls();
  const client = await stage.connect(ours);
  await check(
    "a batch of three",
    FEW_SIZES,
    (bytes) =>
      time(() =>
        client.batch((batch) =>
          Promise.all([1, 2, 3].map(() => batch.request("x/now", fill("x/now", bytes))))
        )
      ),
  );
});

Deno.test("opening, the first request and the goodbye wait for none", async () => {
  await using stage = new Stage();
  const { ours } = await stage.urls();
  for (const era of ["legacy", "modern"] as const) {
    await check(`opened and asked, ${era}`, SIZES, async (bytes) => {
      await using client = new MCPWebSocketClient(ours, { era, require: "bowline.v1" });
      return await time(async () => {
        await client.connect();
        await client.request("x/now", fill("x/now", bytes));
      });
    });
  }
  await check("goodbye behind a notification", SIZES, async (bytes) => {
    const client = await stage.connect(ours);
    await client.notify("x/note", fill("x/note", bytes));
    return await time(() => client.disconnect());
  });
});

Deno.test("a bare socket does wait, for whoever compares", async () => {
  await using stage = new Stage();
  const socket = new WebSocket((await stage.urls()).bare);
  await new Promise((resolve) => socket.onopen = resolve);
  const ask = (text: string) =>
    time(() => {
      const answered = new Promise((resolve) => socket.onmessage = resolve);
      socket.send(text);
      return answered;
    });
  const alone: string[] = [];
  const behind: string[] = [];
  for (const bytes of SIZES) {
    const text = "x".repeat(bytes);
    const first = await repeat(BARE_REPETITIONS, () => ask(text));
    const second = await repeat(BARE_REPETITIONS, async () => {
      socket.send(text.replace("x", "#"));
      await delay(1);
      return await ask(text);
    });
    alone.push(`${bytes}: ${first.toFixed(1)}`);
    behind.push(`${bytes}: ${second.toFixed(1)}`);
  }
  say(`bare, alone: ${alone.join(", ")} ms`);
  say(`bare, 1 ms after another: ${behind.join(", ")} ms`);
  socket.close();
  await new Promise((resolve) => socket.onclose = resolve);
});
