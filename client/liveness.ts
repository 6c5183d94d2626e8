import type { Clock, Timer } from "../protocol/clock.ts";
import {
  type HeartbeatPolicy,
  type HeartbeatState,
  nextHeartbeat,
  recordLife,
  startHeartbeat,
} from "../protocol/heartbeat.ts";

/** Watches one connection for signs of life. */
export class Liveness {
  readonly #policy: HeartbeatPolicy;
  readonly #clock: Clock;
  readonly #ping: () => boolean;
  readonly #dead: () => void;
  readonly #state: HeartbeatState;
  #timer: Timer | undefined;

  /**
   * @param policy The intervals.
   * @param clock Where time comes from.
   * @param ping Sends a ping; `false` if this peer cannot be asked.
   * @param dead Called once, when the peer is given up.
   */
  constructor(
    policy: HeartbeatPolicy,
    clock: Clock,
    ping: () => boolean,
    dead: () => void,
  ) {
    this.#policy = policy;
    this.#clock = clock;
    this.#ping = ping;
    this.#dead = dead;
    this.#state = startHeartbeat(clock.now());
    this.#look();
  }

  /** Notes that a frame came in. */
  seen(): void {
    recordLife(this.#state, this.#clock.now());
  }

  /** Stops watching. */
  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #look(): void {
    const now = this.#clock.now();
    const action = nextHeartbeat(this.#state, now, this.#policy);
    if (action.type === "dead") return this.#dead();
    // Who cannot be asked is not accused of silence.
    if (action.type === "ping" && !this.#ping()) this.seen();
    this.#timer = this.#clock.after(
      Math.max(action.at - now, 1),
      () => this.#look(),
    );
  }
}
