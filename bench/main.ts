/**
 * All benchmarks. `deno task bench` prints one table and writes it to
 * `docs/benchmark.json` and `docs/benchmark.svg`; it takes less than ten
 * minutes. `deno task bench:check` takes the ratios that have a goal, and
 * fails if one is behind it by more than its noise.
 *
 * `--only TEXT` picks figures by name, `--pairs N` makes them quicker or
 * steadier, `--runs N` takes the ratios several times, `--out DIR` says where
 * to write. What is not complete is written only where that is said.
 *
 * @module
 */

import { type BenchOptions, parseBenchOptions } from "./bench_options.ts";
import { findBehind } from "./check.ts";
import { listGroups } from "./groups.ts";
import { FULL, type Group, type Job, runGroups } from "./jobs.ts";
import { describeMachine, formatMachine } from "./machine.ts";
import { preparePeers } from "./peers.ts";
import type { Row } from "./ratios.ts";
import { writeReport } from "./report.ts";
import { mergeRuns } from "./runs.ts";
import { formatTable } from "./table.ts";

const METHOD =
  `Client and server are two processes on loopback; a bare socket is Deno's, which parses and
stringifies once per message, and waits 44 ms for a delayed ACK (Nagle) from 1,025 to 65,535
bytes. Blocks alternate; the ratio is the median of the pairs. CPU is processor time.`;

async function measure(groups: readonly Group[], options: BenchOptions): Promise<Row[]> {
  const scale = { ...FULL, pairs: options.pairs ?? FULL.pairs };
  const isWanted = ({ names }: Job) =>
    options.only.length === 0 ||
    options.only.some((text) => names.some((name) => name.includes(text)));
  const run = (isOurs: (job: Job) => boolean) =>
    runGroups(groups, scale, (job) => isWanted(job) && isOurs(job), say);
  if (options.isCheck) return await run(({ hasBound }) => hasBound);
  const runs: Row[][] = [];
  while (runs.length < options.runs) runs.push(await run(({ hasRatio }) => hasRatio));
  return [...mergeRuns(runs), ...await run(({ hasRatio }) => !hasRatio)];
}

async function main(options: BenchOptions): Promise<void> {
  const peers = options.isCheck ? { why: "none of them has a goal" } : await preparePeers();
  const node = "node" in peers ? peers : undefined;
  const rows = await measure(listGroups(node?.node), options);
  const machine = describeMachine(node?.version);
  print(`\n${formatMachine(machine)}\n${METHOD}`);
  if ("why" in peers) print(`Other stacks are left out: ${peers.why}.`);
  print(`\n${formatTable(rows)}`);
  if (options.isCheck) return conclude(findBehind(rows));
  const isComplete = options.only.length === 0 && options.pairs === undefined;
  const out = options.out ?? (isComplete ? "docs" : undefined);
  if (out !== undefined) await writeReport(out, machine, rows);
}

function conclude(behind: readonly string[]): void {
  print(`\n${behind.length === 0 ? "No ratio is behind its goal." : "Behind their goals:"}`);
  for (const sentence of behind) print(`- ${sentence}`);
  if (behind.length > 0) Deno.exitCode = 1;
}

function say(name: string): void {
  // deno-lint-ignore no-console
  console.error(`measuring ${name} …`);
}

function print(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}

if (import.meta.main) await main(parseBenchOptions(Deno.args));
