import { delay } from "@std/async/delay";
import { retry, RetryError } from "@std/async/retry";
import type { Clock } from "../protocol/clock.ts";
import { MCPConnectionError } from "../protocol/errors.ts";
import {
  type ConnectionInput,
  type ConnectionState,
  initialState,
  transition,
} from "./connection.ts";
import type { DialLimit } from "./dial_limit.ts";
import type { ReconnectOptions } from "./options.ts";
import {
  causeOf,
  closedError,
  endError,
  extraPause,
  firstPause,
  isRetriable,
  type Loss,
  lossError,
  wasDialled,
} from "./recovery.ts";
import { isOffline, watchNetwork } from "./runtime.ts";

/** A connection that is usable. */
export interface OpenConnection {
  /** Resolves when it is lost. */
  readonly lost: Promise<Loss>;
  /** Whether it has proved its worth before its time: a session went on and got something through. */
  readonly hasProgressed: boolean;
  /** Whether the server has opened a session on it, or let one go on. */
  readonly wasWelcomed: boolean;
}

/** What a {@linkcode Supervisor} opens, and whom it tells. */
export interface SupervisorOptions {
  /** Dials once and makes the connection usable. */
  readonly open: (signal: AbortSignal) => Promise<OpenConnection>;
  /** The policy, asked after every loss. */
  readonly policy: () => ReconnectOptions | false;
  /** Whether to go on when the policy's attempts are used up: a session may still be resumed. */
  readonly mayStillResume: () => boolean;
  /** Told of every change of state. */
  readonly onState: (state: ConnectionState, previous: ConnectionState) => void;
  /** Told of every connection that was lost, before anything is tried. */
  readonly onLoss: (loss: Loss, willRetry: boolean) => void;
  /** Told once per start, when it is over. */
  readonly onEnd: (reason: Error) => void;
  /** Holds dials back when too many have failed. */
  readonly limit?: DialLimit | undefined;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** What happens between a start and the end that belongs to it. */
interface Run {
  isOver: boolean;
}

/** Dials once; the signal gives up. */
type Open = (signal: AbortSignal) => Promise<OpenConnection>;

/** How long a connection that is never repaired has to stay up to count as a success, in milliseconds. */
const MIN_UPTIME = 5_000;

/**
 * Keeps a connection: dials, watches, and dials again with backoff until it is
 * closed or gives up.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #state: ConnectionState;
  /** The present run; what still unwinds from an earlier one touches nothing. */
  #run: Run = { isOver: true };
  /** Aborted to cut the dials and pauses of a round short. */
  #round = new AbortController();
  #isNetworkDown = false;
  /** Whether a loss is being told. */
  #isLosing = false;
  /** Whether somebody asked for a dial at once, before there was a round to cut short. */
  #isUrgent = false;
  /** How often the peer asked for a fresh credential since a connection was last stable. */
  #refusals = 0;
  #unwatch: () => void = () => {};

  /** @param options What to open, and whom to tell. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#state = initialState(options.clock.now());
  }

  /** Where the connection stands. */
  get state(): ConnectionState {
    return this.#state;
  }

  /**
   * Opens the first connection.
   *
   * @param signal Gives up.
   * @throws {TypeError} If it runs already.
   * @throws {DialLimitError} If too many dials have failed.
   * @throws {MCPConnectionError} If the connection cannot be opened.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (!this.#run.isOver) {
      throw new TypeError("Cannot start transport: it has been started");
    }
    signal?.throwIfAborted();
    const run = this.#run = { isOver: false };
    this.#isNetworkDown = false;
    this.#refusals = 0;
    const abort = () => this.#fail(run, signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const connection = await this.#openFirst(run);
      if (run.isOver) throw closedError();
      this.#watch();
      this.#keep(run, connection);
    } catch (thrown) {
      const error = run.isOver ? closedError() : this.#fail(run, thrown);
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * Dials at once, where the next dial is being waited for, or will be when a
   * loss has been told.
   *
   * @returns Whether it is.
   */
  reconnect(): boolean {
    this.#isNetworkDown = false;
    const { status } = this.#state;
    if (status !== "reconnecting" && status !== "offline" && !this.#isLosing) return false;
    this.#isUrgent = true;
    this.#round.abort();
    return true;
  }

  /** Ends it. The connection itself is its opener's to close. */
  close(): void {
    this.#finish(this.#run, { type: "close" }, closedError());
  }

  async #openFirst(run: Run): Promise<OpenConnection> {
    const open: Open = (signal) => this.#open(run, signal);
    const { limit } = this.#options;
    this.#round = new AbortController();
    if (limit !== undefined && limit.waitTime() > 0) await limit.admit(this.#round.signal);
    const policy = this.#options.policy();
    if (policy !== false && policy.initial) {
      this.#watch();
      return await this.#openInRounds(run, policy, 0, open);
    }
    return await open(this.#round.signal);
  }

  /** Waits for losses and repairs them, as long as that makes sense. Never rejects. */
  async #keep(run: Run, first: OpenConnection): Promise<void> {
    let connection = first;
    try {
      for (;;) {
        const loss = await connection.lost;
        if (run.isOver) return;
        const policy = this.#lose(connection, loss, true);
        const pause = this.#isUrgent ? 0 : firstPause(loss, policy, Math.random());
        const open: Open = (signal) => this.#openToStay(run, policy, signal);
        this.#isNetworkDown ||= isOffline();
        connection = await this.#openInRounds(run, policy, pause, open);
      }
    } catch (thrown) {
      this.#fail(run, thrown);
    }
  }

  /** Notes a loss. Returns the policy to repair it by, throws if it is final. */
  #lose(connection: OpenConnection, loss: Loss, wasStable: boolean): ReconnectOptions {
    const policy = this.#options.policy();
    const { minUptime } = policy || { minUptime: MIN_UPTIME };
    const isYoung = this.#options.clock.now() - this.#state.since < minUptime;
    if (!isYoung) this.#refusals = 0;
    if (isYoung && !connection.wasWelcomed) this.#options.limit?.record();
    if (loss.pace === "refresh") this.#refusals++;
    const error = lossError(loss);
    const willRetry = this.#mayRetry(error);
    this.#isUrgent = false;
    this.#isLosing = true;
    this.#options.onLoss(loss, willRetry);
    if (policy !== false && willRetry) {
      this.#apply({ type: "lost", cause: loss.cause, wasStable });
    }
    this.#isLosing = false;
    if (this.#isUrgent) this.#round.abort();
    if (policy === false || !willRetry) throw error;
    return policy;
  }

  /** Rounds of dials: one starts afresh when somebody or the network asks for it. */
  async #openInRounds(
    run: Run,
    policy: ReconnectOptions,
    firstPause: number,
    open: Open,
  ): Promise<OpenConnection> {
    let pause = firstPause;
    for (;;) {
      this.#round = new AbortController();
      const { signal } = this.#round;
      try {
        while (this.#isNetworkDown) {
          const connection = await this.#probe(policy, signal, open);
          if (connection !== undefined) return connection;
          pause = 0;
        }
        return await this.#openWithBackoff(policy, pause, signal, open);
      } catch (thrown) {
        if (run.isOver) throw thrown;
        const isUsedUp = thrown instanceof RetryError && this.#options.mayStillResume();
        if (!signal.aborted && !isUsedUp) throw thrown;
        pause = 0;
      }
    }
  }

