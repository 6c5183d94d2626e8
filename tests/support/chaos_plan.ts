import { randomInteger } from "./random.ts";

/** The way bytes go: up from client to server, or down from server to client. */
export type Direction = "up" | "down";

/** Something for one direction or both. */
export type PerDirection = Readonly<Partial<Record<Direction, number>>>;

/** What happens to one connection; `{}` is a good one. */
export interface Plan {
  /** Whether it is closed as soon as it was accepted, without a word to the target. */
  readonly refuse?: boolean;
  /** How long the target is not dialed and nothing is forwarded. In milliseconds. */
  readonly delay?: number;
  /**
   * Whether the target is not dialed and nothing is forwarded until the link is
   * told to `release()`. If the client has left by then, the target gets what it
   * sent nevertheless, as from any dial that completes too late.
   */
  readonly hold?: boolean;
  /**
   * Bytes of the TCP connection that are forwarded before it is cut, whichever
   * direction gets there first. With 0 it is cut once the target was dialed.
   */
  readonly cut?: PerDirection;
  /** Bytes forwarded a second. */
  readonly throttle?: PerDirection;
  /**
   * How long bytes are under way, at least; what comes in meanwhile goes on
   * together afterwards. In milliseconds.
   */
  readonly latency?: number;
}

/**
 * Makes the plan of a connection.
 *
 * @param index How many connections were given a plan before.
 */
export type Planner = (index: number) => Plan;

/** Options of {@linkcode randomCuts}. */
export interface RandomCutsOptions {
  /**
   * Fewest bytes before a cut.
   *
   * @default {0}
   */
  readonly minBytes?: number;
  /**
   * Most bytes before a cut.
   *
   * @default {20_000}
   */
  readonly maxBytes?: number;
  /**
   * Share of cuts that count the bytes from client to server.
   *
   * @default {0.5}
   */
  readonly upShare?: number;
  /**
   * Share of cuts within the first {@linkcode EARLY_BYTES}.
   *
   * @default {0.3}
   */
  readonly earlyShare?: number;
  /**
   * Connections to cut; those that come later are left alone.
   *
   * @default {Infinity}
   */
  readonly maxCuts?: number;
}

/** Where the upgrade, the hello and the welcome are over, more or less. */
export const EARLY_BYTES = 600;

/**
 * Cuts each connection somewhere: many early, in the upgrade or what follows it
 * at once, the others anywhere later.
 *
 * @throws {RangeError} If minBytes is not between 0 and maxBytes.
 */
export function randomCuts(random: () => number, options: RandomCutsOptions = {}): Planner {
  const {
    minBytes = 0,
    maxBytes = 20_000,
    upShare = 0.5,
    earlyShare = 0.3,
    maxCuts = Infinity,
  } = options;
  if (!(minBytes >= 0 && minBytes <= maxBytes)) {
    throw new RangeError(`Cannot cut between ${minBytes} and ${maxBytes} bytes`);
  }
  // The last early offset: both ranges stay within what was asked for.
  const border = Math.min(Math.max(EARLY_BYTES, minBytes), maxBytes);

  return (index) => {
    if (index >= maxCuts) return {};
    const direction: Direction = random() < upShare ? "up" : "down";
    const [from, to] = random() < earlyShare ? [minBytes, border] : [border, maxBytes];
    return { cut: { [direction]: from + randomInteger(random, to - from + 1) } };
  };
}

/** @throws {RangeError} If the plan cannot be carried out. */
export function checkPlan(plan: Plan): void {
  for (const after of Object.values(plan.cut ?? {})) {
    if (!Number.isInteger(after) || after < 0) {
      throw new RangeError(`Cannot cut after ${after} bytes`);
    }
  }
  for (const rate of Object.values(plan.throttle ?? {})) {
    if (!(rate > 0)) throw new RangeError(`Cannot throttle to ${rate} bytes a second`);
  }
}
