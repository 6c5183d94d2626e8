import { MCPWebSocketClient } from "../../../client/mod.ts";
import { MCPWebSocketServer, type ServerSession } from "../../../server/mod.ts";
import { ChaosLink } from "../../support/chaos_link.ts";
import { type Planner, randomCuts } from "../../support/chaos_plan.ts";
import { seededRandom } from "../../support/random.ts";
import { until } from "../../support/until.ts";
import { ExactlyOnce, InOrder } from "./exactly_once.ts";
import { payload } from "./payload.ts";

/** More requests than any storm makes for each client. */
const MAX_REQUESTS = 100_000;
/** What either side may send a request of. */
const WORK = "chaos/work";
const ASK = "chaos/ask";
const NOTE = "chaos/note";

/** Many connections end early, in the upgrade, the hello or the welcome; others after a large message or two. */
export function stormyPlan(seed: number): Planner {
  const random = seededRandom(seed);
  const soon = randomCuts(random, { maxBytes: 20_000, earlyShare: 0.5 });
  const late = randomCuts(random, { maxBytes: 1_000_000, earlyShare: 0 });
  return (index) => random() < 0.35 ? soon(index) : late(index);
}

/** A client, with everything that must come exactly once or in order. */
class StormyClient {
  readonly client: MCPWebSocketClient;
  /** Handled by the server, answered by it, and the same the other way. */
  readonly handled: ExactlyOnce = new ExactlyOnce(MAX_REQUESTS);
  readonly answered: ExactlyOnce = new ExactlyOnce(MAX_REQUESTS);
  readonly asked: ExactlyOnce = new ExactlyOnce(MAX_REQUESTS);
  readonly told: ExactlyOnce = new ExactlyOnce(MAX_REQUESTS);
  readonly notesUp: InOrder = new InOrder();
  readonly notesDown: InOrder = new InOrder();
  /** What went wrong, and how often. */
  readonly errors: Map<string, number> = new Map();
  readonly sessions: Set<string | undefined> = new Set<string | undefined>();
  /** How long it was without a connection at most, in milliseconds. */
  longestOutage = 0;
  lost = 0;
  resumed = 0;
  requests = 0;
  notesSent = 0;
  notesSentDown = 0;
  /** Progress that was missing when the answer came, or not in order. */
  wrongProgress = 0;
  #lostAt = 0;

  constructor(url: string) {
    const client = this.client = new MCPWebSocketClient(url, { era: "legacy", dialLimit: false });
    const { transport } = client;
    client.handle(ASK, ({ n }, context) => {
      this.asked.note(Number(n));
      context.progress(1);
      return { n, text: payload(Number(n) + 2) };
    });
    client.onNotification(NOTE, ({ n }) => this.notesDown.note(Number(n)));
    transport.addEventListener("sessionlost", ({ detail }) => this.fail(detail.reason));
    client.addEventListener("error", ({ detail }) => {
      // That dials fail is what is meant to happen.
      if (detail.context !== "dial") this.fail(detail.error.message);
    });
    transport.addEventListener("lost", () => {
      this.lost++;
      this.#lostAt ||= performance.now();
    });
    transport.addEventListener("resumed", () => {
      this.resumed++;
      this.sessions.add(transport.session);
      this.longestOutage = Math.max(this.longestOutage, performance.now() - this.#lostAt);
      this.#lostAt = 0;
    });
  }

  /** Sends a request, and now and then a notification before it. */
  async call(): Promise<void> {
    const n = this.requests++;
    try {
      if (n % 4 === 0) this.client.notify(NOTE, { n: this.notesSent++ }).catch(this.fail);
      const seen: number[] = [];
      const result = await this.client.request<{ n: number; text: string }>(WORK, {
        n,
        text: payload(n),
      }, { onProgress: ({ progress }) => seen.push(progress) });
      this.answered.note(result.n);
      if (result.n !== n || result.text !== payload(n + 1)) throw new Error(`Not the answer ${n}`);
      if (seen.join() !== "1,2,3") this.wrongProgress++;
    } catch (error) {
      this.fail(error);
    }
  }

  /** Handles a request at the server. */
  async handle(
    n: number,
    text: unknown,
    session: ServerSession,
    progress: Progress,
  ): Promise<{ n: number; text: string }> {
    this.handled.note(n);
    if (text !== payload(n)) throw new Error(`Not the request ${n}`);
    progress(1);
    if (n % 4 === 1) await session.notify(NOTE, { n: this.notesSentDown++ });
    progress(2);
    const seen: number[] = [];
    const answer = await session.request<{ n: number; text: string }>(ASK, {
      n,
      text: payload(n + 3),
    }, { onProgress: ({ progress }) => seen.push(progress) });
    this.told.note(answer.n);
    if (answer.n !== n || answer.text !== payload(n + 2)) throw new Error(`Not the answer ${n}`);
    if (seen.join() !== "1") this.wrongProgress++;
    progress(3);
    return { n, text: payload(n + 1) };
  }

  /** Notes what went wrong. */
  readonly fail = (error: unknown): void => {
    this.errors.set(String(error), 1 + (this.errors.get(String(error)) ?? 0));
  };
}

type Progress = (step: number) => void;

/** Clients and a server, with default options, and a link between them that is cut again and again. */
export class Storm implements AsyncDisposable {
  readonly link: ChaosLink;
  readonly clients: readonly StormyClient[];
  readonly #server: MCPWebSocketServer;
  #plan: Planner | undefined;

