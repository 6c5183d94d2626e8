/**
 * Shows a stall of about 44 ms in Deno's `WebSocket` client:
 * `deno run --allow-net=127.0.0.1 docs/repro/nagle_stall.ts`. It needs nothing
 * but this file.
 *
 * The client leaves Nagle's algorithm on (`TCP_NODELAY` is 0), and writes the
 * header and the payload of a frame apart when the payload is larger than 1,024
 * bytes. The payload is then a small segment behind data that the peer has not
 * acknowledged: it waits for the peer's delayed acknowledgement, which is a
 * timer of 40 ms in Linux. On loopback everything below 64 KiB is a small
 * segment; on Ethernet what is below about 1,448 bytes.
 *
 * For the same reason a small message waits that comes after another one, as
 * long as the peer has answered neither: that is the second table.
 *
 * What would help: `TCP_NODELAY`, which the server's end sets; and writing the
 * header and the payload with one system call.
 *
 * Seen with Deno 2.9.6 on Linux 6.18, x86_64. Node 22 and 24, Bun and Chromium do not stall.
 *
 * @module
 */

const SIZES = [1_000, 1_024, 1_025, 10_000, 65_535, 70_000];
const SMALL_SIZES = [100, 1_000];
const REPETITIONS = 21;
/** A message that is not answered begins with this. */
const MUTE = "#";

function serveEcho(): Deno.HttpServer<Deno.NetAddr> {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  return Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => {
      if (!data.startsWith(MUTE)) socket.send(data);
    };
    return response;
  });
}

/** Resolves when the event comes. */
function once(socket: WebSocket, type: "open" | "message" | "close"): Promise<void> {
  return new Promise((resolve) => {
    socket.addEventListener(type, () => resolve(), { once: true });
  });
}

/** How long the echo of a message takes, in milliseconds. */
async function echo(socket: WebSocket, text: string): Promise<number> {
  const startedAt = performance.now();
  const answered = once(socket, "message");
  socket.send(text);
  await answered;
  return performance.now() - startedAt;
}

/** The same, 1 ms after another message that is not answered. */
async function echoBehind(socket: WebSocket, text: string): Promise<number> {
  socket.send(MUTE);
  await new Promise((resolve) => setTimeout(resolve, 1));
  return await echo(socket, text);
}

type Pattern = (socket: WebSocket, text: string) => Promise<number>;

async function print(socket: WebSocket, sizes: readonly number[], pattern: Pattern): Promise<void> {
  for (const bytes of sizes) {
    const times: number[] = [];
    for (let i = 0; i < REPETITIONS; i++) times.push(await pattern(socket, "x".repeat(bytes)));
    times.sort((one, other) => one - other);
    const median = times[Math.floor(REPETITIONS / 2)] ?? NaN;
    say(`${`${bytes}`.padStart(7)} bytes ${median.toFixed(2).padStart(7)} ms`);
  }
}

function say(text: string): void {
  // deno-lint-ignore no-console -- this is what it is for
  console.log(text);
}

await using server = serveEcho();
const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
await once(socket, "open");
say(`Deno ${Deno.version.deno}, ${Deno.build.os}, ${Deno.build.arch}`);
say(`Median of ${REPETITIONS} round trips, client and server in one process:`);
await print(socket, SIZES, echo);
say("1 ms after a message of one byte that is not answered:");
await print(socket, SMALL_SIZES, echoBehind);
socket.close();
await once(socket, "close");
