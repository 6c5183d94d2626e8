import type { ChannelSink } from "../protocol/channel.ts";
import type { Clock } from "../protocol/clock.ts";
import type { EndName } from "../protocol/session/control.ts";
import type { Compression } from "./compression.ts";
import type { SessionBudget } from "./session_budget.ts";
import { SessionChannel, type SessionChannelOptions, type Settled } from "./session_channel.ts";
import type { SessionEnding } from "./session_meter.ts";
import type { SessionSettings } from "./session_options.ts";
import type { Visitor } from "./visitor.ts";

/** Who serves a session. */
export interface SessionService {
  /** Serves it; called once, when its connection has been attached. */
  serve(): void;
  /** Its client has come back, perhaps with another credential. */
  resumed(visitor: Visitor): void;
}

/** What all sessions of a host have in common. */
export interface SessionKeeper {
  /** Bounds. */
  readonly settings: SessionSettings;
  /** Who the server is; clients are told. */
  readonly server: EndName | undefined;
  /** Compresses frames, if that is wanted. */
  readonly compression: Compression | undefined;
  /** Where time comes from. */
  readonly clock: Clock;
  /** A session has lost or given up a connection. */
  detached(code: number): void;
  /** A session has ended. */
  ended(session: LiveSession, code: number, ending: SessionEnding): void;
  /** Notes a message elsewhere, too, if there is such a place. Returns what is told when the client has it. */
  journal(
    session: LiveSession,
    text: string,
    settled: Settled | undefined,
  ): Settled | undefined;
  /** Something happened that is of interest to whoever looks for a fault. */
  log(text: string): void;
}

/** Which session it is. */
export interface SessionName {
  /** What the store knows it by. */
  readonly key: string;
  /** What its client calls it in logs: a label, not a secret. */
  readonly label: string;
  /** Whom it belongs to, where that is known. */
  readonly owner: string | undefined;
}

/** A session that lives in this process: all that is kept of how it came about. */
export class LiveSession implements SessionChannelOptions {
  /** What the store knows it by. */
  readonly key: string;
  /** Whom it belongs to, where that is known. */
  readonly owner: string | undefined;
  /** See {@linkcode SessionChannelOptions}. */
  readonly budget: SessionBudget;
  /** Its messages. */
  readonly channel: SessionChannel;
  /** Whoever holds a lower one has lost the session. */
  generation: number;
  /** Who serves it, once somebody does. */
  service: SessionService | undefined;
  readonly #keeper: SessionKeeper;
  readonly #label: string;

  /**
   * @param keeper What it has in common with others.
   * @param name Which session it is.
   * @param generation Of the claim that made it.
   * @param budget The room that it shares.
   * @param sink Who listens.
   */
  constructor(
    keeper: SessionKeeper,
    { key, label, owner }: SessionName,
    generation: number,
    budget: SessionBudget,
    sink: ChannelSink,
  ) {
    this.key = key;
    this.owner = owner;
    this.budget = budget;
    this.generation = generation;
    this.#keeper = keeper;
    this.#label = label;
    this.channel = new SessionChannel(sink, this);
  }

  /** See {@linkcode SessionChannelOptions}. */
  get settings(): SessionSettings {
    return this.#keeper.settings;
  }

  /** See {@linkcode SessionChannelOptions}. */
  get server(): EndName | undefined {
    return this.#keeper.server;
  }

  /** See {@linkcode SessionChannelOptions}. */
  get compression(): Compression | undefined {
    return this.#keeper.compression;
  }

  /** See {@linkcode SessionChannelOptions}. */
  get clock(): Clock {
    return this.#keeper.clock;
  }

  /** See {@linkcode SessionChannelOptions}. */
  onEnd(code: number, ending: SessionEnding): void {
    this.#keeper.ended(this, code, ending);
  }

  /** See {@linkcode SessionChannelOptions}. */
  onDetach(code: number): void {
    this.#keeper.detached(code);
  }

  /** See {@linkcode SessionChannelOptions}. */
  journal(text: string, settled: Settled | undefined): Settled | undefined {
    return this.#keeper.journal(this, text, settled);
  }

  /** See {@linkcode SessionChannelOptions}. */
  log(text: string): void {
    this.#keeper.log(`Session ${this.#label} ${text}`);
  }
}
