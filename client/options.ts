import type { Clock } from "../protocol/clock.ts";
import type { LossCause } from "../protocol/close_codes.ts";
import type { JsonRpcErrorObject, JsonRpcParams, JsonRpcRequest } from "../protocol/jsonrpc.ts";
import type { Logger } from "../protocol/transport.ts";
import type { DialLimitOptions } from "./dial_limit.ts";
import type { UrlPolicyOptions } from "./url_policy_options.ts";

/** Options of {@linkcode WebSocketClientTransport.start}. */
export interface ConnectOptions {
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode WebSocketClientTransport.authenticate}. */
export interface AuthenticateOptions {
  /**
   * How long it may take, in milliseconds; the provider of the token included.
   * By default as long as connecting may.
   */
  readonly timeout?: number | undefined;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** How a lost connection is opened again. */
export interface ReconnectOptions {
  /**
   * Dials in a row that may fail. For ever is `Number.MAX_SAFE_INTEGER`. As long
   * as the server should still have the session, they are not counted.
   *
   * @default {10}
   */
  readonly attempts: number;
  /**
   * The longest pause after the first failed dial, in milliseconds; the pause
   * itself is random.
   *
   * @default {1_000}
   */
  readonly minDelay: number;
  /**
   * The longest pause after any failed dial, in milliseconds.
   *
   * @default {30_000}
   */
  readonly maxDelay: number;
  /**
   * By how much the pause may grow from dial to dial.
   *
   * @default {2}
   */
  readonly multiplier: number;
  /**
   * How long a connection has to stay up to count as a success, in milliseconds.
   *
   * @default {5_000}
   */
  readonly minUptime: number;
  /**
   * Causes after which the first dial comes within 250 ms.
   *
   * @default {["reset", "timeout", "heartbeat"]}
   */
  readonly immediate: readonly LossCause[];
  /**
   * Whether the very first connection is tried more than once, too.
   *
   * @default {false}
   */
  readonly initial: boolean;
}

/** How a silent peer is found out. */
export interface HeartbeatOptions {
  /**
   * Silence after which the peer is pinged, in milliseconds. The default is
   * below the minute after which common proxies hang up.
   *
   * @default {25_000}
   */
  readonly interval: number;
  /**
   * How long to wait for any sign of life after a ping, in milliseconds.
   *
   * @default {5_000}
   */
  readonly timeout: number;
  /**
   * How many pings in a row may stay unanswered.
   *
   * @default {3}
   */
  readonly maxMissed: number;
  /**
   * Whether a peer of revision 2026-07-28, which knows no `ping`, is asked
   * `server/discover` instead.
   *
   * @default {false}
   */
  readonly discover: boolean;
}

/**
 * What happens to a message for which there is no room in the queue:
 *
 * - `"reject"`: it is refused.
 * - `"drop-oldest"`: the oldest messages are, until there is room.
 * - `"block"`: its sender waits for room, in turn; as many senders may wait as
 *   messages, those beyond are refused.
 *
 * Whoever is refused gets {@linkcode MCPCapacityError}, and nothing was sent.
 */
export type OverflowPolicy = "reject" | "drop-oldest" | "block";

/** What may wait while there is no connection. */
export interface OutboxOptions {
  /**
   * Messages that may wait.
   *
   * @default {1_000}
   */
  readonly maxMessages: number;
  /**
   * Bytes of UTF-8 that may wait.
   *
   * @default {4_194_304}
   */
  readonly maxBytes: number;
  /**
   * How long a message may wait, in milliseconds; waiting for room counts.
   *
   * @default {60_000}
   */
  readonly maxAge: number;
  /**
   * What happens when there is no room. A connection that is there, but has
   * fallen behind, refuses what is too much for it under any policy.
   *
   * @default {"reject"}
   */
  readonly overflow: OverflowPolicy;
}

/** What a request is answered with while there is no connection: a result, or an error. */
export type OfflineAnswer =
  | {
    /** The result, of the shape that the method has. */
    readonly result: JsonRpcParams;
  }
  | {
    /** The error, as the server would answer it. */
    readonly error: JsonRpcErrorObject;
  };

/** What may be unacknowledged in a session. */
export interface SessionBufferOptions {
  /**
   * Messages that may be unacknowledged, in each direction.
   *
   * @default {4_096}
   */
  readonly bufferMessages: number;
  /**
   * Bytes of messages that may be unacknowledged, in each direction. One
   * larger message may be, alone.
   *
   * @default {4_194_304}
   */
  readonly bufferBytes: number;
}

/** When frames are compressed. */
export interface CompressionOptions {
  /**
   * Frames below this many bytes of UTF-8 are sent as they are.
   *
   * @default {1_024}
   */
  readonly threshold: number;
  /**
   * Whether frames are compressed also if the URL names this machine. Nothing is
   * gained there, unless the port leads elsewhere, as that of a tunnel does.
   *
   * @default {false}
   */
  readonly loopback: boolean;
}

/** What happened to one message, for measuring. */
export interface MessageRecord {
  /** Which way it went. */
  readonly direction: "in" | "out";
  /** Its size, in UTF-16 units of its text. */
  readonly length: number;
}

/** What happened on one dial, for measuring. */
export interface DialRecord {
  /** Whether it led to a usable connection. */
  readonly ok: boolean;
  /** How long it took, in milliseconds. */
  readonly duration: number;
  /** 1 for the first since the connection was lost. */
  readonly attempt: number;
}

/** Called for every message and dial; must not throw, and is reported as an error if it does. */
export interface PerformanceHooks {
  /** Called for every message. */
  readonly onMessage?: ((record: MessageRecord) => void) | undefined;
  /** Called for every dial. */
  readonly onDial?: ((record: DialRecord) => void) | undefined;
}

/** A value, or what gives it before every dial. */
export type Provided<T> = T | (() => T | Promise<T>);

/**
 * How a token is sent:
 *
 * - `"auto"`: as header where the runtime can, else as subprotocol.
 * - `"header"`: as `Authorization: Bearer`. Browsers cannot.
 * - `"subprotocol"`: as `mcp.auth.<token>`, in base64url if it holds what a
 *   subprotocol must not. Some proxies log it.
 * - `"message"`: as the first thing that is said on the connection. Nothing else
 *   is said before the server has taken it; in a session only what may ride
 *   behind the hello.
 * - `"ticket"`: in the URL. Only for tickets that are good once and for seconds,
 *   since logs keep URLs: the token must be a function.
 */
export type TokenVia = "auto" | "header" | "subprotocol" | "message" | "ticket";

/** Options that may change while the transport runs. */
export interface MutableOptions {
  /**
   * Time to open a connection, in milliseconds.
   *
   * @default {30_000}
   */
  connectTimeout?: number | undefined;
  /** How a lost connection is opened again; `false` never does. */
  reconnect?: Partial<ReconnectOptions> | false | undefined;
  /** How a silent peer is found out; with `false` it is asked nothing at all. */
  heartbeat?: Partial<HeartbeatOptions> | false | undefined;
  /** Headers to send with every dial. Browsers cannot. */
  headers?: Provided<Record<string, string>> | undefined;
  /**
   * A bearer token. A function is asked before every dial, and so once more after
   * the server has refused what it gave.
   */
  token?: Provided<string> | undefined;
  /**
   * How the token is sent.
   *
   * @default {"auto"}
   */
  tokenVia?: TokenVia | undefined;
}

/** Options of {@linkcode WebSocketClientTransport}. */
export interface WebSocketClientOptions extends MutableOptions {
  /**
   * Subprotocols to offer, the preferred one first. `[]` offers none, which
   * some servers need.
   *
   * @default {["mcp", "bowline.v1"]}
   */
  readonly protocols?: readonly string[] | undefined;
  /**
   * The subprotocol without which no connection is wanted. By default a server
   * that keeps no sessions is spoken to in plain `mcp`.
   */
  readonly require?: "bowline.v1" | undefined;
  /** What is kept for the server until it has acknowledged it. */
  readonly session?: Partial<SessionBufferOptions> | undefined;
  /**
   * Compresses what passes in a session, in each direction that the server
   * agrees to; `{}` does so with the defaults. Whoever can read the sizes of
   * frames, and write a part of what is in them, may guess the rest: see
   * docs/compression.md.
   *
   * @default {false}
   */
  readonly compression?: Partial<CompressionOptions> | false | undefined;
  /**
   * Which URLs may be dialled: in production `wss:` to public addresses. It is
   * checked here, and before every dial.
   */
  readonly urlPolicy?: UrlPolicyOptions | undefined;
  /**
   * How many dials may fail before no more are made for a while; `false` for any
   * number. A dial whose session was welcomed, or whose connection stayed open
   * for `reconnect.minUptime`, has not failed.
   */
  readonly dialLimit?: Partial<DialLimitOptions> | false | undefined;
  /**
   * The largest message that is sent, in bytes of UTF-8.
   *
   * @default {1_048_576}
   */
  readonly maxSendBytes?: number | undefined;
  /**
   * The largest message that is taken, in bytes of UTF-8.
   *
   * @default {67_108_864}
   */
  readonly maxReceiveBytes?: number | undefined;
  /**
   * How deep arrays and objects may be nested in a message that is taken.
   *
   * @default {64}
   */
  readonly maxDepth?: number | undefined;
  /**
   * How many messages a batch may hold that a server of revision 2025-03-26
   * sends over plain `mcp`.
   *
   * @default {100}
   */
  readonly maxBatchItems?: number | undefined;
  /**
   * The size in bytes that frames above 1 KiB are filled up to with spaces, as
   * Deno's client makes smaller ones wait about 44 ms for an acknowledgement;
   * 65,536 at most. `"auto"` does so on Deno alone: up to 65,536 bytes where the
   * URL names this machine, 1,448 elsewhere. Sessions cut messages instead, and
   * fill up batches. No frame becomes larger than `maxSendBytes`. `false` never does.
   *
   * @default {"auto"}
   */
  readonly padding?: number | "auto" | false | undefined;
  /**
   * Requests that may be in flight.
   *
   * @default {16_384}
   */
  readonly maxInFlight?: number | undefined;
  /** What may wait while there is no connection. */
  readonly outbox?: Partial<OutboxOptions> | undefined;
  /**
   * Decides whether a request that may have been acted on is sent again after
   * its connection was lost. By default what only reads is, and what says
   * `retry: true`.
   *
   * @param request The request.
   * @param isSafe What the default says.
   */
  readonly resend?:
    | ((request: JsonRpcRequest, isSafe: boolean) => boolean)
    | undefined;
  /**
   * Answers a request here while a lost connection is being opened again, so
   * that a user is told instead of left waiting. Its answer reaches the caller
   * like any other; a result is marked with {@linkcode OFFLINE_META}. Without
   * an answer the request is queued as usual; so it is when this throws, which
   * becomes an `error` event.
   *
   * @param request The request.
   */
  readonly offlineResponse?:
    | ((request: JsonRpcRequest) => OfflineAnswer | undefined)
    | undefined;
  /**
   * How often a `stats` event comes, in milliseconds, while somebody listens to
   * it and the transport is started; `false` sends none.
   *
   * @default {60_000}
   */
  readonly statsInterval?: number | false | undefined;
  /**
   * A `Deno.HttpClient` with certificates or a proxy. Deno only. Certificates are
   * always checked: your own authority is named with `caCerts`.
   */
  readonly httpClient?: unknown;
  /** Told what happens; never told a secret or a message. */
  readonly logger?: Logger | undefined;
  /** Called for every message and dial. */
  readonly hooks?: PerformanceHooks | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}
