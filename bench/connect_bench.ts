/**
 * How long it takes to open, in absolute terms: a bare socket, our transport,
 * a usable session. Closing is not counted. For ratios see `ratios.ts`: the
 * same bench run three times in a row differs by a quarter.
 *
 * @module
 */

import { type Open, openSession, openTransport } from "./contenders.ts";
import { FloorClient } from "./floor.ts";
import { ServerProcess } from "./server_process.ts";

const server = await ServerProcess.start();
const { ours, floor } = server.addresses;
// The server ends with this process: a bench has no hook to end it in.
server.unref();

Deno.bench("warm-up, discarded", async () => {
  await openAndClose(FloorClient.open, floor);
  await openAndClose(openTransport, ours);
  await openAndClose(openSession, ours);
});

register("bare open", FloorClient.open, floor);
register("transport start()", openTransport, ours);
register("client connect()", openSession, ours);

function register(name: string, open: Open, url: string): void {
  Deno.bench({
    name,
    group: "connect",
    baseline: open === FloorClient.open,
    async fn(bench) {
      bench.start();
      const connection = await open(url);
      bench.end();
      await connection[Symbol.asyncDispose]();
    },
  });
}

async function openAndClose(open: Open, url: string): Promise<void> {
  await using _ = await open(url);
}
