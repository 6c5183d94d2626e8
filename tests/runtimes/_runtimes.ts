import { type Outcome, playInChromium, playInProcess } from "./_players.ts";
import type { Stage } from "./_stage.ts";

/** What a runtime's `WebSocket` lets its user know. */
export interface Abilities {
  /** Whether headers can be sent. */
  readonly sendsHeaders: boolean;
  /** Whether it says why it did not open: the status, the certificate. */
  readonly saysWhy: boolean;
  /** Whether it opens with a subprotocol that was not offered, and leaves it to us to object. */
  readonly opensAnySubprotocol: boolean;
  /** Whether it says that the network comes and goes. */
  readonly tellsNetwork: boolean;
}

/** A runtime that the client supports. */
export interface Runtime {
  /** What people call it. */
  readonly name: string;
  /** How its user agent has to look. */
  readonly agent: RegExp;
  /** What it can do. */
  readonly abilities: Abilities;
  /** The variable that says where it is. */
  readonly variable: string;
  /** Where it is looked for without the variable. */
  readonly places: readonly string[];
  /** Plays the scenario. */
  play(path: string, stage: Stage): Promise<Outcome>;
}

/** Where `.ci/install_runtimes` leaves what it installs. */
const HOME = Deno.env.get("HOME") ?? "";
const INSTALLED = `${Deno.env.get("RUNTIMES_DIR") ?? `${HOME}/.cache/bowline-runtimes`}/bin`;

const RESERVED: Abilities = {
  sendsHeaders: true,
  saysWhy: false,
  opensAnySubprotocol: false,
  tellsNetwork: false,
};

/** Every runtime that the scenario is played on. */
export const RUNTIMES: readonly Runtime[] = [
  {
    name: "Deno",
    agent: /^Deno\//,
    abilities: { ...RESERVED, saysWhy: true, opensAnySubprotocol: true },
    variable: "BOWLINE_DENO",
    places: [Deno.execPath()],
    play: (path, stage) => {
      const args = ["run", "--no-config", "--allow-net=127.0.0.1", `--allow-read=${stage.bundle}`];
      return playInProcess(path, args, stage);
    },
  },
  {
    name: "Node 22",
    agent: /^Node\.js\/22$/,
    abilities: RESERVED,
    variable: "BOWLINE_NODE_22",
    places: [`${INSTALLED}/node-22`],
    play: (path, stage) => playInProcess(path, [], stage),
  },
  {
    name: "Node 24",
    agent: /^Node\.js\/24$/,
    abilities: RESERVED,
    variable: "BOWLINE_NODE_24",
    places: [`${INSTALLED}/node-24`],
    play: (path, stage) => playInProcess(path, [], stage),
  },
  {
    name: "Bun",
    agent: /^Bun\//,
    abilities: { ...RESERVED, saysWhy: true },
    variable: "BOWLINE_BUN",
    places: [`${INSTALLED}/bun`],
    play: (path, stage) => playInProcess(path, [], stage),
  },
  {
    name: "Chromium",
    agent: /Chrome\//,
    abilities: { ...RESERVED, sendsHeaders: false, tellsNetwork: true },
    variable: "BOWLINE_CHROMIUM",
    places: ["/usr/bin/chromium"],
    play: playInChromium,
  },
];

/** Where a runtime is, `undefined` if it is not installed. */
export function findRuntime({ variable, places }: Runtime): string | undefined {
  return Deno.env.get(variable) || places.find(isFile);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
