import { delay } from "@std/async";
import type { MCPWebSocketClient } from "../../../client/mod.ts";
import { describe } from "./capture.ts";

/** How a client was served that did nothing wrong. */
export interface ServiceRecord {
  /** Calls that were answered. */
  readonly answered: number;
  /** Calls that were not, or wrongly. */
  readonly failures: readonly string[];
  /** The slowest, in milliseconds. */
  readonly worst: number;
}

/** Pause between two calls, in milliseconds. */
const PAUSE = 5;

/** Calls a tool all the time, and keeps a record of how it was served. */
export class HealthyClient {
  readonly #client: MCPWebSocketClient;
  readonly #failures: string[] = [];
  #answered = 0;
  #worst = 0;
  #life = new AbortController();
  #calling: Promise<void> = Promise.resolve();
  #heard = Promise.withResolvers<void>();

  constructor(client: MCPWebSocketClient) {
    this.#client = client;
  }

  /** How it was served so far. */
  get record(): ServiceRecord {
    return { answered: this.#answered, failures: [...this.#failures], worst: this.#worst };
  }

  /** Begins to call, or goes on. */
  resume(): void {
    this.#life = new AbortController();
    this.#calling = this.#callOn(this.#life.signal);
  }

  /** Stops calling; resolves when the last call was answered. */
  async pause(): Promise<void> {
    this.#life.abort();
    await this.#calling;
  }

  /** Resolves when so many more calls were answered, or failed. */
  async served(calls: number): Promise<void> {
    const goal = this.#answered + this.#failures.length + calls;
    while (this.#answered + this.#failures.length < goal) await this.#heard.promise;
  }

  async #callOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#call(this.#answered);
      await delay(PAUSE, { signal }).catch(() => {});
    }
  }

  async #call(i: number): Promise<void> {
    const startedAt = performance.now();
    try {
      const params = { name: "canary", arguments: { i } };
      const { content } = await this.#client.request("tools/call", params);
      const [first] = content;
      const text = first?.type === "text" ? first.text : "";
      if (text === `alive ${i}`) this.#answered++;
      else this.#failures.push(`Call ${i} was answered with ${JSON.stringify(content)}`);
    } catch (thrown) {
      this.#failures.push(describe(thrown));
    }
    this.#worst = Math.max(this.#worst, performance.now() - startedAt);
    this.#heard.resolve();
    this.#heard = Promise.withResolvers<void>();
  }
}
