import { MCPConnectionError, MCPRpcError, toError } from "../protocol/errors.ts";
import { ERROR_CODES, errorResponse, type RequestId } from "../protocol/jsonrpc.ts";
import type { Goaway } from "../protocol/session/control.ts";
import type { JoinCounts } from "../protocol/session/joiner.ts";
import { Outgoing } from "../protocol/session/outgoing.ts";
import type { CompressionTotals } from "../protocol/session/compression_totals.ts";
import type { ClientSession } from "./client_session.ts";
import { Connector } from "./connector.ts";
import type { DialLimit } from "./dial_limit.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ConnectionSink, LiveConnection } from "./live_connection.ts";
import { Mover } from "./mover.ts";
import { type Loss, lossError, wasDialled } from "./recovery.ts";
import { reopen } from "./reopening.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import { Tenure } from "./tenure.ts";
import type { Traffic } from "./traffic.ts";

/** Who hears what happens to a {@linkcode Succession}. */
export interface SuccessionEvents {
  /** A message came in, of so many UTF-16 units. */
  frame(length: number): void;
  /** Something went wrong that ends nothing by itself. */
  failed(error: Error, context: string): void;
  /** A session goes on over a new connection, and this many messages are sent again. */
  resumed(replayed: number): void;
  /** A session that the server knew is lost. */
  sessionLost(reason: string): void;
  /** The server asked to move, and that is done. */
  moved(reason: string): void;
}

/** What a {@linkcode Succession} needs. */
export interface SuccessionOptions {
  /** What to speak to. */
  readonly endpoint: Endpoint;
  /** Timeouts, bounds, credentials; asked before every dial. */
  readonly options: () => ResolvedOptions;
  /** What flows over the connections. */
  readonly traffic: Traffic;
  /** Holds dials back when too many have failed. */
  readonly limit?: DialLimit | undefined;
  /** Who hears. */
  readonly events: SuccessionEvents;
}

/** A goaway that came before anything could flow over its connection. */
interface Early {
  readonly goaway: Goaway;
  readonly from: LiveConnection;
}

/**
 * One connection after the other: each is told what those before it were told,
 * and takes their traffic over, after a loss or before one.
 */
export class Succession {
  readonly #context: SuccessionOptions;
  readonly #connector: Connector;
  readonly #mover: Mover;
  #tenure: Tenure | undefined;
  #early: Early | undefined;

