/** What tells the records of one metric apart: a few short words, never anything a stranger wrote. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Told of everything that is counted or timed, at the moment it happens, under
 * the names and in the units of the text at `/metrics`. Sums and levels need
 * no sink: they are read from `health()` and `metrics()`.
 *
 * What a sink throws or rejects with is dropped.
 *
 * @example Feed a meter; Deno's own OpenTelemetry has the same two methods
 * ```ts
 * import { createWebSocketHandler, type MetricsSink } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * const counts = new Map<string, number>();
 * const sink: MetricsSink = {
 *   add: (name, value) => counts.set(name, (counts.get(name) ?? 0) + value),
 *   record: () => {},
 * };
 * const handler = createWebSocketHandler((session) => session.start(), { metrics: sink });
 *
 * handler.fetch(new Request("http://127.0.0.1/nowhere"));
 * assertEquals(counts.get("bowline_upgrades_refused_total"), 1);
 * ```
 */
export interface MetricsSink {
  /**
   * Adds to a counter.
   *
   * @param name The counter; it ends in `_total`.
   * @param value What is added.
   * @param labels What kind it is.
   */
  add(name: string, value: number, labels: MetricLabels): unknown;
  /**
   * Notes one value of a distribution.
   *
   * @param name The distribution; it ends in its unit.
   * @param value The value.
   * @param labels What kind it is.
   */
  record(name: string, value: number, labels: MetricLabels): unknown;
}

/** Labels of what has only one kind. */
export const NO_LABELS: MetricLabels = {};
