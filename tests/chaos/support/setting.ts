import { MCPWebSocketClient, type MCPWebSocketClientOptions } from "../../../client/mod.ts";
import { MCPWebSocketServer, type MCPWebSocketServerOptions } from "../../../server/mod.ts";
import { ChaosLink, type ChaosLinkOptions } from "../../support/chaos_link.ts";
import { until } from "../../support/until.ts";

/** Options of {@linkcode Setting.open}. */
export interface SettingOptions extends ChaosLinkOptions {
  /** For the client; in the legacy era unless told otherwise. */
  readonly client?: MCPWebSocketClientOptions;
  /** For the server. */
  readonly server?: Partial<MCPWebSocketServerOptions>;
}

/** Methods that servers of these tests answer. */
export const ECHO = "chaos/echo";
/** Answers when it is released; see {@linkcode CountingServer.release}. */
export const HOLD = "chaos/hold";

/** A server that counts how often each request is handled. */
export class CountingServer implements AsyncDisposable {
  readonly server: MCPWebSocketServer;
  /** How often a handler was called, by the number of its request. */
  readonly handled: Map<unknown, number> = new Map();
  readonly #released = Promise.withResolvers<void>();
  port = 0;

  /** @param options For the server. */
  constructor(options: Partial<MCPWebSocketServerOptions> = {}) {
    this.server = new MCPWebSocketServer({ name: "counting", version: "1.0.0", ...options });
    this.server.handle(ECHO, ({ n, text }) => {
      this.#count(n);
      return { n, text };
    });
    this.server.handle(HOLD, async ({ n }) => {
      this.#count(n);
      await this.#released.promise;
      return { n };
    });
  }

  /** Listens. */
  async start(port = 0): Promise<void> {
    this.port = (await this.server.start({ port })).port;
  }

  /** Lets all be answered that is held. */
  release(): void {
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    await this.server.stop({ timeout: 0 });
  }

  #count(n: unknown): void {
    this.handled.set(n, (this.handled.get(n) ?? 0) + 1);
  }
}

/** A client, a server, and a link between them. */
export class Setting implements AsyncDisposable {
  readonly client: MCPWebSocketClient;
  readonly counting: CountingServer;
  readonly link: ChaosLink;
  /** What happened to the session, in order. */
  readonly events: string[] = [];
  #calls = 0;

  private constructor(counting: CountingServer, options: SettingOptions) {
    this.counting = counting;
    this.link = ChaosLink.open(counting.port, options);
    this.client = new MCPWebSocketClient(this.link.url(), {
      era: "legacy",
      // Links fail on purpose here.
      dialLimit: false,
      ...options.client,
    });
    for (const type of ["lost", "resumed", "sessionlost"] as const) {
      this.client.transport.addEventListener(type, () => this.events.push(type));
    }
  }

  /** Connects the client. */
  static async open(options: SettingOptions = {}): Promise<Setting> {
    const counting = new CountingServer(options.server);
    await counting.start();
    const setting = new Setting(counting, options);
    await setting.client.connect();
    return setting;
  }

  /** Calls a method, and checks that the answer is the right one. Returns the number of the call. */
  async call(text = "", method: string = ECHO): Promise<number> {
    const n = this.#calls++;
    const answer = await this.client.request<{ n: number; text?: string }>(method, { n, text });
    const isRight = answer.n === n && (method !== ECHO || answer.text === text);
    if (!isRight) throw new Error(`Not the answer to ${n}`);
    return n;
  }

  /** Resolves when the session has gone on so often. */
  async resumed(times = 1): Promise<void> {
    await until(() => this.events.filter((event) => event === "resumed").length >= times);
  }

  /** What was not handled exactly once of all that was called. */
  get wrong(): number[] {
    const numbers = Array.from({ length: this.#calls }, (_, n) => n);
    return numbers.filter((n) => this.counting.handled.get(n) !== 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.disconnect();
    await this.counting[Symbol.asyncDispose]();
    await this.link.close();
  }
}

/** Dials at once after every loss, without any pause. */
export function hurry(client: MCPWebSocketClient): void {
  client.addEventListener("statechange", ({ detail }) => {
    if (detail.state.status === "reconnecting") queueMicrotask(() => client.reconnect());
  });
}
