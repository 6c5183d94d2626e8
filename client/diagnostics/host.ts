/**
 * The sockets that a diagnosis needs beyond WebSockets, without static imports.
 *
 * @module
 */

/** A socket of `node:net` or `node:tls`, as far as it is used here. */
export interface HostSocket {
  /** The address it is connected to. */
  readonly remoteAddress?: string | undefined;
  /** Hears an event. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Hangs up. */
  destroy(): void;
  /** The version of TLS. */
  getProtocol?(): string | null;
  /** The other end's certificate. */
  getPeerCertificate?(): { readonly valid_to?: string; readonly issuer?: unknown } | null;
}

/** How to open sockets. */
export interface HostSockets {
  /** Opens a TCP connection. */
  connect(options: { readonly host: string; readonly port: number }): HostSocket;
  /** Opens a TLS connection, and checks the certificate like a WebSocket does. */
  connectTls(options: { readonly host: string; readonly port: number }): HostSocket;
}

interface NetModule {
  connect(options: object): HostSocket;
  isIP(text: string): number;
}

interface HostGlobals {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown };
}

const host = globalThis as unknown as HostGlobals;

/** The sockets of Deno, Node and Bun; `undefined` where there are none, as in browsers. */
export function findSockets(): HostSockets | undefined {
  const load = host.process?.getBuiltinModule;
  const net = load?.("node:net") as NetModule | undefined;
  const tls = load?.("node:tls") as NetModule | undefined;
  if (net === undefined || tls === undefined) return undefined;
  return {
    connect: (options) => net.connect(options),
    connectTls: (options) => {
      const names = net.isIP(options.host) === 0 ? { servername: options.host } : {};
      return tls.connect({ ...options, ...names, ALPNProtocols: ["http/1.1"] });
    },
  };
}
