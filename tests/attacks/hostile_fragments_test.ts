import { assertEquals } from "@std/assert";
import { OPCODES } from "../support/raw_socket.ts";
import { RunningCommand } from "../support/running_command.ts";
import { playLegacy, ScriptedServer, type Visit } from "../support/scripted_server.ts";
import { until } from "../support/until.ts";

const CLIENT = "tests/attacks/support/patient_client.ts";
const MIB = 2 ** 20;
/** A fragment that is not the last one, and its size. */
const FRAGMENT_BYTES = 64 * 1024;
const FRAGMENT = new Uint8Array([0, 127, 0, 0, 0, 0, 0, 1, 0, 0, ...spaces(FRAGMENT_BYTES)]);

function spaces(count: number): number[] {
  return Array<number>(count).fill(0x20);
}

/** The memory of a process that is not on disk, in bytes. */
function residentBytes(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ");
  return Number(fields[1]) * 4_096;
}

async function sendFragments(visit: Visit, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += FRAGMENT_BYTES) await visit.write(FRAGMENT);
}

/** A client in a process of its own, and the server's end of its connection. */
async function connect(
  server: ScriptedServer,
  watches: "watching" | "blind",
): Promise<RunningCommand> {
  const client = new RunningCommand(CLIENT, [server.url, watches]);
  await client.wrote(client.stdout, /^connected$/);
  return client;
}

/** A server that hands each connection out when MCP was opened on it. */
function serve(): { server: ScriptedServer; visit: Promise<Visit> } {
  const { promise, resolve } = Promise.withResolvers<Visit>();
  const server = new ScriptedServer((visit) =>
    playLegacy(visit, async ({ method }) => {
      if (method !== "notifications/initialized") return false;
      resolve(visit);
      await visit.silence();
      return true;
    })
  );
  return { server, visit: promise };
}

const isLinux = Deno.build.os === "linux";

// The runtime shows no byte of a message before its end, and can hang up on nobody. This is
// what a client of an untrusted server has to reckon with; it fails when Deno does better.
Deno.test({
  name: "A message in endless fragments takes memory, even after the heartbeat has given it up",
  ignore: !isLinux,
  fn: async () => {
    const { server, visit } = serve();
    await using _server = server;
    await using client = await connect(server, "watching");
    const before = residentBytes(client.pid);
    const connection = await visit;
    await connection.write(new Uint8Array([OPCODES.TEXT, 1, 0x7b]));
    await sendFragments(connection, 48 * MIB);
    await client.wrote(client.stdout, /^lost heartbeat$/);
    await sendFragments(connection, 48 * MIB);
    await until(() => residentBytes(client.pid) - before > 72 * MIB);
    assertEquals(client.stderr, []);
  },
});

Deno.test({
  name: "A message in endless fragments is let go when the server cuts the connection",
  ignore: !isLinux,
  fn: async () => {
    const { server, visit } = serve();
    await using _server = server;
    await using client = await connect(server, "blind");
    const connection = await visit;
    await connection.write(new Uint8Array([OPCODES.TEXT, 1, 0x7b]));
    await sendFragments(connection, 16 * MIB);
    connection.cut();
    await client.wrote(client.stdout, /^lost reset$/);
    assertEquals([await client.exit(), client.stderr], [0, []]);
  },
});
