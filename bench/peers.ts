import { Child } from "./child.ts";
import type { Filler } from "./messages.ts";

/** Other stacks for requests over WebSocket, by the file that speaks for each. */
export const STACKS = {
  rpc_websockets: "rpc-websockets",
  socket_io: "socket.io",
  graphql_ws: "graphql-ws",
} as const;
/** One of them. */
export type Stack = keyof typeof STACKS;

/** What their client can be asked. */
export interface PeerQuestion {
  /** How many requests. */
  readonly calls: number;
  /** How many at any time; one gives the median time, more give requests per second. */
  readonly inFlight: number;
  /** What is echoed. */
  readonly params: Filler;
}

const FOLDER = new URL("peers/", import.meta.url);
/** Where `.ci/install_runtimes` leaves Node. */
const RUNTIMES = Deno.env.get("RUNTIMES_DIR") ??
  `${Deno.env.get("HOME") ?? ""}/.cache/bowline-runtimes`;
const NODES = [Deno.env.get("BOWLINE_NODE_24"), `${RUNTIMES}/bin/node-24`, "node"];

/** Client and server of another stack, a process of Node each. */
export class Peer implements AsyncDisposable {
  readonly #client: Child<string>;
  readonly #stack: AsyncDisposableStack;

  private constructor(client: Child<string>, stack: AsyncDisposableStack) {
    this.#client = client;
    this.#stack = stack;
  }

  /**
   * Starts both.
   *
   * @param node Where Node is.
   * @param name Which stack.
   * @returns Both, connected.
   */
  static async start(node: string, name: Stack): Promise<Peer> {
    const stack = new AsyncDisposableStack();
    const script = new URL("peer.mjs", FOLDER).pathname;
    const server = stack.use(await Child.start<string>(node, [script, "server", name]));
    const args = [script, "client", name, server.hello];
    return new Peer(stack.use(await Child.start<string>(node, args)), stack);
  }

  /** Measures a block. */
  measure(question: PeerQuestion): Promise<number> {
    return this.#client.ask(question);
  }

  /** Ends both. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/**
 * Finds Node and installs the packages of the other stacks, which are no
 * dependency of this project.
 *
 * @returns Where Node is and its version, or why there is nothing to compare.
 */
export async function preparePeers(): Promise<{ node: string; version: string } | { why: string }> {
  for (const node of NODES) {
    const version = node && await run(node, ["--version"]);
    if (!node || version === undefined) continue;
    const args = ["install", "--quiet", "--node-modules-dir=auto", "--no-lock"];
    if (await run(Deno.execPath(), args) === undefined) {
      return { why: "their packages cannot be installed" };
    }
    return { node, version: version.trim() };
  }
  return { why: "there is no Node" };
}

/** What a command says, `undefined` if it is not there or fails. */
async function run(command: string, args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      cwd: FOLDER,
      stderr: "inherit",
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
