import { createHash } from "node:crypto";
import type { OpenChannel } from "../protocol/channel.ts";
import type { Clock } from "../protocol/clock.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { toError } from "../protocol/errors.ts";
import { guard, isPromiseLike } from "../protocol/guard.ts";
import type { CloseInfo, Link } from "../protocol/link.ts";
import { type CompressionTotals, noCompression } from "../protocol/session/compression_totals.ts";
import { type EndName, type Hello, welcomeFrame } from "../protocol/session/control.ts";
import { Compression } from "./compression.ts";
import { dismiss } from "./farewell.ts";
import { LiveSession, type SessionKeeper, type SessionService } from "./live_session.ts";
import { Reception } from "./reception.ts";
import { SessionBudgets } from "./session_budgets.ts";
import { type SessionChannel, type Settled, welcomeTerms } from "./session_channel.ts";
import type { SessionEnding, SessionMeter, SessionRefusal } from "./session_meter.ts";
import type { SessionSettings } from "./session_options.ts";
import { type ClaimOutcome, MemorySessionStore, type SessionStore } from "./session_store.ts";
import { Turns } from "./turns.ts";
import type { Visitor } from "./visitor.ts";

/** Why a client has to leave before it has a session. */
export interface Unidentified extends CloseInfo {
  /** Says that it has to. */
  readonly type: "refuse";
}

/** What a {@linkcode SessionHost} does with what it receives. */
export interface SessionHostEvents {
  /**
   * Finds out whose a connection is, with the token of its hello, if it has one.
   * It never throws or rejects.
   */
  identify(
    visitor: Visitor,
    token: string | undefined,
  ): Visitor | Unidentified | Promise<Visitor | Unidentified>;
  /** Why the owner may not open one more session; `undefined` if it may. */
  findCrowd(owner: string | undefined): "full" | "crowded" | undefined;
  /** Makes the transport of a new session. */
  open(channel: OpenChannel, visitor: Visitor): SessionService;
  /** A connection turned out to speak plain MCP; whoever takes it over gets its first frames. */
  plain(link: Link, visitor: Visitor, frames: readonly string[]): void;
  /** Something failed that is not the client's fault. */
  failed(error: Error): void;
  /** Something happened that is of interest to whoever looks for a fault. */
  log(text: string): void;
}

/** Options of {@linkcode SessionHost}. */
export interface SessionHostOptions {
  /** Bounds. */
  readonly settings: SessionSettings;
  /** How many sessions there may be. */
  readonly maxSessions: number;
  /** How many of them one principal may have. */
  readonly maxSessionsPerPrincipal: number;
  /** Who the server is; clients are told. */
  readonly server: EndName | undefined;
  /** Who serves sessions. */
  readonly events: SessionHostEvents;
  /** Told what there is to count. */
  readonly meter?: SessionMeter | undefined;
  /** Counts what is compressed. */
  readonly compressed?: CompressionTotals | undefined;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** Who asks for a session. */
interface Claimant {
  readonly reception: Reception;
  readonly visitor: Visitor;
  readonly hello: Hello;
  /** What the store knows the session by. */
  readonly key: string;
}

/** How a refused claim is told: the code, and words fit for the client. */
const REFUSALS: {
  readonly [Type in Exclude<ClaimOutcome["type"], "created" | "resumed" | "unknown">]: CloseInfo;
} = {
  ended: { code: CLOSE_CODES.DONE, reason: "The session was ended" },
  stale: { code: CLOSE_CODES.REPLACED, reason: "A later connection was accepted before" },
  forbidden: { code: CLOSE_CODES.FORBIDDEN, reason: "The session belongs to somebody else" },
  full: { code: CLOSE_CODES.AT_CAPACITY, reason: "The server is at capacity" },
  crowded: { code: CLOSE_CODES.AT_CAPACITY, reason: "Too many sessions of this principal" },
};
const IMPOSSIBLE: CloseInfo & { readonly cause: SessionRefusal } = {
  cause: "impossible",
  code: CLOSE_CODES.BAD_CONTROL,
  reason: "More was received than was ever sent",
};
const LEAVING_REASON = "Server is shutting down";

/** Codes that say to the client that the session is over for good. */
const FINAL_CODES: ReadonlySet<number> = new Set([CLOSE_CODES.DONE, CLOSE_CODES.FORBIDDEN]);

/** The share of all bytes above which senders wait; only who does not wait gets further. */
const PATIENCE = 7 / 8;

/** Connections that may be without a session at the same time. */
const MAX_RECEPTIONS = 1_024;

/** Receives connections and brings each to its session: a new one, or the one it was lost from. */
export class SessionHost {
  readonly #options: SessionHostOptions;
  readonly #store: SessionStore;
  readonly #budgets: SessionBudgets;
  readonly #compression: Compression | undefined;
  readonly #live = new Map<string, LiveSession>();
  readonly #keeper: SessionKeeper;
  readonly #receptions = new Set<Reception>();
  /** Connections that were told to leave and have not yet. */
  readonly #leaving = new Set<Promise<void>>();
  /** What is asked of the store, by session: an answer may take its time, but no other's place. */
  readonly #turns: Turns = new Turns();
  readonly #unwatch: (() => void) | undefined;
  #isClosing = false;

