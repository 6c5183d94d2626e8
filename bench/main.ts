/**
 * All benchmarks: `deno task bench`. Prints one table; `--json FILE` writes
 * the numbers to a file as well. Takes about two minutes and a half.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { openFloor, openOurs, openPlain } from "./contenders.ts";
import { figures, FULL, type Scale } from "./figures.ts";
import { compare, type Figure, type Row } from "./ratios.ts";
import { openSdkClients, sdkFigures } from "./sdk_figures.ts";
import { ServerProcess } from "./server_process.ts";
import { openWireFigures, sessionFigures } from "./session_figures.ts";
import { runSuites } from "./suites.ts";
import { formatTable } from "./table.ts";

/**
 * Runs every comparison in a fresh server process.
 *
 * @param scale How much is measured.
 * @param tell Told the name of each figure before it is measured.
 * @returns A row for each figure.
 */
export async function runRatios(scale: Scale, tell: (name: string) => void): Promise<Row[]> {
  await using server = await ServerProcess.start();
  const { addresses } = server;
  await using floor = await openFloor(addresses.floor);
  await using ours = await openOurs(addresses.ours);
  await using plain = await openPlain(addresses.ours);
  await using wire = await openWireFigures(addresses, scale);
  await using clients = await openSdkClients(addresses);
  const all: Figure[] = [
    ...figures({ ours, plain, floor }, addresses, scale),
    ...sessionFigures({ ours, plain, floor }, addresses, scale),
    ...wire.figures,
    ...sdkFigures(clients, scale),
  ];
  const rows: Row[] = [];
  for (const figure of all) {
    tell(figure.name);
    rows.push(await compare(figure));
  }
  return rows;
}

if (import.meta.main) {
  const { values: { json } } = parseArgs({
    args: Deno.args,
    options: { json: { type: "string" } },
  });
  say("deno bench");
  const { cpu, rows: absolute } = await runSuites();
  const rows = [...await runRatios(FULL, say), ...absolute];
  const machine = {
    cpu,
    cores: navigator.hardwareConcurrency,
    os: `${Deno.build.os} ${Deno.osRelease()}`,
    load: Deno.loadavg()[0],
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
  const { cores, os, load, deno, v8 } = machine;
  print(`\n${cpu}, ${cores} cores, ${os}, load ${load?.toFixed(1)}; Deno ${deno}, V8 ${v8}`);
  print(
    "Client and server are two processes on loopback; a bare socket is Deno's, which parses and " +
      "stringifies\nonce per message, and waits 44 ms for a delayed ACK (Nagle) from 1,025 to " +
      "65,535 bytes. Blocks alternate;\nthe ratio is the median of the pairs.\n",
  );
  print(formatTable(rows));
  if (json !== undefined) {
    await Deno.writeTextFile(json, JSON.stringify({ machine, rows }, undefined, 2) + "\n");
  }
}

function say(name: string): void {
  // deno-lint-ignore no-console
  console.error(`measuring ${name} …`);
}

function print(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}
