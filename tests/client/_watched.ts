import { assertEquals } from "@std/assert";
import { WebSocketClientTransport } from "../../client/mod.ts";
import type { WebSocketClientOptions } from "../../client/options.ts";
import type { TransportEvents } from "../../client/transport_events.ts";
import type { Json } from "../support/json_socket.ts";
import { until } from "../support/until.ts";

/** Comes back at once. */
export const SOON: WebSocketClientOptions = {
  reconnect: { attempts: 1_000, minDelay: 1, maxDelay: 20, minUptime: 1, immediate: [] },
  dialLimit: false,
};

const EVENTS = ["lost", "recovered", "resumed", "sessionlost", "moved"] as const;

/** A transport, and all that it tells. */
export class Watched implements AsyncDisposable {
  readonly transport: WebSocketClientTransport;
  /** Messages, as the application gets them. */
  readonly messages: Json[] = [];
  /** Names of events, errors left out. */
  readonly events: string[] = [];
  /** What events told last, by their names. */
  readonly details: Json = {};
  readonly errors: Error[] = [];
  readonly statuses: string[] = [];
  closes = 0;
  #nextId = 1;

  constructor(url: string, options: WebSocketClientOptions = {}) {
    const transport = this.transport = new WebSocketClientTransport(url, { ...SOON, ...options });
    transport.onmessage = (message, extra) => this.messages.push({ ...message, lost: extra?.lost });
    transport.onerror = (error) => this.errors.push(error);
    transport.onclose = () => this.closes++;
    for (const type of EVENTS) this.#note(type);
    transport.addEventListener("statechange", ({ detail }) => {
      this.statuses.push(detail.state.status);
    });
  }

  /** Makes one that is connected. */
  static async open(url: string, options: WebSocketClientOptions = {}): Promise<Watched> {
    const watched = new Watched(url, options);
    await watched.transport.start();
    return watched;
  }

  /** Sends a request and returns its id. */
  ask(method: string, params: Json = {}, options: Json = {}): number {
    const id = this.#nextId++;
    const sent = this.transport.send({ jsonrpc: "2.0", id, method, params }, options);
    sent.catch((error) => this.errors.push(error));
    return id;
  }

  /** Sends a notification. */
  async notify(method: string, params: Json = {}, options: Json = {}): Promise<void> {
    await this.transport.send({ jsonrpc: "2.0", method, params }, options);
  }

  /** The answer to a request, as soon as it is there; none is ever there twice. */
  async answer(id: number): Promise<Json> {
    const isIt = (message: Json) => message.id === id && message.method === undefined;
    await until(() => this.messages.some(isIt));
    assertEquals(this.messages.filter(isIt).length, 1);
    return this.messages.find(isIt);
  }

  /** Sends a request and waits for its answer. */
  async request(method: string, params: Json = {}): Promise<Json> {
    return await this.answer(this.ask(method, params));
  }

  /** Opens MCP like a client of the era of `initialize`. */
  async initialize(): Promise<void> {
    await this.request("initialize", { protocolVersion: "2025-11-25", capabilities: {} });
    await this.notify("notifications/initialized");
  }

  /** Resolves when an event was told so many times. */
  async told(type: string, count = 1): Promise<void> {
    await until(() => this.events.filter((event) => event === type).length >= count);
  }

  /** Resolves when it stands so. */
  async stands(status: string): Promise<void> {
    await until(() => this.transport.state.status === status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
  }

  #note<Type extends typeof EVENTS[number]>(type: Type): void {
    this.transport.addEventListener(type, ({ detail }) => {
      this.events.push(type);
      this.details[type] = detail satisfies TransportEvents[Type];
    });
  }
}