  /** @param options Bounds, and who serves sessions. */
  constructor(options: SessionHostOptions) {
    const { settings, maxSessions, maxSessionsPerPrincipal, clock } = options;
    const { compressed = noCompression() } = options;
    this.#options = options;
    this.#compression = settings.compression && new Compression(settings.compression, compressed);
    const patientBytes = settings.maxTotalBytes * PATIENCE;
    this.#budgets = new SessionBudgets(patientBytes, settings.maxBytesPerPrincipal);
    this.#store = settings.store ??
      new MemorySessionStore({
        clock,
        maxSessions,
        maxSessionsPerPrincipal,
        tombstoneMs: settings.windowMs,
      });
    this.#keeper = this.#createKeeper();
    this.#unwatch = this.#store.watch?.((key, generation) => this.#lose(key, generation));
  }

  /** How many sessions live here. */
  get size(): number {
    return this.#live.size;
  }

  /** How many of them are without a connection. */
  get detached(): number {
    return this.#budgets.total.detached;
  }

  /** Bytes that sessions hold for their clients. */
  get bufferedBytes(): number {
    return this.#budgets.total.used;
  }

  /** Connections of which it is not known yet whether they belong to a session. */
  get undecided(): number {
    return this.#receptions.size;
  }

  /** Whether one more connection may be received. */
  get hasRoom(): boolean {
    return this.#receptions.size < MAX_RECEPTIONS;
  }

