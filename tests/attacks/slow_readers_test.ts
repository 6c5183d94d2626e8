// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert } from "@std/assert";
import { type Arena, openArena } from "./support/arena.ts";
import { connectMany } from "./support/crowd.ts";
import type { Levels } from "./support/ground.ts";
import type { Intruder } from "./support/intruder.ts";
import { Victim } from "./support/victim_process.ts";

const MIB = 1024 * 1024;
/** All buffered bytes of a server. */
const BOUND = 256 * MIB;
/** What may be on its way past the bound: the message that is being sent. */
const SLACK = 16 * MIB;
const CLIENTS = 1_000;

/** Bytes that the server holds for its clients; what sessions hold may be in their sockets, too. */
function heldBytes(levels: Levels): number {
  const of = (where: string) => levels[`bowline_buffered_bytes{where="${where}"}`] ?? 0;
  return Math.max(of("sessions"), of("sockets"));
}

/** Has every client ask for large answers, which none of them reads. Returns the most that was held. */
async function demand(
  arena: Arena,
  crowd: readonly Intruder[],
  bytes: number,
  times: number,
): Promise<number> {
  let most = 0;
  for (let i = 0; i < times; i++) {
    const request = { id: i, method: "tools/call", params: { name: "big", arguments: { bytes } } };
    const text = JSON.stringify({ jsonrpc: "2.0", ...request });
    // Some may have been sent away meanwhile.
    await Promise.all(crowd.map((intruder) => intruder.text(text).catch(() => {})));
    await arena.served(1);
    most = Math.max(most, heldBytes(await arena.levels()));
  }
  return most;
}

/** Attacks, and asserts that the bounds hold. */
async function attack(
  protocol: "mcp" | "bowline.v1",
  clients: number,
  bytes: number,
  times: number,
): Promise<void> {
  const victim = await Victim.open();
  await using arena = await openArena({ ground: victim });
  const tokens: string[] = [];
  const crowd = await connectMany(arena, clients, async (intruder) => {
    tokens.push(intruder.token);
    if (protocol === "mcp") await intruder.open();
    else await intruder.openSession();
  });
  const before = await victim.rss();
  const most = await demand(arena, crowd, bytes, times);
  await arena.served(20);
  const growth = await victim.rss() - before;
  const asked = clients * bytes * times;
  console.log({ asked: mib(asked), held: mib(most), growth: mib(growth) });
  assert(most < BOUND + SLACK, `The server holds ${most}`);
  // A message is held as text, in pieces and by the socket. Deno has no hard close: what is in the
  // socket of somebody who was sent away stays there until that one hangs up.
  assert(growth < 2 * asked + BOUND, `It grew by ${growth}`);
  await arena.end(...tokens.slice(0, 10));
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

Deno.test("1,000 sessions that never read cost no more than 256 MiB together, and others no latency", async () => {
  await attack("bowline.v1", CLIENTS, 128 * 1024, 4);
});

// The kernel takes the first three MiB for each: that many clients more would take it all.
Deno.test("plain clients that never read cost no more than 256 MiB together, and others no latency", async () => {
  await attack("mcp", 100, MIB, 9);
});

Deno.test("1,000 plain clients that never read a little cost next to nothing", async () => {
  await attack("mcp", CLIENTS, 16 * 1024, 4);
});
