/**
 * What differs between runtimes, asked in one place and without static imports.
 *
 * @module
 */

/** What a dial asks of the runtime. */
export interface SocketRequest {
  /** Where to. */
  readonly url: string;
  /** The subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Headers to send along. */
  readonly headers: Headers;
  /** A `Deno.HttpClient` with certificates or a proxy, where there is one. */
  readonly httpClient: unknown;
}

/** `node:dns`, as far as it is used here. */
interface DnsModule {
  lookup(
    name: string,
    options: object,
    done: (error: Error | null, addresses?: readonly { readonly address: string }[]) => void,
  ): void;
}

interface RuntimeGlobals {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: { querySync(descriptor: object): { readonly state: string } };
  };
  readonly process?: {
    readonly env?: Record<string, string | undefined>;
    readonly versions?: { readonly node?: string };
    readonly getBuiltinModule?: (name: string) => unknown;
  };
  readonly navigator?: { readonly onLine?: boolean };
  readonly addEventListener?: (type: string, listener: () => void) => void;
  readonly removeEventListener?: (type: string, listener: () => void) => void;
}

const runtime = globalThis as unknown as RuntimeGlobals;
/** Variables that may be read: to ask again before each dial takes as long as to send 20 messages. */
const READABLE: Set<string> = new Set();

/**
 * Whether `new WebSocket()` takes headers: Deno, Node and Bun do, browsers and
 * browser workers throw.
 */
export function canSendHeaders(): boolean {
  return runtime.Deno !== undefined ||
    runtime.process?.versions?.node !== undefined;
}

/**
 * Whether a frame that follows one the peer has nothing to answer to waits for
 * a delayed acknowledgement, about 44 ms: Deno leaves Nagle's algorithm on. A
 * request that is answered at once, sent before the two, spares them the wait.
 */
export function holdsFrames(): boolean {
  return runtime.Deno !== undefined;
}

/**
 * Makes a socket.
 *
 * @throws {TypeError} If there is no `WebSocket`, or headers were given that the runtime cannot send.
 * @throws {DOMException} If the URL or a subprotocol is malformed.
 */
export function openSocket(request: SocketRequest): WebSocket {
  if (typeof WebSocket === "undefined") {
    throw new TypeError(
      "Cannot connect: this runtime has no WebSocket (Node has since 22)",
    );
  }
  const { url, headers, httpClient } = request;
  const protocols = [...request.protocols];
  const entries = Object.fromEntries(headers);
  const isPlain = Object.keys(entries).length === 0 && httpClient === undefined;
  if (isPlain) return new WebSocket(url, protocols);
  if (!canSendHeaders()) {
    throw new TypeError(
      "Cannot connect: this runtime sends no headers with a WebSocket",
    );
  }
  const options = {
    protocols,
    headers: entries,
    ...(httpClient === undefined ? {} : { client: httpClient }),
  };
  // The DOM's types know no such argument.
  return new (WebSocket as unknown as new (
    url: string,
    options: unknown,
  ) => WebSocket)(
    url,
    options,
  );
}

/**
 * A variable of the environment, for which no permission is asked.
 *
 * @param name Its name.
 * @returns Its value; `undefined` where there is none, no environment, or no permission to read it.
 */
export function readVariable(name: string): string | undefined {
  if (runtime.Deno === undefined) return runtime.process?.env?.[name];
  if (!READABLE.has(name) && !isGranted({ name: "env", variable: name })) return undefined;
  READABLE.add(name);
  try {
    return runtime.Deno.env.get(name);
  } catch {
    // The permission was given back meanwhile.
    READABLE.delete(name);
    return undefined;
  }
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
 * The variable that makes the runtime dial through a proxy; `undefined` if none
 * is known to. Of the runtimes only Deno goes by them without being told to.
 *
 * @param scheme The scheme of the URL.
 */
export function findProxyVariable(scheme: string): string | undefined {
  if (runtime.Deno === undefined) return undefined;
  const name = scheme === "wss:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  return [name, name.toLowerCase(), "ALL_PROXY", "all_proxy"].find((name) => readVariable(name));
}

/**
 * All addresses of a name, as the system sees them. Nobody is asked for a permission.
 *
 * @param name The name.
 * @param port The port that will be dialled: Deno's permission may be for that one alone.
 * @returns Its addresses; `undefined` if the runtime cannot tell, or may not.
 * @throws {Error} If the name has none, or nobody can be asked now.
 */
export async function lookUpName(
  name: string,
  port: number,
): Promise<readonly string[] | undefined> {
  if (!mayConnect(`${name}:${port}`)) return undefined;
  const dns = findModule("node:dns") as DnsModule | undefined;
  if (dns === undefined) return undefined;
  try {
    return await lookUp(dns, name, port);
  } catch (error) {
    // Node's own codes tell of the runtime: edge runtimes have the module, but not the function.
    const isUnable = String((error as { code?: unknown }).code).startsWith("ERR_");
    if (isUnable) return undefined;
    throw error;
  }
}

function lookUp(dns: DnsModule, name: string, port: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    dns.lookup(name, { all: true, port }, (error, addresses = []) => {
      if (error === null || error === undefined) resolve(addresses.map(({ address }) => address));
      else reject(error);
    });
  });
}

function isGranted(descriptor: object): boolean {
  const { Deno } = runtime;
  return Deno === undefined || Deno.permissions.querySync(descriptor).state === "granted";
}

/**
 * A module that the runtime brings along, as far as it has modules of Node.
 *
 * @param name Its name, `node:` included.
 */
export function findModule(name: string): unknown {
  return runtime.process?.getBuiltinModule?.(name);
}

/** Whether the runtime says that there is no network. */
export function isOffline(): boolean {
  return runtime.navigator?.onLine === false;
}

/**
 * Hears of the network coming and going, where the runtime tells.
 *
 * @returns Stops hearing.
 */
export function watchNetwork(
  online: () => void,
  offline: () => void,
): () => void {
  runtime.addEventListener?.("online", online);
  runtime.addEventListener?.("offline", offline);
  return () => {
    runtime.removeEventListener?.("online", online);
    runtime.removeEventListener?.("offline", offline);
  };
}
