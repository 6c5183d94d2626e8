/**
 * What a diagnosis asks of the runtime beyond WebSockets, in one place, without
 * static imports, and without anybody being asked for a permission.
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
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: { querySync(descriptor: object): { readonly state: string } };
  };
  readonly process?: {
    readonly env?: Record<string, string | undefined>;
    readonly getBuiltinModule?: (name: string) => unknown;
  };
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

/**
 * Whether this program may connect; only Deno has to be allowed to.
 *
 * @param place The host and the port.
 */
export function mayConnect(place: string): boolean {
  return isGranted({ name: "net", host: place });
}

/**
 * A variable of the environment, for which no permission is asked.
 *
 * @param name Its name.
 * @returns Its value; `undefined` where there is none, or it may not be read.
 */
export function readQuietly(name: string): string | undefined {
  if (host.Deno === undefined) return host.process?.env?.[name];
  return isGranted({ name: "env", variable: name }) ? host.Deno.env.get(name) : undefined;
}

/**
 * The variable that makes the runtime dial through a proxy; `undefined` if none
 * is known to. Of the runtimes only Deno goes by them without being told to.
 *
 * @param scheme The scheme of the URL.
 */
export function findProxyVariable(scheme: string): string | undefined {
  if (host.Deno === undefined) return undefined;
  const name = scheme === "wss:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  return [name, name.toLowerCase(), "ALL_PROXY", "all_proxy"].find((name) => readQuietly(name));
}

function isGranted(descriptor: object): boolean {
  return host.Deno === undefined || host.Deno.permissions.querySync(descriptor).state === "granted";
}