  private constructor(server: MCPWebSocketServer, port: number, clients: number) {
    this.#server = server;
    this.link = ChaosLink.open(port, { plan: (index) => this.#plan?.(index) ?? {} });
    this.clients = Array.from({ length: clients }, () => new StormyClient(this.link.url()));
  }

  /** Connects clients. */
  static async open(clients: number): Promise<Storm> {
    const server = new MCPWebSocketServer({
      name: "storm",
      version: "1.0.0",
      onError: (error) => storm.clients[0]?.fail(`Server: ${error.message}`),
    });
    const owners = new Map<ServerSession, StormyClient>();
    server.handle("chaos/join", ({ client }, { session }) => {
      const owner = storm.clients[Number(client)];
      if (owner !== undefined) owners.set(session, owner);
    });
    server.handle(WORK, ({ n, text }, { session, progress }) => {
      return owners.get(session)?.handle(Number(n), text, session, progress);
    });
    server.onNotification(NOTE, ({ n }, { session }) => {
      owners.get(session)?.notesUp.note(Number(n));
    });
    const { port } = await server.start({ port: 0 });
    const storm = new Storm(server, port, clients);
    for (const [index, { client, sessions }] of storm.clients.entries()) {
      await client.connect();
      await client.request("chaos/join", { client: index });
      sessions.add(client.transport.session);
    }
    return storm;
  }

  /** How many sessions the server has ever had. */
  get sessions(): number {
    return this.#server.health().totalConnections;
  }

  /** Cuts all connections from now on, those that are open first. */
  rise(plan: Planner): void {
    this.#plan = plan;
    this.link.cut();
  }

  /** Connections to come are left alone. */
  calm(): void {
    this.#plan = undefined;
  }

  /** Sends so many requests at once, divided among the clients. */
  async flood(requests: number): Promise<void> {
    const share = requests / this.clients.length;
    const calls = this.clients.flatMap((client) => {
      return Array.from({ length: share }, () => client.call());
    });
    await Promise.all(calls);
  }

  /** Sends requests, some at a time, as long as something holds. */
  async trickle(width: number, condition: () => boolean): Promise<void> {
    const lanes = this.clients.flatMap((client) => {
      return Array.from({ length: width }, async () => {
        while (condition()) await client.call();
      });
    });
    await Promise.all(lanes);
  }

  /** Resolves when both sides know of everything that the other has it. */
  async quiet(): Promise<void> {
    await until(() => {
      const isQuiet = this.clients.every(({ client }) => client.getStats().bufferedMessages === 0);
      return isQuiet && this.#server.health().bufferedBytes === 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.clients) await client.disconnect();
    await this.#server.stop();
    await this.link.close();
  }
}
