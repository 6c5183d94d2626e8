import { below, belowFloorPlus, type Goal, type Measured } from "./goals.ts";
import type { Job } from "./jobs.ts";
import { judge, type Row } from "./ratios.ts";

/** What `deno bench --json` prints, as far as it is read here. */
interface BenchReport {
  readonly benches: readonly {
    readonly name: string;
    readonly results: readonly { readonly ok?: { readonly p75: number } }[];
  }[];
}

const SUITES = ["connect_bench.ts", "round_trip_bench.ts"];
const SIZES = ["100 B", "1 KiB", "10 KiB", "100 KiB"];

/**
 * The `deno bench` suites. They give no median; goals are held against p75,
 * which is not below it, and no ratio is taken from them.
 *
 * @returns One job, which throws if a suite fails.
 */
export function suites(): Job[] {
  return [{ names: ["deno bench"], hasRatio: false, hasBound: false, run: runSuites }];
}

async function runSuites(): Promise<Row[]> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "-A", "--json", ...SUITES.map((name) => new URL(name, import.meta.url).href)],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot run suites: "deno bench" ended with ${code}`);
  return readReport(JSON.parse(new TextDecoder().decode(stdout)));
}

/**
 * The rows in a report.
 *
 * @param report What `deno bench --json` printed.
 * @returns A row for each figure: times in milliseconds, three quarters of the calls took less.
 * @throws {Error} If a bench is missing or has failed.
 */
export function readReport({ benches }: BenchReport): Row[] {
  return [
    row("transport start()", "bare open", [below(100)]),
    row("client connect()", "bare open", [below(100), belowFloorPlus(10)]),
    ...SIZES.map((size) => row(`ours, ${size}`, `floor, ${size}`, [below(3)])),
  ];

  function row(ours: string, floor: string, goals: readonly Goal[]): Row {
    const measured: Measured = { ours: time(ours), floor: time(floor), ratio: undefined };
    const name = `deno bench p75: ${ours.replace("ours", "round trip")}`;
    const sides = { over: "bowline.v1", against: "bare socket" } as const;
    return judge({ name, unit: "ms", ...sides, goals }, measured);
  }

  function time(name: string): number {
    const nanoseconds = benches.find((bench) => bench.name === name)?.results[0]?.ok?.p75;
    if (nanoseconds === undefined) throw new Error(`Cannot read report: "${name}" has failed`);
    return nanoseconds / 1e6;
  }
}
