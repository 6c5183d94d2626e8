import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import { type FrameSizes, isFrameSize, MIN_FRAME_BYTES } from "../../protocol/session/frames.ts";
import { type Lane, Outgoing } from "../../protocol/session/outgoing.ts";
import { contentOf, mayRepeat } from "./messages.ts";
import type { Totals } from "./totals.ts";
import { Violation } from "./violation.ts";

/** A message that was given to one end of a session. */
interface Entry {
  readonly tag: number;
  readonly of: number | undefined;
  readonly text: string;
  readonly lane: Lane;
  readonly bytes: number;
  readonly mayRepeat: boolean;
  /** Set when it was taken back, or given up. */
  isWithdrawn: boolean;
  isDelivered: boolean;
}

/** Told of a message. */
export interface Tracker {
  /** How it went. */
  readonly settled: (error?: Error) => void;
  /** That nobody will tell. */
  readonly untold: () => void;
}

/** What is known of the run as a whole. */
export class Truth {
  readonly totals: Totals;
  /** Messages that any application was given. */
  readonly delivered: Set<number> = new Set();
  /** Trackers that were not told how it went. */
  open = 0;

  constructor(totals: Totals) {
    this.totals = totals;
  }
}

/** What one end sends in one session, and what its peer makes of it. */
export class Stream {
  readonly #truth: Truth;
  readonly #name: string;
  readonly #sizes: FrameSizes;
  readonly #entries: Entry[] = [];
  readonly #views: View[] = [];
  #open = 0;
  /** Set when the session is over at the end that sends. */
  isOver = false;
  /** Messages that never got through. */
  poisoned = 0;

  /**
   * @param truth The run.
   * @param name For whoever looks for a fault.
   * @param sizes How large the frames of the sender are.
   */
  constructor(truth: Truth, name: string, sizes: FrameSizes) {
    this.#truth = truth;
    this.#name = name;
    this.#sizes = sizes;
  }

  /** Somebody who hears the messages, each exactly once. */
  hear(): View {
    const view = new View(this.#truth, this.#name, this.#sizes, this.#entries);
    this.#views.push(view);
    return view;
  }

  /**
   * Notes a message that is given to the session.
   *
   * @returns What is to be told once how it went.
   */
  send(message: JsonRpcMessage, text: string): Tracker {
    const content = contentOf(message);
    if (content === undefined) return { settled: () => {}, untold: () => {} };
    const { lane, bytes } = new Outgoing(message, text);
    const { tag, of } = content;
    const entry: Entry = {
      tag,
      of,
      text,
      lane,
      bytes,
      mayRepeat: mayRepeat(message),
      isWithdrawn: false,
      isDelivered: false,
    };
    this.#entries.push(entry);
    for (const view of this.#views) view.expect(entry);
    this.#count(1);
    let isSettled = false;
    const untold = () => {
      if (isSettled) throw new Violation(`${this.#name}: ${tag} was settled twice`);
      isSettled = true;
      this.#count(-1);
    };
    const settled = (error?: Error) => {
      untold();
      this.#settled(entry, error);
    };
    return { settled, untold };
  }

  /** Whoever sent has died, and nobody is told anything any more. */
  forget(): void {
    this.#count(-this.#open);
  }

  #count(change: number): void {
    this.#open += change;
    this.#truth.open += change;
  }

  #settled(entry: Entry, error: Error | undefined): void {
    const { tag, of, lane } = entry;
    if (error === undefined) {
      if (entry.isDelivered) return;
      const request = lane === "cancel" && this.#entries.find((other) => other.tag === of);
      if (!request || !request.isWithdrawn) {
        throw new Violation(`${this.#name}: ${tag} was confirmed, and not delivered`);
      }
      entry.isWithdrawn = true;
    } else if (/was cancelled|never got through/.test(error.message)) {
      if (entry.isDelivered) throw new Violation(`${this.#name}: ${tag} came, but was given up`);
      entry.isWithdrawn = true;
      if (error.message.includes("cancelled")) this.#truth.totals.withdrawn++;
    } else if (!this.isOver) {
      throw new Violation(`${this.#name}: ${tag} failed: ${error.message}`);
    }
  }
}

/** What an application gets of a stream. */
export class View {
  readonly #truth: Truth;
  readonly #name: string;
  readonly #sizes: FrameSizes;
  readonly #seen = new Set<number>();
  #expected: Entry[];
  /** All messages that came, those of the transport's own included. */
  count = 0;
  /** Messages that were given up and are not known by name. */
  poisoned = 0;

  constructor(truth: Truth, name: string, sizes: FrameSizes, entries: readonly Entry[]) {
    this.#truth = truth;
    this.#name = name;
    this.#sizes = sizes;
    this.#expected = entries.filter(({ isWithdrawn }) => !isWithdrawn);
  }

  /** Messages that are still to come. */
  get missing(): number {
    const missing = this.#expected.filter(({ isWithdrawn }) => !isWithdrawn).length;
    return Math.max(missing - this.poisoned, 0);
  }

  expect(entry: Entry): void {
    this.#expected.push(entry);
  }

  /** Checks a message that the application is given. */
  deliver(message: JsonRpcMessage, text: string): void {
    this.count++;
    const content = contentOf(message);
    if (content === undefined) return;
    const { tag } = content;
    const name = `${this.#name}: ${tag}`;
    const index = this.#expected.findIndex((entry) => entry.tag === tag);
    const entry = this.#expected[index];
    if (entry === undefined) {
      const fault = this.#seen.has(tag) ? "came twice" : "is not of this session";
      throw new Violation(`${name} ${fault}`);
    }
    if (entry.isWithdrawn) throw new Violation(`${name} came, although it was given up`);
    if (entry.text !== text) throw new Violation(`${name} was changed on the way`);
    if (!entry.mayRepeat && this.#truth.delivered.has(tag)) {
      throw new Violation(`${name} came in two sessions`);
    }
    this.#checkOrder(entry, index);
    entry.isDelivered = true;
    this.#seen.add(tag);
    this.#truth.delivered.add(tag);
    if (index === 0) this.#expected.shift();
    else this.#expected.splice(index, 1);
  }

  /** What was sent before and has not come was passed: it is in pieces, and allows that. */
  #checkOrder(entry: Entry, index: number): void {
    let wronged = 0;
    for (const passed of this.#expected.slice(0, index)) {
      if (passed.isWithdrawn || this.#mayPass(entry, passed)) continue;
      if (++wronged <= this.poisoned) continue;
      const text = `${entry.lane} ${entry.tag} came before ${passed.lane} ${passed.tag}`;
      throw new Violation(`${this.#name}: ${text}`);
    }
  }

  #mayPass(entry: Entry, passed: Entry): boolean {
    const mayBeInPieces = !isFrameSize(passed.bytes, this.#sizes) || passed.bytes > MIN_FRAME_BYTES;
    if (!mayBeInPieces || !isFrameSize(entry.bytes, this.#sizes)) return false;
    switch (entry.lane) {
      case "request":
        return true;
      case "response":
        return passed.lane !== "notification";
      case "cancel":
        return passed.tag !== entry.of;
      case "notification":
        return false;
    }
  }
}

/** A session as the client knows it. */
export interface SessionTruth {
  /** Counts sessions. */
  readonly serial: number;
  /** What the client sends in it. */
  readonly up: Stream;
  /** What the client gets, once a server has spoken. */
  down: View | undefined;
}
