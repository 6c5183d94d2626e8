import { stopwatch } from "../../protocol/clock.ts";
import type { Link } from "../../protocol/link.ts";
import { PING, stampRequest } from "../../protocol/mcp.ts";
import { JsonRpcPeer } from "../../protocol/peer.ts";
import { DENO_CLIENT_SIZES, OPEN_SIZES } from "../../protocol/session/frames.ts";
import { SESSION_SUBPROTOCOL } from "../../protocol/subprotocol.ts";
import { ClientSession } from "../client_session.ts";
import { type Credentials, gatherCredentials } from "../credentials.ts";
import { dial, type DialBounds, prepare } from "../dial.ts";
import type { ConnectionSink, LiveConnection } from "../live_connection.ts";
import type { Opening, OpeningOptions } from "../opening.ts";
import { PlainConnection } from "../plain_connection.ts";
import { lossError } from "../recovery.ts";
import type { ResolvedOptions } from "../resolved_options.ts";
import { holdsFrames } from "../runtime.ts";
import { SessionConnection } from "../session_connection.ts";
import type { Target } from "./target.ts";

/** What an examination is made with. */
export interface ExaminationOptions {
  /** Timeouts, bounds, credentials. */
  readonly resolved: ResolvedOptions;
  /** Who this client is, and in which era it opens. */
  readonly opening: Pick<OpeningOptions, "identity" | "era">;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** What became of the dial. */
export type Dialled =
  & {
    /** How long it took, in milliseconds. */
    readonly durationMs: number;
  }
  & ({ readonly type: "open" } | { readonly type: "failed"; readonly error: unknown });

/** The one dial of an examination, and what it has opened. */
export class Trial {
  /** Where to. */
  readonly target: Target;
  /** What the examination is made with. */
  readonly context: ExaminationOptions;
  /** How MCP was opened, as soon as it was. */
  opening: Opening | undefined;
  #credentials: Credentials | undefined;
  #dialling: Promise<Dialled> | undefined;
  #selected = "";
  #connection: LiveConnection | undefined;
  #session: SessionConnection | undefined;
  #peer: JsonRpcPeer | undefined;

  /**
   * @param target Where to.
   * @param context What the examination is made with.
   */
  constructor(target: Target, context: ExaminationOptions) {
    this.target = target;
    this.context = context;
  }

  /** How long each wait may take, in milliseconds. */
  get timeout(): number {
    return this.context.resolved.connectTimeout;
  }

  /** What is shown to be let in, as soon as it was gathered. */
  get credentials(): Credentials | undefined {
    return this.#credentials;
  }

  /** The subprotocol of the open connection. */
  get selected(): string {
    return this.#selected;
  }

  /** The open connection. */
  get connection(): LiveConnection | undefined {
    return this.#connection;
  }

  /** The same, if it speaks sessions. */
  get session(): SessionConnection | undefined {
    return this.#session;
  }

  /** The conversation; it is taken up with the connection. */
  get conversation(): JsonRpcPeer {
    if (this.#peer !== undefined) return this.#peer;
    throw new TypeError("Cannot take step: there is no connection");
  }

  /** Dials, the first time it is called; afterwards tells what became of it. */
  dial(): Promise<Dialled> {
    return this.#dialling ??= this.#dial();
  }

  /** Waits, but neither for long nor when nobody wants to know any more. */
  readonly wait = <T>(needed: Promise<T>): Promise<T> => prepare(needed, this.#bounds);

  /** What was sent to be let in. */
  secrets(): string[] {
    const { headers, protocols = [] } = this.#credentials ?? {};
    const values = [...headers?.values() ?? []];
    const offered: readonly string[] = this.context.resolved.protocols;
    return [
      ...values.flatMap((value) => [value, value.replace(/^\S+ +/, "")]),
      ...protocols.filter((entry) => !offered.includes(entry)),
    ];
  }

  /** Hangs up. */
  async close(): Promise<void> {
    if (this.context.signal.aborted) this.#connection?.drop();
    this.#peer?.close();
    await this.#connection?.close();
  }

  async #dial(): Promise<Dialled> {
    const { resolved } = this.context;
    const now = stopwatch(resolved.clock);
    const start = now();
    const bounds = this.#bounds;
    try {
      const credentials = this.#credentials = await prepare(gatherCredentials(resolved), bounds);
      await dial({
        ...bounds,
        ...credentials,
        url: this.target.endpoint.url,
        httpClient: resolved.httpClient,
        take: (link) => this.#adopt(link),
      });
      return { type: "open", durationMs: now() - start };
    } catch (error) {
      return { type: "failed", error, durationMs: now() - start };
    }
  }

  /** In the turn in which the link opens: nothing that comes in is lost. */
  #adopt(link: Link): void {
    const { resolved } = this.context;
    this.#selected = link.protocol;
    const peer = this.#peer = this.#createPeer();
    const sink: ConnectionSink = {
      frame() {},
      message: (message) => peer.receive(message),
      // What breaks the protocol badly enough ends the connection, which is told.
      fault() {},
      goaway() {},
    };
    const connection = this.#connection = link.protocol === SESSION_SUBPROTOCOL
      ? this.#session = new SessionConnection(link, createSession(resolved), resolved, sink)
      : new PlainConnection(link, resolved, sink);
    connection.lost.then((loss) => peer.close(lossError(loss)));
  }

  #createPeer(): JsonRpcPeer {
    const { opening: { identity }, resolved } = this.context;
    const peer = new JsonRpcPeer({
      send: (message) => this.#connection?.send(JSON.stringify(message), message),
      stamp: (params) =>
        this.opening?.era === "modern"
          ? stampRequest(params, identity, this.opening.version)
          : params,
      requestTimeout: this.timeout,
      clock: resolved.clock,
    });
    peer.handle(PING, () => ({}));
    return peer;
  }

  get #bounds(): DialBounds {
    const { name } = this.target.endpoint;
    const { signal, resolved } = this.context;
    return { name, timeout: this.timeout, signal, clock: resolved.clock };
  }
}

function createSession({ session, maxReceiveBytes, clock }: ResolvedOptions): ClientSession {
  const { bufferMessages, bufferBytes } = session;
  return new ClientSession({
    limits: { messageBytes: maxReceiveBytes, bufferBytes, bufferMessages },
    sizes: holdsFrames() ? DENO_CLIENT_SIZES : OPEN_SIZES,
    promptAck: holdsFrames(),
    poisoned() {},
    clock,
  });
}
