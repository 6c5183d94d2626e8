import { MCPWebSocketPool } from "../../client/pool.ts";
import type { MCPWebSocketPoolOptions, PoolClientOptions } from "../../client/pool/options.ts";
import { MCPWebSocketServer } from "../../server/mod.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import type { Planner } from "../support/chaos_plan.ts";
import { until } from "../support/until.ts";

/** Comes back at once. */
const SOON: PoolClientOptions = {
  reconnect: { attempts: 1_000, minDelay: 1, maxDelay: 20, minUptime: 1, immediate: [] },
  dialLimit: false,
};

/** The two ways to speak: with sessions, and without. */
export const DIALECTS: readonly string[][] = [["mcp", "bowline.v1"], ["mcp"]];

/** A real server whose answers can be held back, behind a link that can be broken. */
export class Site implements AsyncDisposable {
  readonly server: MCPWebSocketServer;
  readonly link: ChaosLink;
  /** How often each key was asked for. */
  readonly runs: Map<string, number> = new Map();
  /** Requests by the session that they came over. */
  readonly bySession: Map<string, number> = new Map();
  /** Notifications that were heard. */
  readonly heard: string[] = [];
  /** Requests that were told to stop. */
  aborted = 0;
  readonly #gate = Promise.withResolvers<void>();

  private constructor(server: MCPWebSocketServer, link: ChaosLink) {
    this.server = server;
    this.link = link;
  }

  /** @param plan What happens to each connection, nothing bad by default. */
  static async open(name: string, plan: Planner = () => ({})): Promise<Site> {
    const server = new MCPWebSocketServer({
      name,
      version: "1.0.0",
      maxMessageBytes: 64 * 1024 * 1024,
    });
    const { port } = await server.start({ port: 0 });
    const site = new Site(server, ChaosLink.open(port, { plan }));
    server.handle("x/who", ({ key }, { session }) => site.#note(name, key, session.id));
    server.handle("x/held", async ({ key }, { session, signal }) => {
      signal.addEventListener("abort", () => site.aborted++);
      const answer = site.#note(name, key, session.id);
      await site.#gate.promise;
      return answer;
    });
    server.handle("resources/read", async ({ uri }, { session }) => {
      site.#note(name, uri, session.id);
      await site.#gate.promise;
      return { contents: [{ uri, text: name }] };
    });
    server.onNotification("x/note", (_params, { session }) => site.heard.push(session.id));
    return site;
  }

  get url(): string {
    return this.link.url();
  }

  /** How many requests have come in. */
  get count(): number {
    return [...this.runs.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Lets held answers go, and those to come. */
  release(): void {
    this.#gate.resolve();
  }

  /** Breaks all connections, and lets none in. */
  kill(): void {
    this.link.refuse();
    this.link.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.link.close();
    await this.server.stop({ timeout: 0 });
  }

  #note(name: string, key: unknown, session: string): { name: string; session: string } {
    const text = String(key);
    this.runs.set(text, (this.runs.get(text) ?? 0) + 1);
    this.bySession.set(session, (this.bySession.get(session) ?? 0) + 1);
    return { name, session };
  }
}

/** What the sites answer. */
export interface Who {
  readonly name: string;
  readonly session: string;
}

/** Makes a pool that comes back soon. */
export function makePool(
  sites: readonly Site[],
  options: MCPWebSocketPoolOptions = {},
): MCPWebSocketPool {
  const clientOptions = { ...SOON, ...options.clientOptions };
  return new MCPWebSocketPool(sites.map(({ url }) => url), { ...options, clientOptions });
}

/** Makes a pool and opens all of its connections. */
export async function openPool(
  sites: readonly Site[],
  options: MCPWebSocketPoolOptions = {},
): Promise<MCPWebSocketPool> {
  const pool = makePool(sites, options);
  await pool.connect({ minConnections: sites.length * (options.size ?? 2) });
  return pool;
}

/** Resolves when so many connections are usable. */
export async function untilUsable(pool: MCPWebSocketPool, count: number): Promise<void> {
  await until(() => pool.getStats().usable === count);
}

/** Numbers from 0 up. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
