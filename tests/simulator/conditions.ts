import { DENO_CLIENT_SIZES, type FrameSizes, OPEN_SIZES } from "../../protocol/session/frames.ts";
import type { SessionLimits } from "../../protocol/session/limits.ts";
import { resolveSessionOptions, type SessionSettings } from "../../server/session_options.ts";
import type { Dice } from "./dice.ts";
import type { Weather } from "./network.ts";

/** What a seed decides before anything happens. */
export interface Conditions {
  /** How the network behaves. */
  readonly weather: Weather;
  /** What the client takes and keeps. */
  readonly clientLimits: SessionLimits;
  /** How large the client's frames are. */
  readonly clientSizes: FrameSizes;
  /** How large the server's frames are. */
  readonly serverSizes: FrameSizes;
  /** Whether the client wants every turn to be answered. */
  readonly promptAck: boolean;
  /** Whether the client writes to its session without asking whether there is room. */
  readonly isPushy: boolean;
  /** Bounds of the servers. */
  readonly settings: Omit<SessionSettings, "store">;
  /** How many server processes there are. */
  readonly processes: 1 | 2;
  /** How long the store takes to answer at most, in milliseconds; 0 if it answers at once. */
  readonly storeDelay: number;
  /** How long the server's application takes at most to listen to a session, in milliseconds. */
  readonly listenDelay: number;
  /** When the application messages are sent, and the breaks begin, in milliseconds. */
  readonly duration: number;
  /** Messages that each end sends by itself. */
  readonly messages: number;
  /** The longest text in a message, in characters. */
  readonly maxPadding: number;
  /** How many times the connection is broken. */
  readonly breaks: number;
  /** How often the client is asked to move. */
  readonly moves: number;
  /** Messages that the client sends as soon as its first connection is open. */
  readonly early: number;
  /** Whether the conversation begins with `initialize`. */
  readonly isLegacy: boolean;
}

/** The most that is in one message, with what is around the padding. */
const MESSAGE_BYTES = 512 * 1024;

/** The conditions of a seed. */
export function drawConditions(dice: Dice): Conditions {
  const isTiny = dice.happens(0.4);
  const fast = dice.between(0, 20);
  const [clientSizes, serverSizes] = drawSizes(dice);
  const maxPadding = drawPadding(dice, serverSizes);
  const pingMs = dice.pick([1_000, 3_000, 25_000]);
  return {
    weather: {
      latency: [fast, fast + dice.skewed(1, 400)],
      // No message takes longer than half a second, by itself.
      rate: Math.max(dice.skewed(5, 2_000), maxPadding / 200),
      inflation: dice.happens(0.3) ? dice.skewed(100, 4_000) : 1,
    },
    clientLimits: drawLimits(dice, isTiny),
    clientSizes,
    serverSizes,
    promptAck: dice.happens(0.5),
    isPushy: dice.happens(0.3),
    settings: {
      ...resolveSessionOptions({}, MESSAGE_BYTES, () => {}, () => {}),
      limits: drawLimits(dice, isTiny),
      windowMs: dice.happens(0.15) ? dice.between(2_000, 15_000) : 120_000,
      maxWaitingMessages: dice.happens(0.03) ? dice.between(10, 40) : 16_384,
      maxWaitingBytes: 64 * 1024 * 1024,
      maxTotalBytes: dice.happens(0.1) ? dice.between(2_000, 20_000) : 256 * 1024 * 1024,
      pingMs,
    },
    processes: dice.happens(0.2) ? 2 : 1,
    storeDelay: dice.happens(0.1) ? dice.skewed(1, 500) : 0,
    listenDelay: dice.happens(0.3) ? dice.skewed(10, 10_000) : 0,
    duration: dice.skewed(500, 30_000),
    messages: dice.between(50, 70),
    maxPadding,
    breaks: dice.between(5, 9),
    moves: dice.happens(0.5) ? dice.between(1, 3) : 0,
    early: dice.happens(0.5) ? dice.between(1, 10) : 0,
    isLegacy: dice.happens(0.5),
  };
}

function drawLimits(dice: Dice, isTiny: boolean): SessionLimits {
  return isTiny
    ? {
      messageBytes: MESSAGE_BYTES,
      bufferBytes: dice.skewed(1_024, 16_384),
      bufferMessages: dice.skewed(1, 30),
    }
    : { messageBytes: MESSAGE_BYTES, bufferBytes: 4 * 1024 * 1024, bufferMessages: 4_096 };
}

/** Messages are cheaper to simulate than frames are large: in most seeds frames are small. */
function drawSizes(dice: Dice): readonly [client: FrameSizes, server: FrameSizes] {
  const isSmall = dice.happens(0.8);
  const server = isSmall ? { max: dice.pick([300, 600, 4_500]) } : OPEN_SIZES;
  if (dice.happens(0.5)) return [DENO_CLIENT_SIZES, server];
  return [isSmall ? { max: dice.pick([300, 600, 4_500]) } : OPEN_SIZES, server];
}

function drawPadding(dice: Dice, { max }: FrameSizes): number {
  if (max > 10_000) return dice.happens(0.1) ? 200_000 : 6_000;
  return dice.happens(0.5) ? max * 2 : 5_000;
}