  /** @param context What to speak to, and who hears. */
  constructor(context: SuccessionOptions) {
    this.#context = context;
    this.#connector = this.#createConnector();
    this.#mover = new Mover({
      move: (goaway, signal) => this.#move(goaway, signal),
      onFailure: (thrown) => context.events.failed(toError(thrown), "moving"),
      clock: context.options().clock,
    });
  }

  /** The session that is kept; `undefined` if the peer speaks plain MCP. */
  get session(): ClientSession | undefined {
    return this.#connector.session;
  }

  /** Why joined messages left, as it is now. */
  get joins(): JoinCounts {
    return Object.freeze({ ...this.#connector.joins });
  }

  /** What was compressed so far; `undefined` if nothing is. */
  get compressed(): CompressionTotals | undefined {
    return this.#connector.compressed;
  }

  /** Whether the server should still have the session. */
  get mayStillResume(): boolean {
    return this.#connector.mayStillResume;
  }

  /**
   * Opens a connection and lets traffic flow over it.
   *
   * @param signal Gives up.
   * @returns The connection, and how many requests are repeated.
   * @throws {MCPError} If it cannot be opened, or the server is not the same any more.
   */
  async open(signal: AbortSignal): Promise<{ tenure: Tenure; repeated: number }> {
    const { connection, repeated } = await this.#open(signal);
    const tenure = this.#tenure = new Tenure(connection);
    return { tenure, repeated };
  }

  /**
   * Notes that the present connection was lost. What is in flight stays so if
   * its session is kept, and is settled if not.
   *
   * @param loss How it was lost.
   * @param willRetry Whether another one will be opened.
   */
  lose(loss: Loss, willRetry: boolean): void {
    this.#mover.stop();
    this.#tenure = undefined;
    this.#context.traffic.detach();
    const isKept = this.#connector.detach();
    // What was too large once is too large again: it must not be replayed.
    const isTooBig = loss.cause === "too-big";
    if (isKept && willRetry && !isTooBig) return;
    const session = this.#connector.release();
    session?.end(lossError(loss));
    this.#context.traffic.lose(willRetry && !isTooBig);
    if (willRetry && session?.welcome !== undefined) {
      this.#context.events.sessionLost("A message was too large for the server");
    }
  }

  /** Forgets all connections; whoever takes the session ends it. */
  end(): ClientSession | undefined {
    this.#mover.stop();
    this.#tenure = undefined;
    this.#early = undefined;
    return this.#connector.reset();
  }

  #createConnector(): Connector {
    const { endpoint, options, traffic, events } = this.#context;
    const sink: ConnectionSink = {
      frame: (length) => events.frame(length),
      message: (message, from) => traffic.receive(message, from),
      fault: (error) => events.failed(error, "connection"),
      goaway: (goaway, from) => this.#retire(goaway, from),
    };
    return new Connector({
      endpoint,
      options,
      sink,
      onTaken: (connection) => this.#follow(connection),
      onResumed: (replayed) => events.resumed(replayed),
      onSessionLost: (reason, wasWelcomed) => {
        traffic.lose(true);
        if (wasWelcomed) events.sessionLost(reason);
      },
      onPoisoned: (message) => this.#poisoned(message),
    });
  }

  /** Another connection has taken the place of the present one, which is of no use any more. */
  #follow(connection: LiveConnection): void {
    this.#tenure?.follow(connection);
    this.#context.traffic.detach();
  }

  async #open(
    signal: AbortSignal,
    url?: string,
  ): Promise<{ connection: LiveConnection; repeated: number }> {
    const { connection, isFresh } = await this.#connector.open(signal, url);
    if (isFresh) await this.#reopenOrRelease(connection, signal);
    const repeated = this.#context.traffic.attach(connection, isFresh);
    this.#connector.settle();
    const early = this.#early;
    this.#early = undefined;
    if (early?.from === connection) this.#retire(early.goaway, connection);
    return { connection, repeated };
  }

  /** A session in which not everything was told that has to be is of no use. */
  async #reopenOrRelease(connection: LiveConnection, signal: AbortSignal): Promise<void> {
    const { session } = this.#connector;
    try {
      await this.#reopen(connection, signal);
    } catch (thrown) {
      if (session === this.#connector.session) {
        this.#connector.release()?.end(toError(thrown));
        // What came in meanwhile is no request of the next session's.
        this.#context.traffic.lose(true);
      }
      throw thrown;
    }
  }

  async #reopen(connection: LiveConnection, signal: AbortSignal): Promise<void> {
    const { traffic, events } = this.#context;
    const report = (error: Error) => events.failed(error, "reopening");
    await reopen(connection, traffic.exchange.conversation, report, signal);
  }

  /** The server asks to move. Whoever adopted a socket has nowhere to move to. */
  #retire(goaway: Goaway, from: LiveConnection): void {
    const { endpoint, traffic } = this.#context;
    if (endpoint.socket !== undefined) return;
    if (from === traffic.connection) this.#mover.start(goaway);
    else this.#early = { goaway, from };
  }

  async #move({ sessions, reason, url }: Goaway, signal: AbortSignal): Promise<void> {
    const { endpoint, events, limit } = this.#context;
    const place = url === undefined ? undefined : findPlace(url, endpoint.url);
    await limit?.wait(signal);
    try {
      // A session that is kept goes along: from its hello on, the new connection is the only one.
      if (sessions === "kept") await this.#open(signal, place);
      else await this.#moveOn(place, signal);
    } catch (error) {
      if (!signal.aborted && wasDialled(error)) limit?.record();
      throw error;
    }
    events.moved(reason);
  }

  /** Opens another session for what is to come; the present one ends when nothing is in flight on it. */
  async #moveOn(url: string | undefined, signal: AbortSignal): Promise<void> {
    const { connection, keep } = await this.#connector.openBeside(signal, url);
    await this.#reopen(connection, signal);
    const end = keep();
    this.#tenure?.follow(connection);
    const ended = new MCPConnectionError("The session was left for another", {
      kind: "session",
      outcome: "unknown",
    });
    this.#context.traffic.move(connection, () => end(ended));
  }

  #poisoned(message: Outgoing): void {
    const text = `A ${message.lane} of ${message.bytes} bytes never got through to the server`;
    const error = new MCPConnectionError(text, { kind: "session", outcome: "unknown" });
    message.settled?.(error);
    this.#context.events.failed(error, "connection");
    if (message.lane === "response") this.#answerInstead(message.id, text);
    else this.#context.traffic.fail(message);
  }

  /** Whoever waits for an answer that never gets through is told that. */
  #answerInstead(id: RequestId | undefined, text: string): void {
    if (id === undefined) return;
    const data = { outcome: "unknown" };
    const answer = errorResponse(new MCPRpcError(ERROR_CODES.CONNECTION_LOST, text, { data }), id);
    this.session?.send(new Outgoing(answer, JSON.stringify(answer)));
  }
}

/** Where a server sends its clients, if they may follow: a credential is never taken to another origin. */
function findPlace(url: string, endpoint: string): string | undefined {
  const place = URL.parse(url, endpoint);
  const mayFollow = place?.origin === new URL(endpoint).origin &&
    place.username === "" && place.password === "" && place.hash === "";
  return mayFollow ? place.href : undefined;
}
