import type { PingSink } from "../protocol/liveness.ts";

/** How good a connection is, as far as its pings tell. */
export interface VitalSigns {
  /** Pings sent. */
  readonly pings: number;
  /**
   * Round trip of a ping, in milliseconds, smoothed: an eighth of it is the
   * last one (RFC 6298). `undefined` before the first answer.
   */
  readonly latency: number | undefined;
  /** Round trip of the last ping, in milliseconds; `undefined` before the first answer. */
  readonly lastLatency: number | undefined;
  /**
   * By how much the round trip differs from ping to ping, in milliseconds,
   * smoothed: a sixteenth of it is the last difference (RFC 3550, 6.4.1).
   * `undefined` before the second answer.
   */
  readonly jitter: number | undefined;
  /** Share of the last 20 pings that were not answered, 0 to 1; `undefined` before the first. */
  readonly loss: number | undefined;
  /** All of it in one number, 0 to 1, see {@linkcode qualityOf}; `undefined` before the first ping. */
  readonly quality: number | undefined;
}

/** Pings whose loss is remembered: at the default interval, the silence of eight minutes. */
const LOSS_WINDOW = 20;
/** The weight of the newest round trip (RFC 6298, 2.3). */
const LATENCY_GAIN = 1 / 8;
/** The weight of the newest difference (RFC 3550, 6.4.1). */
const JITTER_GAIN = 1 / 16;
/** The delay that halves the quality, in milliseconds. */
const HALF_DELAY = 1_000;

/** What pings tell about a connection, and about those before it. */
export class Vitals implements PingSink {
  /** Whether each of the last pings was answered. */
  readonly #outcomes: boolean[] = [];
  #pings = 0;
  #misses = 0;
  #latency: number | undefined;
  #lastLatency: number | undefined;
  #jitter: number | undefined;

  /** Pings in a row that were not answered on this connection. */
  get misses(): number {
    return this.#misses;
  }

  /** The numbers as they are now. */
  get signs(): VitalSigns {
    const latency = this.#latency;
    const jitter = this.#jitter;
    const answered = this.#outcomes.filter(Boolean).length;
    const count = this.#outcomes.length;
    const loss = count === 0 ? undefined : (count - answered) / count;
    return {
      pings: this.#pings,
      latency,
      lastLatency: this.#lastLatency,
      jitter,
      loss,
      quality: loss === undefined ? undefined : qualityOf(loss, latency, jitter),
    };
  }

  /** Notes that there is a new connection: it has missed nothing yet. */
  opened(): void {
    this.#misses = 0;
  }

  /** Notes a ping. */
  pinged(): void {
    this.#pings++;
  }

  /** Notes an answer, with the round trip in milliseconds. */
  ponged(ms: number): void {
    this.#settle(true);
    this.#misses = 0;
    const last = this.#lastLatency;
    this.#lastLatency = ms;
    this.#latency = smooth(this.#latency, ms, LATENCY_GAIN);
    if (last !== undefined) this.#jitter = smooth(this.#jitter, Math.abs(ms - last), JITTER_GAIN);
  }

  /** Notes that an answer did not come. */
  missed(): void {
    this.#settle(false);
    this.#misses++;
  }

  #settle(isAnswered: boolean): void {
    this.#outcomes.push(isAnswered);
    if (this.#outcomes.length > LOSS_WINDOW) this.#outcomes.shift();
  }
}

/**
 * How good a connection is: `(1 - loss)² / (1 + delay / 1000)`, where the delay
 * is the latency and twice the jitter. 1 is a connection that loses nothing and
 * answers at once, 0.5 one that takes a second, 0 one that does not answer.
 *
 * @param loss The share of pings that were not answered.
 * @param latency The round trip, in milliseconds; `undefined` if nothing was ever answered.
 * @param jitter How much it varies, in milliseconds; `undefined` counts as 0.
 * @returns A number from 0 to 1.
 */
export function qualityOf(
  loss: number,
  latency: number | undefined,
  jitter: number | undefined,
): number {
  const delay = (latency ?? 0) + 2 * (jitter ?? 0);
  return (1 - loss) ** 2 / (1 + delay / HALF_DELAY);
}

function smooth(average: number | undefined, value: number, gain: number): number {
  return average === undefined ? value : average + (value - average) * gain;
}
