import { MCPError } from "../protocol/errors.ts";
import type { ListenOptions } from "./listener.ts";

/** Options of {@linkcode MCPWebSocketServer.start}. */
export interface StartOptions {
  /**
   * The name or address of the interface to listen on.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string | undefined;
  /**
   * The port; 0 takes any that is free.
   *
   * @default {8787}
   */
  port?: number | undefined;
  /** The certificate chain, in PEM. With `key`, connections are encrypted. */
  cert?: string | undefined;
  /** The private key of `cert`, in PEM. */
  key?: string | undefined;
  /**
   * Opens a server that asks nobody who they are to everybody who can reach its
   * address. Without it, and without `auth`, the server listens on loopback
   * addresses only.
   *
   * @default {false}
   */
  allowStrangers?: boolean | undefined;
  /** Stops the server. */
  signal?: AbortSignal | undefined;
  /** Told the address once the server listens. */
  onListen?: ((address: ServerAddress) => void) | undefined;
}

/** Where a server listens. */
export interface ServerAddress {
  /** The name or address of the interface. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** What clients connect to. */
  readonly url: string;
}

/** Addresses that only this machine can reach. */
const LOOPBACK_REGEXP = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/**
 * Checks where a server shall listen.
 *
 * @param options What the caller asked for.
 * @param asksWho Whether clients have to say who they are.
 * @default {false} asksWho
 * @returns Where to listen.
 * @throws {TypeError} If only one of `cert` and `key` is given.
 * @throws {MCPError} If strangers could reach the server and nobody said that they may.
 */
export function resolveStartOptions(options: StartOptions, asksWho = false): ListenOptions {
  const { port = 8787, cert, key, allowStrangers = false } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError('Cannot start server: "cert" and "key" need each other');
  }
  const hostname = (options.hostname ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  if (asksWho || allowStrangers || LOOPBACK_REGEXP.test(hostname)) {
    return { hostname, port, cert, key };
  }
  throw new MCPError(
    "policy",
    `Cannot listen on "${hostname}" as everybody who can reach it could call this server: set "auth" or "allowStrangers", or listen on "127.0.0.1"`,
  );
}

/**
 * The address that clients connect to.
 *
 * @param options Where the server listens.
 * @param port The port in use.
 * @param path The path that is served.
 * @returns The address; an IPv6 host stands in brackets in its URL.
 */
export function serverAddress(
  { hostname, cert }: ListenOptions,
  port: number,
  path: string,
): ServerAddress {
  const scheme = cert === undefined ? "ws" : "wss";
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { hostname, port, url: `${scheme}://${host}:${port}${path}` };
}
