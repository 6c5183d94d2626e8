/**
 * The server process of the soak. It says where it listens, and answers each
 * line that it reads with a line: its memory after a collection, its tables,
 * and what it has counted. It ends with its input.
 *
 * @module
 */

import { MCPWebSocketServer, type ServerSession } from "@bowline/mcp-websocket/server";
import { InOrder } from "../chaos/support/exactly_once.ts";
import { measureMemory } from "../chaos/support/memory.ts";
import { METHODS, NEWS, NOTE, RESOURCE, STEPS, type Told, TOPIC } from "./_messages.ts";
import type { Gauges, Report } from "./_server_process.ts";

const [window = "", newsEvery = ""] = Deno.args;

/** What is counted of one client; it goes with its session. */
class Account {
  readonly up = new InOrder();
  down = 0;
}

const accounts = new WeakMap<ServerSession, Account>();
let handled = 0;
let cancelled = 0;
let errors = 0;
let news = 0;

const server = new MCPWebSocketServer({
  name: "soak",
  version: "1.0.0",
  capabilities: { resources: { subscribe: true } },
  session: { window: Number(window) },
  onError: () => errors++,
});

/** Counts a request, and sends what goes with it. */
async function begin(session: ServerSession): Promise<void> {
  if (++handled % Number(newsEvery) === 0) publish();
  await session.notify(NOTE, { n: account(session).down++ });
}

function publish(): void {
  const params = { n: news++ };
  server.broadcast(NEWS, params);
  server.publish("soak", TOPIC, params);
  server.resourceUpdated(RESOURCE);
}

function account(session: ServerSession): Account {
  let account = accounts.get(session);
  if (account === undefined) accounts.set(session, account = new Account());
  return account;
}

server.onNotification(NOTE, ({ n }, { session }) => account(session).up.note(Number(n)));
server.handle(METHODS.join, (_params, { session }) => {
  server.subscribe(session, "soak");
  return { news };
});
server.handle(METHODS.echo, async ({ n, text }, { session }) => {
  await begin(session);
  return { n, text };
});
server.handle(METHODS.steps, async ({ n, text }, { session, progress }) => {
  await begin(session);
  for (let step = 1; step <= STEPS; step++) progress(step);
  return { n, text };
});
server.handle(METHODS.ask, async ({ n, text }, { session }) => {
  await begin(session);
  return await session.request(METHODS.echo, { n, text });
});
server.handle(METHODS.hold, async (_params, { session, progress, signal }) => {
  await begin(session);
  progress(1);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  cancelled++;
});
server.handle(METHODS.tell, (_params, { session }): Told => {
  const { up, down } = account(session);
  return { up: up.total, faults: up.faults, down, news };
});

function gauges(): Gauges {
  const text = server.metrics();
  return {
    connections: sum(text, "bowline_connections{"),
    detached: sum(text, 'bowline_sessions{state="detached"}'),
    running: sum(text, "bowline_requests_in_flight "),
    buffered: sum(text, "bowline_buffered_bytes{"),
  };
}

/** The sum of the metrics that begin like this. */
function sum(text: string, start: string): number {
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  return lines.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
}

async function report(): Promise<Report> {
  const memory = await measureMemory();
  return { memory, gauges: gauges(), counts: { handled, cancelled, errors, news } };
}

function say(line: string): void {
  // deno-lint-ignore no-console -- this is how it answers
  console.log(line);
}

say(`Listening on ${(await server.start({ port: 0 })).url}`);
for await (const _ of Deno.stdin.readable) say(JSON.stringify(await report()));
await server.stop();
