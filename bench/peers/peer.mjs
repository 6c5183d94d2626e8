// One end of another stack, in Node: `node peer.mjs server NAME` tells its
// address, `node peer.mjs client NAME URL` measures what it is asked to. Both
// end with their input.

import { createInterface } from "node:readline";
import process from "node:process";

const [role, name, url] = process.argv.slice(2);
const { connect, serve } = await import(`./${name}.mjs`);

async function measureLatency(call, calls) {
  const times = [];
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)];
}

async function measureThroughput(call, calls, inFlight) {
  let left = calls;
  const work = async () => {
    while (left-- > 0) await call();
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  return calls / (performance.now() - startedAt) * 1_000;
}

function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

const request = role === "client" ? await connect(url) : undefined;
if (request !== undefined) {
  const params = { data: "hello" };
  const answer = await request(params);
  if (answer?.data !== params.data) throw new Error(`Not an echo: ${JSON.stringify(answer)}`);
}
say(role === "client" ? "ready" : await serve());
for await (const line of createInterface({ input: process.stdin })) {
  const { calls, inFlight, params } = JSON.parse(line);
  const call = () => request(params);
  say(
    inFlight === 1
      ? await measureLatency(call, calls)
      : await measureThroughput(call, calls, inFlight),
  );
}
process.exit();
