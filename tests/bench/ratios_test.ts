import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { atLeast, atMost, below, belowFloorPlus } from "../../bench/goals.ts";
import { compare, type Figure, judge, type Row, survey } from "../../bench/ratios.ts";
import { readReport } from "../../bench/suites.ts";
import { formatTable } from "../../bench/table.ts";

const WARM_UPS = "floor ours floor ours ";

function figure(blocks: string[], goals: Figure["goals"] = []): Figure {
  const block = (name: string, value: number) => () => {
    blocks.push(name);
    return Promise.resolve(value);
  };
  return {
    name: "figure",
    unit: "ms",
    over: "bowline.v1",
    against: "bare socket",
    goals,
    pairs: 3,
    warmUps: 2,
    note: "known",
    ours: block("ours", 3),
    floor: block("floor", 2),
  };
}

Deno.test("compare() swaps the order of each pair, after blocks that are thrown away", async () => {
  const blocks: string[] = [];
  await compare(figure(blocks));
  assertEquals(
    blocks.join(" "),
    WARM_UPS + "floor ours ours floor floor ours",
  );
});

Deno.test("compare() gives medians, ratios and whether the goals are met", async () => {
  const goals = [below(4), atMost(1.6)];
  const rows = await compare(figure([], goals));
  assertEquals(rows, [{
    name: "figure",
    unit: "ms",
    over: "bowline.v1",
    against: "bare socket",
    ours: 3,
    floor: 2,
    ratio: { median: 1.5, p10: 1.5, p90: 1.5 },
    goals,
    isMet: true,
    note: undefined,
  }]);
});

Deno.test("survey() gives a row for each number of a block", async () => {
  const [ours, floor] = [() => Promise.resolve([3, 10]), () => Promise.resolve([2, 40])];
  const labels = [figure([]), { ...figure([], [atMost(0.3)]), name: "other" }];
  const rows = await survey({ labels, pairs: 2, warmUps: 0, ours, floor });
  assertEquals(rows.map(({ name, ratio, isMet }) => [name, ratio?.median, isMet]), [
    ["figure", 1.5, undefined],
    ["other", 0.25, true],
  ]);
});

Deno.test("survey() refuses a block that gives too few numbers", async () => {
  const block = () => Promise.resolve([1]);
  const labels = [figure([]), figure([])];
  const all = { labels, pairs: 1, warmUps: 0, ours: block, floor: block };
  await assertRejects(() => survey(all), RangeError, "it gave 1");
});

Deno.test("judge() wants every goal met, and gives the reason if one is not", () => {
  const { goals, ...told } = figure([], [below(3), belowFloorPlus(1)]);
  const ratio = { median: 1.5, p10: 1, p90: 2 };
  const measured = { ours: 2.5, floor: 2, ratio };
  assertEquals(judge({ ...told, goals }, measured).isMet, true);
  assertEquals(judge({ ...told, goals }, { ...measured, floor: 1 }).isMet, false);
  assertEquals(judge({ ...told, goals }, { ...measured, floor: 1 }).note, "known");
  assertEquals(judge({ ...told, goals: [atLeast(1.6)] }, measured).isMet, false);
  assertEquals(judge({ ...told, goals: [atLeast(1.5)] }, measured).isMet, true);
  assertEquals(judge({ ...told, goals: [] }, measured).isMet, undefined);
});

Deno.test("formatTable() lines up, and says what is missed and why", () => {
  const row: Row = {
    name: "round trip",
    unit: "ms",
    over: "mcp",
    against: "bare socket",
    ours: 44.2,
    floor: 44,
    ratio: { median: 1.004, p10: 1, p90: 1.01 },
    goals: [below(3)],
    isMet: false,
    note: "it stalls",
    spread: { runs: 3, ours: [40, 45], ratio: [0.031, 1.25] },
  };
  const { spread: _, ...once } = row;
  const rate: Row = { ...once, unit: "/s", ours: 12_345, ratio: undefined, isMet: true };
  const size: Row = { ...rate, unit: "B", over: "bowline.v1", ours: 106.25 };
  const rows = [row, { ...rate, note: undefined }, { ...size, note: undefined }];
  const lines = formatTable(rows).split("\n");
  assertMatch(
    lines[2] ?? "",
    /mcp .* 44\.200 ms \| bare socket .* 1\.00 \[1\.00–1\.01\] \| 0\.0310–1\.25 .*< 3 ms .* NO/,
  );
  assertMatch(lines[3] ?? "", /12,345 \/s .* yes/);
  assertMatch(lines[4] ?? "", /bowline\.v1 \| +106\.3 B .* yes/);
  assertEquals(new Set(lines.slice(0, 5).map(({ length }) => length)).size, 1);
  assertEquals(lines.at(-1), "round trip: it stalls.");
});

Deno.test("readReport() takes p75 in milliseconds and no ratio", () => {
  const names = ["bare open", "transport start()", "client connect()"];
  for (const size of ["100 B", "1 KiB", "10 KiB", "100 KiB"]) {
    names.push(`floor, ${size}`, `ours, ${size}`);
  }
  const benches = names.map((name) => ({ name, results: [{ ok: { p75: 2_000_000 } }] }));
  const rows = readReport({ benches });
  assertEquals(rows.length, 6);
  for (const { ours, floor, ratio, isMet } of rows) {
    assertEquals([ours, floor, ratio, isMet], [2, 2, undefined, true]);
  }
});
