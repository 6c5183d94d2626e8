// deno-lint-ignore-file no-console -- figures are part of what these tests tell
import { assert, assertEquals } from "@std/assert";
import { MCPWebSocketClient, type MCPWebSocketClientOptions } from "../../../client/mod.ts";
import type { MCPWebSocketServer } from "../../../server/mod.ts";
import type { Capture } from "./capture.ts";
import { type Ground, type GroundOptions, type Levels, LocalGround } from "./ground.ts";
import { HealthyClient, type ServiceRecord } from "./healthy.ts";
import { Intruder } from "./intruder.ts";

/** Something that stands before the server; clients and attackers connect to its port. */
export interface Front extends AsyncDisposable {
  readonly port: number;
}

/** How an {@linkcode Arena} is laid out. */
export interface ArenaOptions extends GroundOptions {
  /** A server that is there already, instead of a new one in this process. */
  readonly ground?: Ground;
  /** Changes to the healthy client. */
  readonly client?: MCPWebSocketClientOptions;
  /** Puts something before the server, which listens on the port. */
  readonly front?: (port: number) => Promise<Front> | Front;
  /**
   * Time until everything has to be as it was, in milliseconds.
   *
   * @default {20_000}
   */
  readonly settleTimeout?: number;
}

/** How often levels are looked at, in milliseconds. */
const LOOK_INTERVAL = 10;
/** Calls that have to be answered before the attack, and after it. */
const FEW_CALLS = 3;
/** C0 and C1 controls, line ends of Unicode, and what changes the direction of writing. */
const UNFIT_REGEXP =
  // deno-lint-ignore no-control-regex -- that is what is looked for
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/;

/**
 * A real server with a canary tool, and a healthy client that is connected all
 * along and calls it. Attack it, then `await arena.end()`.
 */
export class Arena implements AsyncDisposable {
  /** Whatever the server told anybody. */
  readonly capture: Capture;
  /** Where to connect: the server, or what stands before it. */
  readonly port: number;
  readonly #ground: Ground;
  readonly #front: Front | undefined;
  readonly #client: MCPWebSocketClient;
  readonly #canary: HealthyClient;
  readonly #settleTimeout: number;
  readonly #intruders = new Set<Intruder>();
  #baseline: Levels = {};

  private constructor(ground: Ground, front: Front | undefined, options: ArenaOptions) {
    this.#ground = ground;
    this.#front = front;
    this.capture = ground.capture;
    this.port = front?.port ?? ground.port;
    this.#settleTimeout = options.settleTimeout ?? 20_000;
    this.#client = new MCPWebSocketClient(`ws://127.0.0.1:${this.port}/mcp`, options.client);
    this.#canary = new HealthyClient(this.#client);
  }

  /** See {@linkcode openArena}. */
  static async open(options: ArenaOptions): Promise<Arena> {
    const ground = options.ground ?? await LocalGround.open(options);
    const front = await options.front?.(ground.port);
    const arena = new Arena(ground, front, options);
    await arena.#client.connect();
    arena.#canary.resume();
    await arena.#canary.served(FEW_CALLS);
    await arena.#takeBaseline();
    return arena;
  }

  /** The server, which has to be in this process. */
  get server(): MCPWebSocketServer {
    if (this.#ground instanceof LocalGround) return this.#ground.server;
    throw new TypeError("The server is in another process");
  }

  /** A TCP connection, nothing sent yet. It is closed with the arena at the latest. */
  async connectRaw(): Promise<Intruder> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    const intruder = new Intruder(connection, this.capture.recordWire());
    this.#intruders.add(intruder);
    return intruder;
  }

  /** How the healthy client was served so far. */
  get record(): ServiceRecord {
    return this.#canary.record;
  }

  /** Resolves when the healthy client was served so many times more. */
  async served(calls: number): Promise<void> {
    await this.#canary.served(calls);
  }

  /** Everything that rises and falls, as it is now. */
  async levels(): Promise<Levels> {
    return await this.#ground.levels();
  }

  /** Resolves when the levels are as they should be; fails if that takes too long. */
  async until(isSo: (levels: Levels) => boolean): Promise<void> {
    const { last, held } = await this.#poll(isSo);
    assert(held, `Never came true: ${isSo}; the levels are ${JSON.stringify(last)}`);
  }

  /** Resolves when the server has logged a line with this text; fails if that takes too long. */
  async logged(text: string): Promise<void> {
    const isLogged = () => this.capture.log.some((line) => line.includes(text));
    const { held } = await this.#poll(isLogged);
    assert(held, `Never logged: ${text}`);
  }

  /** Asserts that the healthy client was served all along, and still is. */
  async healthy(): Promise<ServiceRecord> {
    await this.#canary.served(FEW_CALLS);
    const { record } = this.#canary;
    assertEquals(record.failures, []);
    assert(record.answered >= 2 * FEW_CALLS);
    return record;
  }

  /** Hangs up all raw connections, and asserts that the server is as it was before. */
  async settle(): Promise<void> {
    for (const intruder of this.#intruders) intruder.close();
    this.#intruders.clear();
    await this.#canary.pause();
    const expected = JSON.stringify(this.#baseline);
    const { last } = await this.#poll((levels) => JSON.stringify(levels) === expected);
    this.#canary.resume();
    assertEquals(last, this.#baseline);
  }

  /** Asserts that nothing captured contains any of them. */
  async assertNoSecrets(...secrets: readonly string[]): Promise<void> {
    this.capture.metrics.add(await this.#ground.metrics());
    for (const [where, text] of this.capture.entries()) {
      const index = secrets.findIndex((secret) => text.includes(secret));
      // The secret itself must not be in the failure either.
      assertEquals(index, -1, `Secret number ${index} is in the ${where}`);
    }
  }

  /** Asserts that each log entry is one line that changes nothing around it. */
  assertCleanLog(): void {
    for (const line of this.capture.log) {
      assert(!UNFIT_REGEXP.test(line), `Unfit for a log: ${JSON.stringify(line.slice(0, 300))}`);
    }
  }

  /** What every attack ends with; prints how the healthy client was served. */
  async end(...secrets: readonly string[]): Promise<void> {
    const { answered, worst } = await this.healthy();
    console.log({ answered, worst: `${worst.toFixed(0)} ms` });
    await this.settle();
    await this.assertNoSecrets(...secrets);
    this.assertCleanLog();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const intruder of this.#intruders) intruder.close();
    await this.#canary.pause();
    await this.#client.disconnect();
    await this.#front?.[Symbol.asyncDispose]();
    await this.#ground[Symbol.asyncDispose]();
  }

  /** The last answer is held until the client has acknowledged it. */
  async #takeBaseline(): Promise<void> {
    await this.#canary.pause();
    await this.until((levels) =>
      Object.entries(levels).every(([name, value]) => value === 0 || !/buffered|flight/i.test(name))
    );
    this.#baseline = await this.levels();
    this.#canary.resume();
  }

  async #poll(isSo: (levels: Levels) => boolean): Promise<{ last: Levels; held: boolean }> {
    const end = performance.now() + this.#settleTimeout;
    for (;;) {
      const last = await this.levels();
      const held = isSo(last);
      if (held || performance.now() > end) return { last, held };
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
  }
}

/**
 * Opens an arena.
 *
 * @param options How it is laid out.
 */
export async function openArena(options: ArenaOptions = {}): Promise<Arena> {
  return await Arena.open(options);
}