  /** Takes a connection that negotiated sessions. */
  receive(link: Link, visitor: Visitor): void {
    const reception = new Reception(link, {
      hello: (reception, hello) => this.#identify(reception, hello, visitor),
      plain: (reception) => this.#servePlain(reception, visitor),
      refused: (reception, code, reason) => {
        const cause = code === CLOSE_CODES.TRY_AGAIN_LATER ? "timeout" : "protocol";
        this.#dismiss(reception, { code, reason }, cause);
      },
      gone: (reception) => this.#receptions.delete(reception),
    }, this.#options.clock);
    this.#receptions.add(reception);
  }

  /** Opens no new sessions from now on; those that live can still be resumed. */
  retire(): void {
    this.#isClosing = true;
  }

  /**
   * Sends away the connections that never became a session.
   *
   * @returns Resolves within a second, when all have left.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#unwatch?.();
    for (const reception of this.#receptions) {
      const info = { code: CLOSE_CODES.GOING_AWAY, reason: LEAVING_REASON };
      this.#dismiss(reception, info, "closing");
    }
    await Promise.all(this.#leaving);
  }

  #identify(reception: Reception, hello: Hello, visitor: Visitor): void {
    const conclude = (known: Visitor | Unidentified) => {
      if (!("type" in known)) return this.#judge(reception, hello, known);
      this.#dismiss(reception, known, "unauthenticated");
    };
    const known = this.#options.events.identify(visitor, hello.auth);
    if (isPromiseLike(known)) known.then(conclude);
    else conclude(known);
  }

  #judge(reception: Reception, hello: Hello, visitor: Visitor): void {
    // The store never sees a token: whoever reads it cannot resume anything.
    const key = createHash("sha256").update(hello.token).digest("hex");
    this.#turns.take(key, () => this.#claim({ reception, hello, visitor, key }));
  }

  #claim(claimant: Claimant): void | Promise<void> {
    const { reception, hello, visitor, key } = claimant;
    // It may have left while others were served.
    if (!this.#receptions.has(reception)) return;
    const fail = (thrown: unknown) => {
      this.#options.events.failed(toError(thrown));
      const info = { code: CLOSE_CODES.INTERNAL_ERROR, reason: "Internal error" };
      this.#dismiss(reception, info, "failed");
    };
    try {
      const { attempt, resume } = hello;
      const decide = (outcome: ClaimOutcome) => this.#decide(claimant, outcome);
      const principal = visitor.principal?.id;
      const outcome = this.#store.claim({ key, principal, attempt, resume });
      if (isPromiseLike(outcome)) return Promise.resolve(outcome).then(decide).catch(fail);
      return decide(outcome);
    } catch (thrown) {
      fail(thrown);
    }
  }

  /** Nobody else has a turn at the session before what is returned has come to its end. */
  #decide(claimant: Claimant, outcome: ClaimOutcome): void | Promise<void> {
    const { reception, key } = claimant;
    // It may have left, or been sent away, while the store was asked.
    if (!this.#receptions.has(reception)) return this.#leave(key, outcome);
    switch (outcome.type) {
      case "created":
        return this.#create(claimant, outcome.generation);
      case "resumed":
        return this.#resume(claimant, outcome.generation);
      case "unknown":
        return this.#disown(reception, "unknown", "The session is unknown");
      default:
        this.#dismiss(reception, REFUSALS[outcome.type], outcome.type);
    }
  }

  #create(claimant: Claimant, generation: number): void | Promise<void> {
    const { reception, hello, key, visitor } = claimant;
    const refusal = this.#findRefusal(claimant);
    if (refusal !== undefined) {
      this.#dismiss(reception, refusal, refusal.cause);
      return this.#end(key, generation, false);
    }
    this.#disinherit(key);
    const service = this.#options.events.open((sink) => {
      const owner = visitor.principal?.id;
      const name = { key, label: hello.session, owner };
      const budget = this.#budgets.take(owner);
      const live = new LiveSession(this.#keeper, name, generation, budget, sink);
      this.#live.set(key, live);
      return live.channel;
    }, visitor);
    this.#options.meter?.sessionOpened();
    const live = this.#live.get(key);
    if (live !== undefined) {
      live.service = service;
      this.#hand(reception, hello, live.channel, false);
    }
    service.serve();
  }

