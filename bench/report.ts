import { drawChart } from "./chart.ts";
import type { Machine } from "./machine.ts";
import type { Row } from "./ratios.ts";

/**
 * Writes `benchmark.json`, all numbers, and `benchmark.svg`, the ratios.
 *
 * @param folder Where to.
 * @param machine What it was measured on.
 * @param rows What was measured.
 */
export async function writeReport(
  folder: string,
  machine: Machine,
  rows: readonly Row[],
): Promise<void> {
  const title = `Bowline on Deno ${machine.deno}, ${machine.cores} cores, loopback`;
  const json = JSON.stringify({ machine, rows }, undefined, 2);
  await Deno.writeTextFile(`${folder}/benchmark.json`, `${json}\n`);
  await Deno.writeTextFile(`${folder}/benchmark.svg`, drawChart(title, rows));
}
