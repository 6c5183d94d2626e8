import { compare, type Figure, type Label, type Row, type Survey, survey } from "./ratios.ts";
import { Stage } from "./stage.ts";

/** How much is measured: all of it, or next to nothing to see that it works. */
export interface Scale {
  /** Pairs of blocks. */
  readonly pairs: number;
  /** Calls of a block and connections are multiplied by this; at least one is made. */
  readonly calls: number;
}

/** As much as makes the ratios steady. */
export const FULL: Scale = { pairs: 30, calls: 1 };

/** Something that is measured at one go. */
export interface Job {
  /** What comes out of it, as `--only` picks it and the progress names it. */
  readonly names: readonly string[];
  /** Whether there is a ratio, which can be taken several times and has pairs. */
  readonly hasRatio: boolean;
  /** Whether a goal is about the ratio. */
  readonly hasBound: boolean;
  /** Measures it. */
  readonly run: () => Promise<Row[]>;
}

/** Jobs that share what they need; nothing is opened before the first of them runs. */
export type Group = (stage: Stage, scale: Scale) => readonly Job[];

/** Measures one figure. */
export function figureJob(figure: Figure): Job {
  return ratioJob([figure], () => compare(figure));
}

/** Measures what is measured in the same blocks. */
export function surveyJob(whole: Survey): Job {
  return ratioJob(whole.labels, () => survey(whole));
}

/** A count of calls or connections at a scale. */
export function scaled(count: number, { calls }: Scale): number {
  return Math.max(1, Math.round(count * calls));
}

/**
 * Runs jobs, group by group: what one group has open is closed before the next begins.
 *
 * @param groups The groups, in the order of the table.
 * @param scale How much is measured.
 * @param isWanted Picks the jobs.
 * @param tell Told the names of each job before it is run.
 * @returns What came out, in order.
 */
export async function runGroups(
  groups: readonly Group[],
  scale: Scale,
  isWanted: (job: Job) => boolean = () => true,
  tell: (name: string) => void = () => {},
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const group of groups) {
    await using stage = new Stage();
    for (const job of group(stage, scale).filter(isWanted)) {
      tell(job.names.join("; "));
      rows.push(...await job.run());
    }
  }
  return rows;
}

function ratioJob(labels: readonly Label[], run: Job["run"]): Job {
  return {
    names: labels.map(({ name, against }) => `${name} · ${against}`),
    hasRatio: true,
    hasBound: labels.some(({ goals }) => goals.some(({ bound }) => bound !== undefined)),
    run,
  };
}