  #createKeeper(): SessionKeeper {
    const { settings, server, clock, events, meter } = this.#options;
    return {
      settings,
      server,
      clock,
      compression: this.#compression,
      detached: (code) => meter?.connectionClosed(code),
      ended: (session, code, ending) => this.#conclude(session, code, ending),
      journal: (session, text, settled) => this.#journal(session, text, settled),
      log: (text) => events.log(text),
    };
  }

  #conclude(session: LiveSession, code: number, ending: SessionEnding): void {
    const { key, owner, generation } = session;
    this.#options.meter?.sessionEnded(ending);
    this.#budgets.giveBack(owner);
    // If somebody else has its place, the store knows that one alone.
    if (this.#live.get(key) !== session) return;
    this.#live.delete(key);
    this.#turns.take(key, () => this.#end(key, generation, FINAL_CODES.has(code)));
  }

  #findRefusal({ hello, visitor }: Claimant): (CloseInfo & { cause: SessionRefusal }) | undefined {
    if (this.#isClosing) {
      return { code: CLOSE_CODES.AT_CAPACITY, reason: LEAVING_REASON, cause: "closing" };
    }
    const cause = this.#options.events.findCrowd(visitor.principal?.id);
    if (cause !== undefined) return { ...REFUSALS[cause], cause };
    return hello.received > 0 ? IMPOSSIBLE : undefined;
  }

  /** The store has forgotten a session that lives here, and has made another one of its name. */
  #disinherit(key: string): void {
    const live = this.#live.get(key);
    this.#live.delete(key);
    live?.channel.lose();
  }

  #resume(
    { reception, hello, key, visitor }: Claimant,
    generation: number,
  ): void | Promise<void> {
    const live = this.#live.get(key);
    if (live === undefined) {
      // Another server had it, and took what it knew of it along.
      this.#disown(reception, "elsewhere", "The session is not here");
      return this.#end(key, generation, false);
    }
    live.generation = generation;
    live.service?.resumed(visitor);
    switch (this.#hand(reception, hello, live.channel, true)) {
      case "resumable":
        return;
      case "impossible":
        return this.#dismiss(reception, IMPOSSIBLE, IMPOSSIBLE.cause);
      case "lost":
        live.channel.lose();
        this.#disown(
          reception,
          "forgotten",
          "Messages were forgotten that the client does not have",
        );
    }
  }

  /** Gives the connection to its session, with what came in meanwhile. */
  #hand(
    reception: Reception,
    hello: Hello,
    channel: SessionChannel,
    resumed: boolean,
  ): "resumable" | "lost" | "impossible" {
    const { link } = reception;
    const judgement = channel.attach(link, hello, resumed);
    if (judgement !== "resumable") return judgement;
    this.#receptions.delete(reception);
    const { meter } = this.#options;
    meter?.connectionOpened("session");
    if (resumed) meter?.sessionResumed();
    for (const frame of reception.release()) channel.receive(link, frame);
    return judgement;
  }

  /** Says that there is no such session; the client may ask for a new one on the same connection. */
  #disown(reception: Reception, cause: SessionRefusal, reason: string): void {
    const { settings, server, meter } = this.#options;
    meter?.connectionRefused(cause);
    const terms = welcomeTerms(settings, server);
    reception.link.send(welcomeFrame({ resumed: false, received: 0, reason, ...terms }));
    reception.retry();
  }

  #dismiss(reception: Reception, { code, reason }: CloseInfo, cause: SessionRefusal): void {
    if (!this.#receptions.delete(reception)) return;
    reception.release();
    const { clock, events, meter } = this.#options;
    meter?.connectionRefused(cause);
    events.log(`Connection sent away with ${code}: ${reason}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#leaving.add(promise);
    dismiss(reception.link, { code, reason }, clock, () => {
      this.#leaving.delete(promise);
      resolve();
    });
  }

  #servePlain(reception: Reception, visitor: Visitor): void {
    this.#receptions.delete(reception);
    this.#options.events.plain(reception.link, visitor, reception.release());
  }

  /** Somebody else has claimed a session that lives here; it may have been this very server. */
  #lose(key: string, generation: number): void {
    this.#turns.take(key, () => {
      const live = this.#live.get(key);
      if (live !== undefined && live.generation < generation) live.channel.lose();
    });
  }

  /** The claim was granted to a connection that has gone meanwhile. */
  #leave(key: string, outcome: ClaimOutcome): void | Promise<void> {
    if (outcome.type !== "created" && outcome.type !== "resumed") return;
    const { generation } = outcome;
    const live = this.#live.get(key);
    if (outcome.type === "created" || live === undefined) return this.#end(key, generation, false);
    live.generation = generation;
  }

  #end(key: string, generation: number, onPurpose: boolean): void | Promise<void> {
    const failed = (thrown: unknown) => this.#options.events.failed(toError(thrown));
    try {
      const ending = this.#store.end(key, generation, onPurpose);
      if (isPromiseLike(ending)) return Promise.resolve(ending).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #journal(
    session: LiveSession,
    text: string,
    settled: Settled | undefined,
  ): Settled | undefined {
    const store = this.#store;
    const { key } = session;
    const { failed } = this.#options.events;
    if (store.append === undefined) return settled;
    guard(() => store.append?.(key, session.generation, text), failed);
    return (error) => {
      if (error === undefined) guard(() => store.trim?.(key, session.generation, 1), failed);
      settled?.(error);
    };
  }
}
