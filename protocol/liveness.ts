import { type Clock, stopwatch, type Timer } from "./clock.ts";
import {
  type HeartbeatPolicy,
  type HeartbeatState,
  nextHeartbeat,
  recordLife,
  startHeartbeat,
} from "./heartbeat.ts";

/** Told what becomes of pings; each has at most one outcome. */
export interface PingSink {
  /** A ping was sent. */
  pinged(): void;
  /** It was answered, after so many milliseconds. */
  ponged(ms: number): void;
  /** It was not answered in time. */
  missed(): void;
}

/** Who has a connection that is watched. */
export interface LivenessEvents {
  /** Sends a ping; `false` if this peer cannot be asked. */
  ping(): boolean;
  /** The peer is given up. Called once. */
  dead(): void;
}

const NOBODY: PingSink = { pinged() {}, ponged() {}, missed() {} };

/** Watches one connection for signs of life. */
export class Liveness {
  readonly #policy: HeartbeatPolicy;
  readonly #clock: Clock;
  readonly #events: LivenessEvents;
  readonly #pings: PingSink;
  readonly #stopwatch: () => number;
  readonly #state: HeartbeatState;
  #timer: Timer | undefined;
  #isStopped = false;
  /** When the last ping went out, as long as its answer is of interest. */
  #askedAt: number | undefined;

  /**
   * @param policy The intervals.
   * @param clock Where time comes from.
   * @param events Who pings, and is told.
   * @param pings Told what becomes of pings.
   */
  constructor(
    policy: HeartbeatPolicy,
    clock: Clock,
    events: LivenessEvents,
    pings: PingSink = NOBODY,
  ) {
    this.#policy = policy;
    this.#clock = clock;
    this.#events = events;
    this.#pings = pings;
    this.#stopwatch = stopwatch(clock);
    this.#state = startHeartbeat(clock.now());
    this.#look();
  }

  /** Notes that a frame came in. */
  seen(): void {
    recordLife(this.#state, this.#clock.now());
  }

  /** Notes that the last ping was answered. What came too late tells nothing: somebody slept. */
  answered(): void {
    const askedAt = this.#askedAt;
    if (askedAt === undefined) return;
    this.#askedAt = undefined;
    const ms = this.#stopwatch() - askedAt;
    if (ms <= this.#policy.timeout) this.#pings.ponged(ms);
  }

  /** Stops watching. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #look(): void {
    const now = this.#clock.now();
    const missed = this.#state.missed;
    const action = nextHeartbeat(this.#state, now, this.#policy);
    if (this.#state.missed > missed) this.#miss();
    // Whoever was told of the miss may have hung up.
    if (this.#isStopped) return;
    if (action.type === "dead") return this.#events.dead();
    if (action.type === "ping") this.#send();
    this.#timer = this.#clock.after(
      Math.max(action.at - now, 1),
      () => this.#look(),
    );
  }

  #miss(): void {
    this.#askedAt = undefined;
    this.#pings.missed();
  }

  #send(): void {
    // Who cannot be asked is not accused of silence.
    if (!this.#events.ping()) return this.seen();
    this.#askedAt = this.#stopwatch();
    this.#pings.pinged();
  }
}
