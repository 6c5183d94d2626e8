import { delay } from "@std/async/delay";
import { retry, RetryError } from "@std/async/retry";
import type { Clock } from "../protocol/clock.ts";
import { MCPConnectionError, toError } from "../protocol/errors.ts";
import {
  type ConnectionInput,
  type ConnectionState,
  initialState,
  transition,
} from "./connection.ts";
import type { ReconnectOptions } from "./options.ts";
import {
  causeOf,
  extraPause,
  firstPause,
  isRetriable,
  kindOf,
  type Loss,
  lossError,
} from "./recovery.ts";
import { isOffline, watchNetwork } from "./runtime.ts";

/** A connection that is usable. */
export interface OpenConnection {
  /** Resolves when it is lost. */
  readonly lost: Promise<Loss>;
}

/** What a {@linkcode Supervisor} opens, and whom it tells. */
export interface SupervisorOptions {
  /** Dials once and makes the connection usable. */
  readonly open: (signal: AbortSignal) => Promise<OpenConnection>;
  /** The policy, asked after every loss. */
  readonly policy: () => ReconnectOptions | false;
  /** Told of every change of state. */
  readonly onState: (state: ConnectionState, previous: ConnectionState) => void;
  /** Told of every connection that was lost, before anything is tried. */
  readonly onLoss: (loss: Loss, willRetry: boolean) => void;
  /** Told once per start, when it is over. */
  readonly onEnd: (reason: Error) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/**
 * Keeps a connection: dials, watches, and dials again with backoff until it is
 * closed or gives up.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #state: ConnectionState;
  /** Aborted to cut the dials and pauses of a round short. */
  #round = new AbortController();
  #isRunning = false;
  #isNetworkDown = false;
  /** How often in a row the peer asked for a fresh credential. */
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
   * @throws {MCPConnectionError} If the connection cannot be opened.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#isRunning) {
      throw new TypeError("Cannot start transport: it has been started");
    }
    signal?.throwIfAborted();
    this.#isRunning = true;
    this.#isNetworkDown = isOffline();
    this.#refusals = 0;
    this.#round = new AbortController();
    const { signal: round } = this.#round;
    const abort = () => this.#round.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const connection = await this.#openFirst(round);
      this.#unwatch = watchNetwork(() => this.reconnect(), () => this.#pause());
      this.#keep(connection);
    } catch (thrown) {
      const error = this.#isRunning ? endError(thrown) : closedError();
      this.#finish({ type: "failed", error }, error);
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Dials at once, where the next dial is being waited for. Returns whether it was. */
  reconnect(): boolean {
    this.#isNetworkDown = false;
    const { status } = this.#state;
    if (status !== "reconnecting" && status !== "offline") return false;
    this.#round.abort();
    return true;
  }

  /** Ends it. The connection itself is its opener's to close. */
  close(): void {
    this.#finish({ type: "close" }, closedError());
  }

  async #openFirst(signal: AbortSignal): Promise<OpenConnection> {
    const policy = this.#options.policy();
    if (policy === false || !policy.initial) return await this.#open(signal);
    return await this.#openWithBackoff(
      policy,
      0,
      signal,
      () => this.#open(signal),
    );
  }

  /** Waits for losses and repairs them, as long as that makes sense. Never rejects. */
  async #keep(first: OpenConnection): Promise<void> {
    let connection = first;
    try {
      for (;;) {
        const loss = await connection.lost;
        if (!this.#isRunning) return;
        const policy = this.#lose(loss, true);
        connection = await this.#reopen(loss, policy);
      }
    } catch (thrown) {
      const error = endError(thrown);
      this.#finish({ type: "failed", error }, error);
    }
  }

  /** Notes a loss. Returns the policy to repair it by, throws if it is final. */
  #lose(loss: Loss, wasStable: boolean): ReconnectOptions {
    if (loss.pace === "refresh") this.#refusals++;
    const policy = this.#options.policy();
    const error = lossError(loss);
    const willRetry = policy !== false && isRetriable(error, this.#mayRefresh);
    this.#options.onLoss(loss, willRetry);
    if (!willRetry) throw error;
    this.#apply({ type: "lost", cause: loss.cause, wasStable });
    return policy;
  }

  /** Rounds of dials: one starts afresh when somebody or the network asks for it. */
  async #reopen(loss: Loss, policy: ReconnectOptions): Promise<OpenConnection> {
    let pause = firstPause(loss, policy, Math.random());
    this.#isNetworkDown ||= isOffline();
    for (;;) {
      this.#round = new AbortController();
      const { signal } = this.#round;
      try {
        if (this.#isNetworkDown) return await this.#probe(policy, signal);
        const open = () => this.#openToStay(policy, signal);
        return await this.#openWithBackoff(policy, pause, signal, open);
      } catch (thrown) {
        if (!signal.aborted || !this.#isRunning) throw thrown;
        pause = 0;
      }
    }
  }

  async #openWithBackoff(
    policy: ReconnectOptions,
    firstPause: number,
    signal: AbortSignal,
    open: () => Promise<OpenConnection>,
  ): Promise<OpenConnection> {
    let pause = firstPause;
    return await retry(async () => {
      await delay(pause, { signal });
      try {
        return await open();
      } catch (error) {
        pause = extraPause(error);
        if (!signal.aborted) this.#apply(lostInput(error));
        throw error;
      }
    }, {
      maxAttempts: policy.attempts,
      minTimeout: policy.minDelay,
      maxTimeout: policy.maxDelay,
      multiplier: policy.multiplier,
      isRetriable: (error) => !signal.aborted && isRetriable(error, this.#mayRefresh),
      signal,
    });
  }

  /** Without a network dials fail for sure: now and then one is tried all the same. */
  async #probe(
    policy: ReconnectOptions,
    signal: AbortSignal,
  ): Promise<OpenConnection> {
    for (;;) {
      this.#apply({ type: "offline" });
      await delay(policy.maxDelay, { signal });
      try {
        return await this.#open(signal);
      } catch (error) {
        if (signal.aborted || !isRetriable(error, this.#mayRefresh)) {
          throw error;
        }
      }
    }
  }

  /** Opens a connection; one that dies young counts as a dial that failed. */
  async #openToStay(
    policy: ReconnectOptions,
    signal: AbortSignal,
  ): Promise<OpenConnection> {
    const connection = await this.#open(signal);
    const timer = new AbortController();
    const grown = delay(policy.minUptime, { signal: timer.signal }).catch(
      () => {},
    );
    const loss = await Promise.race([connection.lost, grown]);
    timer.abort();
    if (loss === undefined || !this.#isRunning) return connection;
    this.#lose(loss, false);
    throw lossError(loss);
  }

  async #open(signal: AbortSignal): Promise<OpenConnection> {
    this.#apply({ type: "dial" });
    try {
      const connection = await this.#options.open(signal);
      this.#refusals = 0;
      this.#apply({ type: "opened" });
      return connection;
    } catch (error) {
      if (
        error instanceof MCPConnectionError && error.verdict?.pace === "refresh"
      ) {
        this.#refusals++;
      }
      throw error;
    }
  }

  get #mayRefresh(): boolean {
    return this.#refusals <= 1;
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

  #finish(input: ConnectionInput, reason: Error): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#unwatch();
    this.#round.abort(reason);
    this.#apply(input);
    this.#options.onEnd(reason);
  }
}

function lostInput(error: unknown): ConnectionInput {
  return { type: "lost", cause: causeOf(error), wasStable: false };
}

function closedError(): MCPConnectionError {
  return new MCPConnectionError("The transport was closed", {
    retryable: false,
  });
}

/** The error that ended it, in the words of the last dial. */
function endError(thrown: unknown): Error {
  if (!(thrown instanceof RetryError)) return toError(thrown);
  const last = toError(thrown.cause);
  const verdict = last instanceof MCPConnectionError ? last.verdict : undefined;
  return new MCPConnectionError(`Gave up reconnecting: ${last.message}`, {
    cause: last,
    kind: verdict === undefined ? "network" : kindOf(verdict),
    verdict,
    retryable: true,
  });
}
