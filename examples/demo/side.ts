import { delay } from "@std/async/delay";
import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import { MCPWebSocketServer } from "@bowline/mcp-websocket/server";
import { BreakingLink } from "./breaking_link.ts";
import { count, type Moment, type Tally } from "./tally.ts";

/** What is to be shown of what happens. */
export type Tell = (text: string) => void;

/** Callers that each make one call after the other. */
const CALLERS = 6;
/** How long the tool works, at most, in milliseconds. */
const WORK_TIME = 120;
/** How often the server tells its client something, in milliseconds. */
const EVENT_INTERVAL = 40;
/** How long a moment of the recent past is, in milliseconds. */
const MOMENT = 250;
/** How many moments are remembered. */
const MOMENTS = 60;
/** How many latencies are remembered. */
const LATENCIES = 200;
/** How long to wait for the last answers, in milliseconds. */
const PATIENCE = 10_000;

/** A server, a client and the link between them; the calls, and what became of them. */
export class Side implements AsyncDisposable {
  readonly #name: string;
  readonly #tell: Tell;
  readonly #server: MCPWebSocketServer;
  readonly #link: BreakingLink;
  readonly #client: MCPWebSocketClient;
  readonly #running: Promise<void>[] = [];
  readonly #stopping = new AbortController();
  /** How often each call was carried out. */
  readonly #carriedOut: Map<number, number>;
  readonly #failedCalls: number[] = [];
  readonly #latencies: number[] = [];
  readonly #moments: Moment[] = [{ answered: 0, failed: 0 }];
  #made = 0;
  #answered = 0;
  #sent = 0;
  #heard = 0;
  /** The number of the last event that came. */
  #last = 0;
  #drops = 0;
  #resumed = 0;
  #replayed = 0;

  private constructor(
    name: string,
    tell: Tell,
    server: MCPWebSocketServer,
    carriedOut: Map<number, number>,
    port: number,
  ) {
    this.#name = name;
    this.#tell = tell;
    this.#server = server;
    this.#carriedOut = carriedOut;
    this.#link = new BreakingLink(port);
    this.#client = new MCPWebSocketClient(this.#link.url, {
      protocols: name === "mcp" ? ["mcp"] : ["mcp", name],
      era: "legacy",
      // The link breaks all the time: that is no reason to give up.
      reconnect: {
        attempts: Number.MAX_SAFE_INTEGER,
        minUptime: 100,
        minDelay: 100,
        maxDelay: 500,
      },
      dialLimit: false,
    });
  }

  /**
   * Starts a server and a client that speak to each other.
   *
   * @param name The subprotocol.
   * @param tell Told what happens to the connection.
   */
  static async open(name: "bowline.v1" | "mcp", tell: Tell): Promise<Side> {
    const carriedOut = new Map<number, number>();
    const server = new MCPWebSocketServer({ name: "demo", version: "1.0.0" });
    // Nothing says that it may be called twice: it pays, for example.
    server.handle("tools/call", async ({ arguments: { call } = {} }) => {
      carriedOut.set(Number(call), (carriedOut.get(Number(call)) ?? 0) + 1);
      await delay(Math.random() * WORK_TIME);
      return { content: [{ type: "text", text: "paid" }] };
    });
    const { port } = await server.start({ port: 0 });
    const side = new Side(name, tell, server, carriedOut, port);
    await side.#start();
    return side;
  }

  /** Breaks the link; see {@linkcode mend}. */
  break(): void {
    this.#link.break();
  }

  /** Mends the link. */
  mend(): void {
    this.#link.mend();
  }

  /** Makes no more calls, and waits until those that were made are settled. */
  async finish(): Promise<void> {
    this.#link.mend();
    this.#stopping.abort();
    const isSettled = () =>
      this.#answered + this.#failedCalls.length === this.#made &&
      (this.#heard === this.#sent || this.#name === "mcp");
    for (let waited = 0; !isSettled() && waited < PATIENCE; waited += 20) await delay(20);
  }

  /** What it has come to. */
  get tally(): Tally {
    const failed = this.#failedCalls.length;
    return {
      name: this.#name,
      isConnected: this.#client.isInitialized && this.#link.isUp,
      made: this.#made,
      answered: this.#answered,
      failed,
      unknown: this.#failedCalls.filter((call) => this.#carriedOut.has(call)).length,
      repeated: [...this.#carriedOut.values()].filter((times) => times > 1).length,
      sent: this.#sent,
      heard: this.#heard,
      missed: this.#last - this.#heard,
      drops: this.#drops,
      resumed: this.#resumed,
      replayed: this.#replayed,
      latencies: this.#latencies,
      moments: this.#moments,
    };
  }

  /** Ends all of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#client.disconnect();
    await Promise.all(this.#running);
    await this.#server.stop();
    await this.#link[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    this.#client.onNotification("demo/event", ({ number }) => {
      // What comes late or twice is none.
      if (Number(number) <= this.#last) return;
      this.#last = Number(number);
      this.#heard++;
    });
    this.#client.addEventListener("lost", () => this.#drops++);
    this.#client.addEventListener("recovered", () => {
      if (this.#name === "mcp") this.#tell("mcp has opened another connection");
    });
    this.#client.transport.addEventListener("resumed", ({ detail: { replayed } }) => {
      this.#resumed++;
      this.#replayed += replayed;
      this.#tell(`${this.#name} has resumed, ${count(replayed, "message")} sent again`);
    });
    await this.#client.connect();
    const callers = Array.from({ length: CALLERS }, () => this.#callOn());
    this.#running.push(...callers, this.#sendEvents(), this.#passTime());
  }

  async #callOn(): Promise<void> {
    while (!this.#stopping.signal.aborted) await this.#call(++this.#made);
  }

  async #call(call: number): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.#client.request("tools/call", { name: "pay", arguments: { call } });
      this.#answered++;
      this.#latencies.push(performance.now() - startedAt);
      if (this.#latencies.length > LATENCIES) this.#latencies.shift();
      this.#now.answered++;
    } catch {
      this.#failedCalls.push(call);
      this.#now.failed++;
    }
  }

  async #sendEvents(): Promise<void> {
    while (await this.#sleep(EVENT_INTERVAL)) {
      this.#server.broadcast("demo/event", { number: ++this.#sent });
    }
  }

  async #passTime(): Promise<void> {
    while (await this.#sleep(MOMENT)) {
      this.#moments.push({ answered: 0, failed: 0 });
      if (this.#moments.length > MOMENTS) this.#moments.shift();
    }
  }

  get #now(): Moment {
    return this.#moments.at(-1) as Moment;
  }

  /** Returns whether to go on. */
  #sleep(ms: number): Promise<boolean> {
    const { signal } = this.#stopping;
    return delay(ms, { signal }).then(() => true, () => false);
  }
}
