import type { Contender, Open } from "./contenders.ts";
import { echoParams, noteParams } from "./messages.ts";
import { median } from "./statistics.ts";

/**
 * A call that is repeated, one at a time.
 *
 * @param call What is measured.
 * @param calls How often.
 * @returns The median time of a call, in milliseconds.
 */
export async function measureLatency(call: () => Promise<unknown>, calls: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

/**
 * A call that is repeated, many at a time: each that ends is replaced at once.
 *
 * @param call What is measured.
 * @param calls How often.
 * @param inFlight How many run at any time.
 * @returns Calls per second.
 */
export async function measureThroughput(
  call: () => Promise<unknown>,
  calls: number,
  inFlight: number,
): Promise<number> {
  let left = calls;
  const work = async () => {
    while (left-- > 0) await call();
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  return perSecond(calls, startedAt);
}

/**
 * Notifications, one way. The clock stops when a request sent after the last
 * of them is answered: then the server has read them all.
 *
 * @param contender Who sends.
 * @param calls How many.
 * @param bytes The size of a frame.
 * @returns Notifications per second.
 */
export async function measureNotifications(
  contender: Contender,
  calls: number,
  bytes: number,
): Promise<number> {
  const note = noteParams(bytes);
  const barrier = echoParams(bytes);
  const startedAt = performance.now();
  for (let i = 0; i < calls; i++) {
    const waiting = contender.notify(note);
    if (waiting !== undefined) await waiting;
  }
  await contender.request(barrier);
  return perSecond(calls, startedAt);
}

/**
 * Opening, one at a time; closing is not counted.
 *
 * @param open What is measured.
 * @param url Where to.
 * @param calls How often.
 * @returns The median time until it is usable, in milliseconds.
 */
export async function measureOpening(open: Open, url: string, calls: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now();
    const connection = await open(url);
    times.push(performance.now() - startedAt);
    await connection[Symbol.asyncDispose]();
  }
  return median(times);
}

function perSecond(calls: number, startedAt: number): number {
  return calls / (performance.now() - startedAt) * 1_000;
}
