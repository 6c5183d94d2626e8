import { guard } from "../protocol/guard.ts";
import type { MetricFamily } from "./exposition.ts";
import { type MetricLabels, type MetricsSink, NO_LABELS } from "./metrics_sink.ts";

/** How a {@linkcode Counter} is told. */
export interface CounterOptions {
  /** Its name; it ends in `_total`. */
  readonly name: string;
  /** What it says, in one sentence. */
  readonly help: string;
  /** The label that tells its kinds apart; without one there is one kind. */
  readonly label?: string;
  /** The kinds; whatever else is counted, is counted as `other`. */
  readonly kinds?: readonly string[];
}

/** What kinds count as that are not known: strangers must not be able to make new ones. */
const OTHER = "other";

/** Counts what happens, by kind. Known kinds are told from the start, so that a first one is seen. */
export class Counter {
  readonly #options: CounterOptions;
  readonly #sink: MetricsSink | undefined;
  readonly #counts: Map<string, number>;

  /**
   * @param options Its kinds, and how it is told.
   * @param sink Told of each time, too.
   */
  constructor(options: CounterOptions, sink: MetricsSink | undefined) {
    const { kinds = [OTHER] } = options;
    this.#options = options;
    this.#sink = sink;
    this.#counts = new Map(kinds.map((kind) => [kind, 0]));
  }

  /** Counts one more. */
  add(kind: string = OTHER): void {
    const known = this.#counts.has(kind) ? kind : OTHER;
    this.#counts.set(known, (this.#counts.get(known) ?? 0) + 1);
    const sink = this.#sink;
    if (sink === undefined) return;
    guard(() => sink.add(this.#options.name, 1, this.#labels(known)), () => {});
  }

  /** What was counted so far. */
  family(): MetricFamily {
    const { name, help } = this.#options;
    const samples = Array.from(
      this.#counts,
      ([kind, value]) => ({ labels: this.#labels(kind), value }),
    );
    return { name, type: "counter", help, samples };
  }

  #labels(kind: string): MetricLabels {
    const { label } = this.#options;
    return label === undefined ? NO_LABELS : { [label]: kind };
  }
}