  async #openWithBackoff(
    policy: ReconnectOptions,
    firstPause: number,
    signal: AbortSignal,
    open: Open,
  ): Promise<OpenConnection> {
    let pause = firstPause;
    return await retry(async () => {
      await delay(this.#hold(pause), { signal });
      try {
        return await open(signal);
      } catch (error) {
        pause = extraPause(error);
        if (!signal.aborted && this.#mayRetry(error)) this.#apply(lostInput(error));
        throw error;
      }
    }, {
      maxAttempts: policy.attempts,
      minTimeout: policy.minDelay,
      maxTimeout: policy.maxDelay,
      multiplier: policy.multiplier,
      isRetriable: (error) => !signal.aborted && this.#mayRetry(error),
      signal,
    });
  }

  /** Without a network dials fail for sure: now and then one is tried all the same. */
  async #probe(
    policy: ReconnectOptions,
    signal: AbortSignal,
    open: Open,
  ): Promise<OpenConnection | undefined> {
    this.#apply({ type: "offline" });
    await delay(this.#hold(policy.maxDelay), { signal });
    try {
      return await open(signal);
    } catch (error) {
      if (signal.aborted || !this.#mayRetry(error)) throw error;
      // The network may have come back meanwhile.
      if (!this.#isNetworkDown) this.#apply(lostInput(error));
      return undefined;
    }
  }

  /** Opens a connection; one that dies young counts as a dial that failed. */
  async #openToStay(
    run: Run,
    policy: ReconnectOptions,
    signal: AbortSignal,
  ): Promise<OpenConnection> {
    const connection = await this.#open(run, signal);
    const timer = new AbortController();
    const grown = delay(policy.minUptime, { signal: timer.signal }).catch(
      () => {},
    );
    const loss = await Promise.race([connection.lost, grown]);
    timer.abort();
    if (loss === undefined || run.isOver || connection.hasProgressed) return connection;
    this.#lose(connection, loss, false);
    throw lossError(loss);
  }

  async #open(run: Run, signal: AbortSignal): Promise<OpenConnection> {
    this.#apply({ type: "dial" });
    try {
      const connection = await this.#options.open(signal);
      if (run.isOver) throw closedError();
      this.#isNetworkDown = false;
      this.#apply({ type: "opened" });
      return connection;
    } catch (error) {
      if (!run.isOver && !signal.aborted && wasDialled(error)) this.#options.limit?.record();
      const isRefusal = error instanceof MCPConnectionError && error.verdict?.pace === "refresh";
      if (isRefusal && !run.isOver) this.#refusals++;
      throw error;
    }
  }

  /** A pause that is long enough for the limit, in milliseconds. */
  #hold(pause: number): number {
    return Math.max(pause, this.#options.limit?.waitTime() ?? 0);
  }

  #mayRetry(error: unknown): boolean {
    return this.#options.policy() !== false && isRetriable(error, this.#refusals <= 1);
  }

  #watch(): void {
    this.#unwatch();
    this.#unwatch = watchNetwork(() => this.reconnect(), () => this.#pause());
  }

  #pause(): void {
    this.#isNetworkDown = true;
    const { status } = this.#state;
    if (status === "reconnecting" || status === "connecting") {
      this.#round.abort();
    }
  }

  #apply(input: ConnectionInput): void {
    const previous = this.#state;
    const next = transition(previous, input, this.#options.clock.now());
    if (next === undefined) return;
    this.#state = next;
    this.#options.onState(next, previous);
  }

  /** Ends the run with what went wrong. Returns it as an error. */
  #fail(run: Run, thrown: unknown): Error {
    const error = endError(thrown);
    this.#finish(run, { type: "failed", error }, error);
    return error;
  }

  #finish(run: Run, input: ConnectionInput, reason: Error): void {
    if (run.isOver) return;
    run.isOver = true;
    this.#unwatch();
    this.#round.abort(reason);
    this.#apply(input);
    this.#options.onEnd(reason);
  }
}

function lostInput(error: unknown): ConnectionInput {
  return { type: "lost", cause: causeOf(error), wasStable: false };
}
