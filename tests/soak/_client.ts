import { MCPWebSocketClient } from "@bowline/mcp-websocket/client";
import { InOrder } from "../chaos/support/exactly_once.ts";
import { hurry } from "../chaos/support/setting.ts";
import { METHODS, NEWS, NOTE, RESOURCE, STEPS, type Told, TOPIC } from "./_messages.ts";
import type { Tally } from "./_tally.ts";

const SMALL = "x".repeat(100);
const MEDIUM = "x".repeat(10 * 1024);
/** What fits into the 1 MiB that a client sends at most. */
const LARGE = "x".repeat(1_000_000);
/** Requests of one client that are in flight at the same time. */
const LANES = 6;
/** Requests that an abandoned client leaves behind. */
const LEFT_BEHIND = 5;

/** One client of a soak, from its first word to its last, and what must come to it. */
export class SoakClient {
  readonly #client: MCPWebSocketClient;
  readonly #tally: Tally;
  readonly #notes = new InOrder();
  readonly #news = new InOrder();
  readonly #topic = new InOrder();
  #updates = 0;
  #notesSent = 0;
  /** News before it came. */
  #before = 0;
  readonly #left: Promise<void>[] = [];

  /**
   * @param url Where to.
   * @param protocol What it speaks.
   * @param tally Counts what happens.
   */
  constructor(url: string, protocol: "bowline.v1" | "mcp", tally: Tally) {
    this.#tally = tally;
    const protocols = protocol === "mcp" ? ["mcp"] : ["mcp", protocol];
    // Links fail on purpose here.
    const options = { era: "legacy", protocols, dialLimit: false } as const;
    const client = this.#client = new MCPWebSocketClient(url, options);
    hurry(client);
    client.handle(METHODS.echo, ({ n, text }) => ({ n, text }));
    client.onNotification(NOTE, ({ n }) => this.#notes.note(Number(n)));
    client.onNotification(NEWS, ({ n }) => this.#news.note(Number(n) - this.#before));
    client.onNotification(TOPIC, ({ n }) => this.#topic.note(Number(n) - this.#before));
    client.onNotification("notifications/resources/updated", () => void this.#updates++);
    client.addEventListener("error", ({ detail }) => {
      // That dials fail is meant to happen.
      if (detail.context !== "dial") tally.fail(detail.error.message);
    });
    client.transport.addEventListener("resumed", () => tally.resumes++);
    client.transport.addEventListener("sessionlost", ({ detail }) => tally.fail(detail.reason));
  }

  /**
   * Connects, and subscribes to everything. A large message is said at once, since
   * the buffers that the runtime has for a connection grow with the largest one.
   */
  async join(): Promise<void> {
    await this.#client.connect();
    await this.#client.request("resources/subscribe", { uri: RESOURCE });
    this.#before = (await this.#client.request<{ news: number }>(METHODS.join)).news;
    await this.#echo(METHODS.echo, this.#tally.next(), LARGE);
    this.#tally.sessions++;
  }

  /**
   * Sends so many requests, a few at a time, and a notification before each.
   *
   * @param requests How many.
   * @param half Called when half of them were sent.
   */
  async work(requests: number, half: () => void): Promise<void> {
    let sent = 0;
    await Promise.all(Array.from({ length: LANES }, async () => {
      while (sent < requests) {
        if (++sent * 2 === requests) half();
        await this.#client.notify(NOTE, { n: this.#notesSent++ });
        await this.#call(this.#tally.next());
      }
    }));
  }

  /** Lets both ends know that the other has everything. */
  async settle(): Promise<void> {
    await this.#client.healthCheck();
  }

  /** Notes what has not come that should have, when all is quiet. */
  async check(): Promise<void> {
    const { up, faults, down, news } = await this.#client.request<Told>(METHODS.tell);
    const expected = news - this.#before;
    const [notes, broadcast, topic] = [this.#notes, this.#news, this.#topic];
    this.#compare("notes up", [up, faults], [this.#notesSent, 0]);
    this.#compare("notes down", [notes.total, notes.faults], [down, 0]);
    this.#compare("news", [broadcast.total, broadcast.faults], [expected, 0]);
    this.#compare("topic", [topic.total, topic.faults], [expected, 0]);
    this.#compare("resources", [this.#updates], [expected]);
    this.#compare("pending", [this.#client.getStats().requests.pending], [0]);
  }

  /** Ends its session. */
  async leave(): Promise<void> {
    this.#count();
    await this.#client.disconnect();
  }

  /** Sends some requests that the server goes on with until it gives the session up. */
  async leaveBehind(): Promise<void> {
    await Promise.all(Array.from({ length: LEFT_BEHIND }, () => {
      this.#tally.next();
      const { promise: begun, resolve } = Promise.withResolvers<void>();
      const held = this.#client.request(METHODS.hold, {}, { onProgress: () => resolve() });
      this.#left.push(this.#givenUp(held));
      return begun;
    }));
  }

  /** Goes for good, with what it has left behind; without goodbye, as its link is broken. */
  async abandon(): Promise<void> {
    await this.leave();
    await Promise.all(this.#left);
    this.#tally.abandoned++;
  }

  /** Counts the notifications of a whole life. */
  #count(): void {
    const news = this.#news.total + this.#topic.total + this.#updates;
    this.#tally.notifications += this.#notesSent + this.#notes.total + news;
  }

  async #call(n: number): Promise<void> {
    try {
      if (n % 3_000 === 0) await this.#echo(METHODS.echo, n, LARGE);
      else if (n % 200 === 1) await this.#cancel();
      else if (n % 100 === 2) await this.#echo(METHODS.echo, n, MEDIUM);
      else if (n % 50 === 3) await this.#echo(METHODS.ask, n, SMALL);
      else if (n % 20 === 4) await this.#progress(n);
      else await this.#echo(METHODS.echo, n, SMALL);
    } catch (error) {
      this.#tally.fail(String(error));
    }
  }

  async #echo(method: string, n: number, text: string): Promise<void> {
    const answer = await this.#client.request<{ n: number; text: string }>(method, { n, text });
    if (answer.n !== n || answer.text !== text) throw new Error(`Not the answer to ${method}`);
    this.#tally.answered++;
  }

  async #progress(n: number): Promise<void> {
    let seen = 0;
    const onProgress = () => void seen++;
    await this.#client.request(METHODS.steps, { n, text: SMALL }, { onProgress });
    this.#compare("progress", [seen], [STEPS]);
    this.#tally.answered++;
  }

  /** Cancels a request as soon as the server says that it works on it. */
  async #cancel(): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = () => controller.abort();
    const held = this.#client.request(METHODS.hold, {}, { signal, onProgress });
    await this.#givenUp(held);
  }

  async #givenUp(held: Promise<unknown>): Promise<void> {
    await held.then(
      () => this.#tally.fail("A request was answered that was given up"),
      () => void this.#tally.cancelled++,
    );
  }

  #compare(what: string, actual: readonly number[], expected: readonly number[]): void {
    if (actual.join() === expected.join()) return;
    this.#tally.fail(`${what}: ${actual} instead of ${expected}`);
  }
}
