/**
 * How long one request takes from the call to its answer, in absolute terms.
 * Names give the size of the whole text frame of the request, see `messages.ts`.
 * For ratios see `ratios.ts`.
 *
 * @module
 */

import { openFloor, openOurs } from "./contenders.ts";
import { echoParams } from "./messages.ts";
import { ServerProcess } from "./server_process.ts";

const SIZES = [["100 B", 100], ["1 KiB", 1_024], ["10 KiB", 10_240], ["100 KiB", 102_400]] as const;
const WARM_UPS = 2_000;

const server = await ServerProcess.start();
const floor = await openFloor(server.addresses.floor);
const ours = await openOurs(server.addresses.ours);
// The server ends with this process: a bench has no hook to end it in.
server.unref();

const small = echoParams(100);
Deno.bench({
  name: "warm-up, discarded",
  n: 1,
  warmup: 0,
  async fn() {
    for (let i = 0; i < WARM_UPS; i++) {
      await floor.request(small);
      await ours.request(small);
    }
  },
});

for (const [size, bytes] of SIZES) {
  const group = `round trip, ${size}`;
  const params = echoParams(bytes);
  Deno.bench({
    name: `floor, ${size}`,
    group,
    baseline: true,
    async fn() {
      await floor.request(params);
    },
  });
  Deno.bench({
    name: `ours, ${size}`,
    group,
    async fn() {
      await ours.request(params);
    },
  });
}
