import { assert, assertEquals, assertExists } from "@std/assert";
import { listGroups } from "../../bench/groups.ts";
import { type Job, runGroups } from "../../bench/jobs.ts";
import { peerFigures } from "../../bench/peer_figures.ts";
import { preparePeers } from "../../bench/peers.ts";
import type { Row } from "../../bench/ratios.ts";

/** Next to nothing, to see that it works. */
const TINY = { pairs: 1, calls: 0.01 };

function assertMeasured(rows: readonly Row[]): void {
  for (const { name, unit, ours, floor, ratio } of rows) {
    assertExists(floor, name);
    assert(Number.isFinite(ours) && Number.isFinite(floor), name);
    // Processor time is counted in steps: of so little it may be none.
    if (ratio === undefined || unit === "µs") continue;
    assert(ours > 0 && floor > 0, name);
    assertEquals(ratio.median, ratio.p10, `${name}: there is one pair only`);
  }
}

Deno.test("runGroups() measures every figure against real server processes", async () => {
  const told: string[] = [];
  const groups = listGroups(undefined);
  const isWanted = ({ names }: Job) => !names.includes("deno bench");
  const rows = await runGroups(groups, TINY, isWanted, (name) => void told.push(name));
  assertMeasured(rows);
  for (const name of told.flatMap((names) => names.split("; "))) {
    const isOf = (row: Row) => `${row.name} · ${row.against}`.startsWith(name);
    assert(rows.some(isOf), name);
  }
  for (const wanted of ["SDK v1", "SDK v2", "broadcast to 50", "10 clients ×", "idle, 100 "]) {
    assert(rows.some(({ name }) => name.startsWith(wanted)), wanted);
  }
});

const isInstalled = (() => {
  try {
    return Deno.statSync(new URL("../../bench/peers/node_modules", import.meta.url)).isDirectory;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "peerFigures() measures other stacks, where their packages are installed",
  ignore: !isInstalled,
  async fn() {
    const peers = await preparePeers();
    if (!("node" in peers)) throw new Error(`Cannot measure peers: ${peers.why}`);
    const rows = await runGroups([peerFigures(peers.node)], TINY);
    assertMeasured(rows);
    assertEquals(new Set(rows.map(({ against }) => against)).size, 3);
  },
});
