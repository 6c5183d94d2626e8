import type { Clock, Timer } from "../../protocol/clock.ts";
import { goawayFrame } from "../../protocol/session/control.ts";
import { drawBreak, drawDialBreak, drawMoment, isMoment, type Moment } from "./breaks.ts";
import type { Conditions } from "./conditions.ts";
import type { Dice } from "./dice.ts";
import type { DialBreak } from "./internet.ts";
import type { Connection } from "./network.ts";
import type { Totals } from "./totals.ts";

/** What {@linkcode Chaos} needs. */
export interface ChaosOptions {
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly totals: Totals;
  /** The connection that the client uses, or is opening. */
  readonly wire: () => Connection | undefined;
  /** Whether the client has its session on that. */
  readonly isOpen: () => boolean;
  /** Ends a server's process, and starts it anew. */
  readonly restart: () => void;
  /** Sends dials to the other server from now on. */
  readonly failOver: () => void;
  readonly trace: (text: string) => void;
}

/** How long to wait for a moment before the connection is broken anyway, in milliseconds. */
const PATIENCE = 3_000;

/** Breaks, holds up and moves connections, at the worst moments. */
export class Chaos {
  readonly #options: ChaosOptions;
  /** Breaks that are still to come. */
  #left: number;
  /** The moment that the next break waits for. */
  #moment: Moment | undefined;
  #patience: Timer | undefined;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#left = options.conditions.breaks;
  }

  /** Whether the network behaves from now on. */
  get isOver(): boolean {
    return this.#left === 0;
  }

  /** Begins. */
  start(): void {
    const { conditions: { moves, processes }, dice, restart, failOver } = this.#options;
    for (let i = 0; i < moves; i++) this.#sometime(() => this.#askToMove());
    for (let i = 0; i < 2; i++) this.#sometime(() => this.#stall());
    if (dice.happens(0.2)) this.#sometime(restart);
    if (processes > 1) this.#sometime(failOver);
    // Nothing is as delicate as the beginning.
    if (dice.happens(0.3)) this.#arm(dice.pick(["dial", "upgrade", "hello", "hello", "welcome"]));
    else this.#armLater();
  }

  /** Takes note of a frame. */
  frame(connection: Connection, event: "written" | "read", text: string): void {
    const { clock, dice, conditions: { weather: { latency } } } = this.#options;
    if (this.#moment === undefined || connection.isBroken) return;
    if (!isMoment(this.#moment, event, text)) return;
    this.#disarm();
    clock.after(dice.happens(0.5) ? 0 : dice.between(0, latency[1]), () => this.#break(connection));
  }

  /** Decides on a dial. */
  interfere(moment: "dial" | "upgrade"): DialBreak | undefined {
    if (this.#moment !== moment) return undefined;
    this.#disarm();
    this.#broken(`in the ${moment}`);
    return drawDialBreak(this.#options.dice);
  }

  #sometime(task: () => void): void {
    const { clock, dice, conditions: { duration } } = this.#options;
    clock.after(dice.between(0, duration), () => {
      if (!this.isOver) task();
    });
  }

  #armLater(): void {
    const { clock, dice, conditions: { duration, breaks } } = this.#options;
    // Troubles come together, or one by one.
    const pause = dice.happens(0.4) ? dice.between(0, 300) : dice.between(0, 2 * duration / breaks);
    clock.after(pause, () => this.#arm(drawMoment(dice)));
  }

  #arm(moment: Moment): void {
    this.#moment = moment;
    if (moment === "now") this.#breakNow();
    else this.#patience = this.#options.clock.after(PATIENCE, () => this.#breakNow());
  }

  #disarm(): void {
    this.#moment = undefined;
    this.#patience?.clear();
  }

  #breakNow(): void {
    const { clock, wire } = this.#options;
    const connection = wire();
    if (connection === undefined || connection.isBroken) {
      // Somebody will dial.
      this.#moment = "dial";
      this.#patience = clock.after(100, () => this.#breakNow());
      return;
    }
    this.#disarm();
    this.#break(connection);
  }

  #break(connection: Connection): void {
    const { dice, restart, failOver, conditions: { processes } } = this.#options;
    if (processes > 1 && dice.happens(0.2)) failOver();
    if (dice.happens(0.05)) {
      restart();
      return this.#broken("all connections of a server");
    }
    const plan = drawBreak(dice);
    connection.break(plan);
    this.#broken(`#${connection.id} ${JSON.stringify(plan)}`);
  }

  #broken(what: string): void {
    const { totals, trace } = this.#options;
    totals.breaks++;
    trace(`The network breaks ${what}`);
    if (--this.#left > 0) this.#armLater();
  }

  #stall(): void {
    const { dice, wire } = this.#options;
    wire()?.stall(dice.pick(["client", "server"]), dice.skewed(10, 10_000));
  }

  #askToMove(): void {
    const { dice, wire, isOpen } = this.#options;
    if (!isOpen()) return;
    const afterMs = dice.between(0, 5_000);
    wire()?.server.send(goawayFrame({ afterMs, reason: "rebalancing", sessions: "kept" }));
  }
}
