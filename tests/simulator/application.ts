import type { Clock } from "../../protocol/clock.ts";
import type {
  JsonRpcMessage,
  JsonRpcNotification,
  JsonRpcResponse,
  RequestId,
} from "../../protocol/jsonrpc.ts";
import { CANCELLED, INITIALIZE, INITIALIZED, PROGRESS } from "../../protocol/mcp.ts";
import type { Dice } from "./dice.ts";
import { contentOf, type MessageMaker, SAFE_METHOD, UNSAFE_METHOD } from "./messages.ts";
import { Violation } from "./violation.ts";

/** What an application needs. */
export interface ApplicationOptions {
  /** For whoever looks for a fault. */
  readonly name: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly maker: MessageMaker;
  /** Whether a message was given up that may have been a report. */
  readonly mayLackProgress: () => boolean;
  /** Sends a message. */
  readonly send: (message: JsonRpcMessage) => void;
}

/** A request of this application that waits for its answer. */
interface Asked {
  readonly tag: number;
  progress: number;
}

/** A request of the other application. */
interface Served {
  readonly tag: number;
  isCancelled: boolean;
}

/** The longest time that an application thinks about an answer, in milliseconds. */
const MAX_THOUGHT = 3_000;

/** Asks, answers, reports and cancels, and holds what it gets against what it asked for. */
export class Application {
  readonly #options: ApplicationOptions;
  readonly #asked = new Map<RequestId, Asked>();
  readonly #served = new Map<RequestId, Served>();
  /** Requests that were cancelled: their answers may still come. */
  readonly #cancelled = new Set<RequestId>();
  #nextId = 1;
  #isOver = false;

  constructor(options: ApplicationOptions) {
    this.#options = options;
  }

  /** Requests that wait for their answer. */
  get waiting(): number {
    return this.#asked.size;
  }

  /** Requests that it has not answered. */
  get serving(): number {
    return [...this.#served.values()].filter(({ isCancelled }) => !isCancelled).length;
  }

  /** Sends the opening request, as peers of the older era do. */
  initialize(): void {
    const id = this.#nextId++;
    this.#asked.set(id, { tag: 0, progress: 0 });
    const params = { protocolVersion: "2025-06-18", capabilities: {} };
    this.#options.send({ jsonrpc: "2.0", id, method: INITIALIZE, params });
  }

  /** Sends something by itself. */
  speak(): void {
    const { dice, maker, send } = this.#options;
    if (dice.happens(0.4)) return send(maker.notification());
    const isLarge = dice.happens(0.1);
    const id = this.#nextId++;
    const method = dice.happens(0.5) ? SAFE_METHOD : UNSAFE_METHOD;
    const request = maker.request(id, method, isLarge);
    const tag = contentOf(request)?.tag ?? 0;
    this.#asked.set(id, { tag, progress: 0 });
    send(request);
    // The larger it is, the more likely it is cancelled half-way.
    if (dice.happens(isLarge ? 0.4 : 0.1)) this.#cancelLater(id, tag);
  }

  /** The session is lost with all that the other application had begun. */
  startOver(): void {
    for (const asked of this.#asked.values()) asked.progress = 0;
  }

  /** It is over: nothing is said any more. */
  end(): void {
    this.#isOver = true;
    this.#asked.clear();
    this.#served.clear();
  }

  /** Takes a message. */
  receive(message: JsonRpcMessage): void {
    if (!("method" in message)) return this.#answered(message);
    if ("id" in message && message.id !== undefined) {
      return this.#serve(message.id, contentOf(message)?.tag ?? 0, message.method);
    }
    if (message.method === CANCELLED) this.#cancel(message);
    else if (message.method === PROGRESS) this.#progress(message);
  }

  #cancelLater(id: RequestId, tag: number): void {
    const { dice, clock, maker, send } = this.#options;
    const cancel = () => {
      if (this.#isOver || !this.#asked.delete(id)) return;
      this.#cancelled.add(id);
      send(maker.cancel(id, tag));
    };
    if (dice.happens(0.3)) cancel();
    else clock.after(dice.skewed(1, 1_000), cancel);
  }

  #serve(id: RequestId, tag: number, method: string): void {
    const { dice, clock, name } = this.#options;
    // The transport's own requests have negative ids, and may come again.
    if (this.#served.has(id) && tag > 0) {
      throw new Violation(`${name}: request ${id} came, and is open`);
    }
    const served: Served = { tag, isCancelled: false };
    this.#served.set(id, served);
    const reports = tag > 0 && dice.happens(0.2) ? dice.between(1, 3) : 0;
    const work = (reported: number) => {
      if (this.#isOver || this.#served.get(id) !== served) return;
      // Who is cancelled may not have heard of it in time.
      if (served.isCancelled && dice.happens(0.5)) return void this.#served.delete(id);
      if (reported < reports) {
        this.#options.send(this.#options.maker.progress(id, tag, reported + 1));
        clock.after(dice.skewed(1, MAX_THOUGHT / 3), () => work(reported + 1));
        return;
      }
      this.#served.delete(id);
      this.#options.send(this.#answer(id, tag, reports, method));
    };
    if (dice.happens(0.2)) work(0);
    else clock.after(dice.skewed(1, MAX_THOUGHT), () => work(0));
  }

  #answer(id: RequestId, tag: number, reports: number, method: string): JsonRpcMessage {
    if (method !== INITIALIZE) return this.#options.maker.response(id, tag, reports);
    const result = { of: 0, progress: 0, protocolVersion: "2025-06-18", capabilities: {} };
    return { jsonrpc: "2.0", id, result };
  }

  #answered(message: JsonRpcResponse): void {
    const { name, send, mayLackProgress } = this.#options;
    const id = message.id ?? "";
    const asked = this.#asked.get(id);
    if (asked === undefined) {
      if (this.#cancelled.delete(id)) return;
      throw new Violation(`${name}: an answer to ${id} came, which nobody waits for`);
    }
    this.#asked.delete(id);
    if ("error" in message) {
      if (message.error.code === -32_000) return;
      throw new Violation(`${name}: ${id} failed: ${message.error.message}`);
    }
    const { of, progress } = message.result;
    if (of !== asked.tag) throw new Violation(`${name}: ${id} got the answer to another request`);
    if (progress !== asked.progress && !mayLackProgress()) {
      throw new Violation(`${name}: the answer to ${id} came before its own progress`);
    }
    if (asked.tag === 0) send({ jsonrpc: "2.0", method: INITIALIZED });
  }

  #progress({ params = {} }: JsonRpcNotification): void {
    const { progressToken: id, of, progress } = params;
    const asked = this.#asked.get(id as RequestId);
    if (asked === undefined) return;
    const { name, mayLackProgress } = this.#options;
    if (of !== asked.tag) throw new Violation(`${name}: ${id} got the progress of another request`);
    if (progress !== ++asked.progress && !mayLackProgress()) {
      throw new Violation(`${name}: ${id} lacks some progress`);
    }
  }

  #cancel({ params = {} }: JsonRpcNotification): void {
    const { requestId: id, of } = params;
    const served = this.#served.get(id as RequestId);
    // What was cancelled before comes to no harm.
    if (served === undefined || served.isCancelled) return;
    if (of !== undefined && of !== served.tag) {
      throw new Violation(`${this.#options.name}: ${id} was cancelled, and another one was meant`);
    }
    served.isCancelled = true;
  }
}
