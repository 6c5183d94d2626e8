/** What one side of the demo has come to, so far. */
export interface Tally {
  /** What is spoken over the link. */
  readonly name: string;
  /** Whether the client has a connection. */
  readonly isConnected: boolean;
  /** Calls that were made. */
  readonly made: number;
  /** Calls whose result came. */
  readonly answered: number;
  /** Calls that failed, although the server is well. */
  readonly failed: number;
  /** Calls that failed and were carried out: nobody but the server knows. */
  readonly unknown: number;
  /** Calls that were carried out more than once. */
  readonly repeated: number;
  /** Events that the server has sent. */
  readonly sent: number;
  /** Events that came, each once and in order. */
  readonly heard: number;
  /** Events that never came, although later ones did. */
  readonly missed: number;
  /** Connections that were lost. */
  readonly drops: number;
  /** Sessions that went on over a new connection. */
  readonly resumed: number;
  /** Messages that the client sent again for that. */
  readonly replayed: number;
  /** The latest calls, each from the call to its result, in milliseconds. */
  readonly latencies: readonly number[];
  /** What happened in each moment of the recent past, the last one last. */
  readonly moments: readonly Moment[];
}

/** What happened in a moment. */
export interface Moment {
  /** Calls that were answered. */
  answered: number;
  /** Calls that failed. */
  failed: number;
}

/** Whether nothing was lost, done twice or left open. */
export function isWhole({ made, answered, failed, repeated, sent, heard }: Tally): boolean {
  return answered === made && failed === 0 && repeated === 0 && heard === sent;
}

/** The value that half of the values are below. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** So many of something, in words. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
