import { assert, assertEquals } from "@std/assert";
import {
  type Loss,
  MCPConnectionError,
  MCPError,
  MCPWebSocketClient,
  type MCPWebSocketClientOptions,
} from "../../../client/mod.ts";
import { MCPWebSocketServer } from "../../../server/mod.ts";
import type { Json } from "../../support/json_socket.ts";
import { recordLog } from "../../support/recorded_log.ts";
import { type Script, ScriptedServer } from "../../support/scripted_server.ts";

/** What the victim shows to be let in, and nobody else may ever see. */
export const SECRET = "token-that-nobody-else-may-see";
/** Whatever takes longer hangs, in milliseconds. */
const PATIENCE = 20_000;
const EVENTS = ["error", "statechange", "lost", "recovered", "sessionlost", "moved"] as const;

/** The client under attack, with all that it tells. */
export class Victim implements AsyncDisposable {
  readonly client: MCPWebSocketClient;
  /** Errors that were told outside calls. */
  readonly errors: Error[] = [];
  /** How connections were lost. */
  readonly losses: Loss[] = [];
  /** Lines of its log. */
  readonly log: readonly string[];
  /** Everything that was told, as text. */
  readonly #told: string[] = [];

  constructor(url: string, options: MCPWebSocketClientOptions = {}) {
    const { logger, lines } = recordLog();
    this.log = lines;
    this.client = new MCPWebSocketClient(url, {
      token: SECRET,
      logger,
      reconnect: false,
      heartbeat: false,
      statsInterval: false,
      connectTimeout: 10_000,
      probeTimeout: 10_000,
      requestTimeout: 10_000,
      ...options,
    });
    for (const type of EVENTS) {
      this.client.addEventListener(type, ({ detail }) => {
        if ("error" in detail) this.errors.push(detail.error);
        if ("loss" in detail) this.losses.push(detail.loss);
        this.#told.push(tell(detail));
      });
    }
  }

  /** What connecting fails with; `undefined` if it succeeds. It settles, or the test fails. */
  async connect(): Promise<MCPError | undefined> {
    return await this.#failure(this.client.connect());
  }

  /** What a request fails with; `undefined` if it is answered. It settles, or the test fails. */
  async ask(method = "tools/list", params?: Json): Promise<MCPError | undefined> {
    return await this.#failure(this.client.request(method, params));
  }

  /** The answer to a request. */
  async request(method: string, params?: Json): Promise<Json> {
    return await settled(this.client.request(method, params));
  }

  /** Closes, and checks that nobody was told the secret. */
  async [Symbol.asyncDispose](): Promise<void> {
    await settled(this.client.disconnect());
    const all = [...this.#told, ...this.log].join("\n");
    assertEquals(all.includes(SECRET), false, "The secret was told");
    const lines = this.log.filter((line) => /\p{Cc}/u.test(line));
    assertEquals(lines, [], "A line of the log holds control characters");
  }

  async #failure(promise: Promise<unknown>): Promise<MCPError | undefined> {
    try {
      await settled(promise);
      return undefined;
    } catch (error) {
      assert(error instanceof MCPError, `Not a documented error: ${tell(error)}`);
      this.#told.push(tell(error));
      return error;
    }
  }
}

/** A client of another server in the same process, which is served all along. */
class Bystander implements AsyncDisposable {
  readonly #server = new MCPWebSocketServer({ name: "sound", version: "1.0.0" });
  #client: MCPWebSocketClient | undefined;
  readonly #over = new AbortController();
  #asking: Promise<number> = Promise.resolve(0);

  async open(): Promise<void> {
    this.#server.handle("tools/list", () => ({ tools: [] }));
    const { url } = await this.#server.start({ port: 0 });
    this.#client = new MCPWebSocketClient(url);
    await this.#client.connect();
    this.#asking = this.#ask(this.#client);
  }

  /** Fails unless every request was answered, also the last one. */
  async assertServed(): Promise<void> {
    this.#over.abort();
    assert(await settled(this.#asking) > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#asking.catch(() => {});
    await this.#client?.disconnect();
    await this.#server[Symbol.asyncDispose]();
  }

  async #ask(client: MCPWebSocketClient): Promise<number> {
    let answers = 0;
    do {
      await client.request("tools/list");
      answers++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    } while (!this.#over.signal.aborted);
    await client.request("tools/list");
    return answers;
  }
}

/** What a test of an attack does. */
export type Attack = (victim: Victim, server: ScriptedServer) => Promise<void>;

/**
 * A test in which a hostile server serves a client. All that was opened is
 * closed, nothing was polluted, no secret was told, and another connection in the same
 * process was served all along.
 *
 * @param name What holds.
 * @param script What the server does to each connection.
 * @param attack What the client does, and what must come of it.
 * @param options For the client.
 */
export function hostileTest(
  name: string,
  script: Script,
  attack: Attack,
  options: MCPWebSocketClientOptions = {},
): void {
  Deno.test(name, async () => {
    await using bystander = new Bystander();
    await bystander.open();
    {
      await using server = new ScriptedServer(script);
      await using victim = new Victim(server.url, options);
      await attack(victim, server);
    }
    await bystander.assertServed();
    assertEquals(Reflect.get({}, "polluted"), undefined);
  });
}

/** What a promise settles with; one that does not in good time fails the test. */
export async function settled<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Nothing came in ${PATIENCE} ms`)), PATIENCE);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Fails unless it is a connection error with these properties. */
export function assertConnectionError(
  error: unknown,
  expected: { kind?: string; status?: number; code?: number; retryable?: boolean; cause?: string },
): void {
  assert(error instanceof MCPConnectionError, `Not a connection error: ${tell(error)}`);
  const { kind, status, code, retryable, verdict } = error;
  const found: Record<string, unknown> = { kind, status, code, retryable, cause: verdict?.cause };
  for (const [name, value] of Object.entries(expected)) {
    assertEquals(found[name], value, `${name} of ${tell(error)}`);
  }
}

/** Everything an error or an event says, with its causes. */
function tell(value: unknown): string {
  return Deno.inspect(value, { depth: 10, strAbbreviateSize: 1e6 });
}
