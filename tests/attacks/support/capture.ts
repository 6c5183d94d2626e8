import type { Logger } from "../../../protocol/transport.ts";
import type { MetricLabels, MetricsSink } from "../../../server/mod.ts";

/** What is kept of the bytes that one raw peer gets, in UTF-16 units. */
const MAX_WIRE_UNITS = 64 * 1024;

/** Keeps whatever a server tells anybody: logs, errors with stacks, metrics, and the wire. */
export class Capture {
  /** Log lines, each with its level in front. */
  readonly log: string[] = [];
  /** Errors as `onError` got them. */
  readonly errors: Error[] = [];
  /** Metrics: names, labels and texts, each once. */
  readonly metrics: Set<string> = new Set();
  /** Whatever else a process has written. */
  readonly texts: string[] = [];
  /** What raw peers were sent, the beginning of each. */
  readonly wire: string[] = [];
  /** Give it to the server. */
  readonly logger: Logger;
  /** Give it to the server. */
  readonly sink: MetricsSink;

  constructor() {
    const at = (level: string) => (text: string) => void this.log.push(`${level} ${text}`);
    this.logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
    const note = (name: string, _value: number, labels: MetricLabels) =>
      void this.metrics.add(`${name} ${JSON.stringify(labels)}`);
    this.sink = { add: note, record: note };
  }

  /** Give it to the server as `onError`. */
  readonly onError = (error: Error): void => void this.errors.push(error);

  /** A recorder of what one raw peer is sent. */
  recordWire(): (text: string) => void {
    const at = this.wire.push("") - 1;
    return (text) => {
      const known = this.wire[at] ?? "";
      this.wire[at] = known + text.slice(0, MAX_WIRE_UNITS - known.length);
    };
  }

  /** Everything, each with where it was found. */
  *entries(): Generator<[where: string, text: string]> {
    for (const line of this.log) yield ["log", line];
    for (const error of this.errors) yield ["error", describe(error)];
    for (const text of this.metrics) yield ["metrics", text];
    for (const text of this.texts) yield ["output", text];
    for (const text of this.wire) yield ["wire", text];
  }
}

/** All that an error tells: message, stack, own fields and causes. */
export function describe(thrown: unknown, depth = 0): string {
  if (!(thrown instanceof Error)) return Deno.inspect(thrown, { depth: 8 });
  const fields = Object.entries(thrown).map(([name, value]) =>
    `${name}: ${Deno.inspect(value, { depth: 8 })}`
  );
  const cause = thrown.cause === undefined || depth > 8 ? "" : describe(thrown.cause, depth + 1);
  return [thrown.name, thrown.message, thrown.stack ?? "", ...fields, cause].join("\n");
}
