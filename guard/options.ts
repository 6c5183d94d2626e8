import { type Clock, systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/transport.ts";
import { descriptorLimit } from "./descriptors.ts";
import { areGranted } from "./permissions.ts";
import type { InnerHop } from "./inner_server.ts";

/** Options of {@linkcode startGuard}. */
export interface GuardOptions {
  /**
   * The name or address of the interface to listen on. The guard asks nobody
   * who they are: on other addresses, let the handler do so.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /**
   * The port; 0 takes any that is free.
   *
   * @default {8787}
   */
  readonly port?: number | undefined;
  /** The certificate chain, in PEM. With `key`, connections are encrypted. */
  readonly cert?: string | undefined;
  /** The private key of `cert`, in PEM. */
  readonly key?: string | undefined;
  /**
   * How the guard reaches the server behind it: over a Unix socket, or over a
   * port of the loopback interface, which other programs on this machine can
   * reach too (they are refused). By default `"unix"` with `socketDir`, and
   * where this process may use any file and address; else `"loopback"`.
   */
  readonly inner?: "unix" | "loopback" | undefined;
  /**
   * An existing directory for the Unix socket, which is called `guard.sock`;
   * only this process's user may enter it. By default a temporary directory,
   * which is removed by {@linkcode Guard.close}.
   */
  readonly socketDir?: string | undefined;
  /**
   * Time from the connection to the end of its request head, in milliseconds.
   * With TLS, the handshake is part of it.
   *
   * @default {10_000}
   */
  readonly headerTimeout?: number | undefined;
  /**
   * The longest request head, in bytes.
   *
   * @default {16_384}
   */
  readonly maxHeaderBytes?: number | undefined;
  /**
   * Time until the server answers a request head, and between two parts of an
   * answer that is no WebSocket, in milliseconds.
   *
   * @default {10_000}
   */
  readonly answerTimeout?: number | undefined;
  /**
   * The largest message of a client, in bytes; its fragments count together.
   * By default the server's own 10 MiB and 64 KiB more: the server's limit is
   * to be met first, as it says more.
   *
   * @default {10_551_296}
   */
  readonly maxMessageBytes?: number | undefined;
  /**
   * Frames that one message may be cut into.
   *
   * @default {16_384}
   */
  readonly maxFragments?: number | undefined;
  /**
   * Bytes of messages that have begun and not ended, of all clients together.
   * Beyond, the client that holds most of them is cut off.
   *
   * @default {268_435_456}
   */
  readonly maxUnfinishedBytes?: number | undefined;
  /**
   * Time from the first byte of a message to its last, in milliseconds.
   *
   * @default {120_000}
   */
  readonly messageTimeout?: number | undefined;
  /**
   * Time without a byte from the client, in milliseconds; one that is reading
   * a backlog counts as alive. It must be longer than the server's ping
   * interval (half of `heartbeatTimeout`). `false` never ends it.
   *
   * @default {60_000}
   */
  readonly idleTimeout?: number | false | undefined;
  /**
   * Time in which a client takes not a byte of what waits for it, in milliseconds.
   *
   * @default {30_000}
   */
  readonly writeTimeout?: number | undefined;
  /**
   * Connections in all. By default as many as file descriptors allow, at most
   * 10,000: each needs three, with TLS five.
   */
  readonly maxConnections?: number | undefined;
  /**
   * Connections of one address, or of one IPv6 network of 64 bits. This
   * machine's own addresses are not counted.
   *
   * @default {100}
   */
  readonly maxConnectionsPerAddress?: number | undefined;
  /**
   * Connections that have not become a WebSocket. One more ends the oldest.
   *
   * @default {1_024}
   */
  readonly maxHandshakes?: number | undefined;
  /**
   * Connections that are accepted each second, and at once; more have to wait.
   *
   * @default {1_000}
   */
  readonly acceptsPerSecond?: number | undefined;
  /** Told what happens; it never sees a header or a message. */
  readonly logger?: Logger | undefined;
  /** Where time comes from. */
  readonly clock?: Clock | undefined;
}

/** {@linkcode GuardOptions} after validation, with the defaults filled in. */
export interface GuardSettings {
  readonly hostname: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly hop: InnerHop;
  readonly headerTimeout: number;
  readonly maxHeaderBytes: number;
  readonly answerTimeout: number;
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly maxUnfinishedBytes: number;
  readonly messageTimeout: number;
  readonly idleTimeout: number | false;
  readonly writeTimeout: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxHandshakes: number;
  readonly acceptsPerSecond: number;
  readonly logger: Logger | undefined;
  readonly clock: Clock;
}

/** Descriptors that the rest of the process may need. */
const SPARE_DESCRIPTORS = 128;
/** The client, and both ends of the way to the server. */
const DESCRIPTORS = 3;
/** Both ends of the way to the terminator more. */
const TLS_DESCRIPTORS = 5;
/** What is taken at most without being told. */
const MAX_CONNECTIONS = 10_000;

/**
 * Checks the options and fills in the defaults.
 *
 * @param options What the caller asked for.
 * @returns The settings.
 * @throws {TypeError} If only one of `cert` and `key` is given, or `socketDir` without `"unix"`.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveGuardOptions(options: GuardOptions): GuardSettings {
  const { hostname = "127.0.0.1", port = 8787, logger, clock = systemClock } = options;
  const tls = tlsOf(options);
  const { idleTimeout = 60_000 } = options;
  return {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port,
    tls,
    hop: hopOf(options),
    headerTimeout: duration("headerTimeout", options.headerTimeout ?? 10_000),
    maxHeaderBytes: count("maxHeaderBytes", options.maxHeaderBytes ?? 16_384),
    answerTimeout: duration("answerTimeout", options.answerTimeout ?? 10_000),
    maxMessageBytes: count("maxMessageBytes", options.maxMessageBytes ?? 10_551_296),
    maxFragments: count("maxFragments", options.maxFragments ?? 16_384),
    maxUnfinishedBytes: count("maxUnfinishedBytes", options.maxUnfinishedBytes ?? 268_435_456),
    messageTimeout: duration("messageTimeout", options.messageTimeout ?? 120_000),
    idleTimeout: idleTimeout === false ? false : duration("idleTimeout", idleTimeout),
    writeTimeout: duration("writeTimeout", options.writeTimeout ?? 30_000),
    maxConnections: count(
      "maxConnections",
      options.maxConnections ?? defaultConnections(tls === undefined, descriptorLimit()),
    ),
    maxConnectionsPerAddress: count(
      "maxConnectionsPerAddress",
      options.maxConnectionsPerAddress ?? 100,
    ),
    maxHandshakes: count("maxHandshakes", options.maxHandshakes ?? 1_024),
    acceptsPerSecond: count("acceptsPerSecond", options.acceptsPerSecond ?? 1_000),
    logger,
    clock,
  };
}

/**
 * How many connections there may be by default.
 *
 * @param isPlain Whether they are not encrypted.
 * @param descriptors How many files this process may have open, if that is known.
 * @returns The number.
 */
export function defaultConnections(isPlain: boolean, descriptors: number | undefined): number {
  if (descriptors === undefined) return MAX_CONNECTIONS;
  const each = isPlain ? DESCRIPTORS : TLS_DESCRIPTORS;
  const fitting = Math.floor((descriptors - SPARE_DESCRIPTORS) / each);
  return Math.max(1, Math.min(fitting, MAX_CONNECTIONS));
}

function tlsOf({ cert, key }: GuardOptions): GuardSettings["tls"] {
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('Cannot start guard: "cert" and "key" need each other');
  }
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

function hopOf({ inner, socketDir }: GuardOptions): InnerHop {
  const type = inner ?? (socketDir !== undefined || mayUseUnixSockets() ? "unix" : "loopback");
  if (type === "unix") return { type, socketDir };
  if (socketDir === undefined) return { type };
  throw new TypeError('Cannot start guard: "socketDir" needs "inner" to be "unix"');
}

/** The directory has a new name each time, and so has the socket. */
function mayUseUnixSockets(): boolean {
  return Deno.build.os !== "windows" && areGranted(["read", "write", "net"]);
}

function count(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(fault(option, "a positive integer", value));
}

function duration(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(fault(option, "a positive number", value));
}

function fault(option: string, rule: string, value: unknown): string {
  return `Cannot start guard as "${option}" must be ${rule}: current value is ${value}`;
}
