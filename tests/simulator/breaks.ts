import type { Dice } from "./dice.ts";
import type { DialBreak } from "./internet.ts";
import type { Break, Severing } from "./network.ts";

/** The moments at which a connection is broken. */
export type Moment = "now" | "dial" | "upgrade" | "hello" | "welcome" | "replay" | "piece" | "ack";

/** All of them, those that are worst several times. */
const MOMENTS: readonly Moment[] = [
  "now",
  "now",
  "now",
  "dial",
  "upgrade",
  "hello",
  "hello",
  "welcome",
  "welcome",
  "replay",
  "replay",
  "piece",
  "piece",
  "ack",
];

/** A moment at which the next break comes. */
export function drawMoment(dice: Dice): Moment {
  return dice.pick(MOMENTS);
}

/** Whether a frame marks the moment. */
export function isMoment(moment: Moment, event: "written" | "read", frame: string): boolean {
  switch (moment) {
    case "hello":
      return event === "written" && frame.startsWith('["hello');
    case "welcome":
      return event === "written" && frame.startsWith('["welcome');
    case "replay":
      return event === "read" && frame.startsWith('["welcome');
    case "piece":
      return event === "written" && frame.startsWith("+");
    case "ack":
      return event === "written" && frame.startsWith('["ack');
    case "now":
    case "dial":
    case "upgrade":
      return false;
  }
}

/** How a connection breaks this time. */
export function drawBreak(dice: Dice): Break {
  const code = dice.pick([0, 1006, 1006, 1001, 1000, 1002, 1008, 1012]);
  const soon = () => dice.skewed(1, 200) - 1;
  const late = () => dice.skewed(100, 8_000);
  switch (dice.pick(["reset", "reset", "half-open", "one-way", "lingering", "lingering", "deaf"])) {
    case "half-open":
      // Both ends, or one, find out by themselves.
      return {
        up: drawSevering(dice),
        down: drawSevering(dice),
        client: dice.happens(0.3) ? late() : undefined,
        server: dice.happens(0.3) ? late() : undefined,
        code,
      };
    case "one-way":
      return {
        up: drawSevering(dice),
        down: undefined,
        client: dice.happens(0.5) ? late() : undefined,
        server: undefined,
        code,
      };
    case "deaf":
      return {
        up: undefined,
        down: drawSevering(dice),
        client: undefined,
        server: dice.happens(0.5) ? late() : undefined,
        code,
      };
    case "lingering":
      // The client is gone at once; what it has sent still arrives, much later.
      return {
        up: { grace: 60_000, stall: dice.skewed(10, 10_000) },
        down: drawSevering(dice),
        client: soon(),
        server: dice.happens(0.5) ? 60_000 : undefined,
        code,
      };
    default:
      return {
        up: drawSevering(dice),
        down: drawSevering(dice),
        client: soon(),
        server: dice.happens(0.7) ? soon() : late(),
        code,
      };
  }
}

function drawSevering(dice: Dice): Severing {
  return {
    grace: dice.happens(0.5) ? 0 : dice.skewed(1, 1_000),
    stall: dice.happens(0.7) ? 0 : dice.skewed(1, 5_000),
  };
}

/** What goes wrong with a dial this time. */
export function drawDialBreak(dice: Dice): DialBreak {
  const isLate = dice.happens(0.4);
  return {
    failsAfter: dice.happens(0.5) ? dice.skewed(1, 2_000) : undefined,
    opensAfter: isLate ? dice.skewed(100, 20_000) : undefined,
    server: dice.happens(0.5) ? dice.skewed(1, 5_000) : undefined,
  };
}
