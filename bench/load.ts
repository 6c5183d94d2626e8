import { delay } from "@std/async/delay";
import type { Contender } from "./contenders.ts";
import { echoParams } from "./messages.ts";
import { percentile } from "./statistics.ts";

/** Requests of one client, each second. */
export const RATE = 10;

/** How long requests took, in milliseconds, and how many there were. */
export interface Latencies {
  /** Half took no longer. */
  readonly p50: number;
  /** 95 in 100 took no longer. */
  readonly p95: number;
  /** 99 in 100 took no longer. */
  readonly p99: number;
  /** 999 in 1,000 took no longer. */
  readonly p999: number;
  /** Requests. */
  readonly count: number;
}

/**
 * A steady load: every client sends ten requests a second, evenly spread over
 * all of them, whether earlier ones were answered or not.
 *
 * @param clients Who sends.
 * @param seconds How long.
 * @returns How long requests took, each from the moment it was sent.
 */
export async function measureLoad(
  clients: readonly Contender[],
  seconds: number,
): Promise<Latencies> {
  const params = echoParams(100);
  const times: number[] = [];
  const running: Promise<void>[] = [];
  const perMs = clients.length * RATE / 1_000;
  const total = Math.max(1, Math.round(perMs * seconds * 1_000));
  const ask = async (client: Contender) => {
    const startedAt = performance.now();
    await client.request(params);
    times.push(performance.now() - startedAt);
  };
  const startedAt = performance.now();
  while (running.length < total) {
    const due = Math.min(total, Math.ceil((performance.now() - startedAt) * perMs));
    while (running.length < due) {
      const client = clients[running.length % clients.length];
      if (client !== undefined) running.push(ask(client));
    }
    await delay(1);
  }
  await Promise.all(running);
  return {
    p50: percentile(times, 0.5),
    p95: percentile(times, 0.95),
    p99: percentile(times, 0.99),
    p999: percentile(times, 0.999),
    count: total,
  };
}
