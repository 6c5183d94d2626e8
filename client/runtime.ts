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

interface RuntimeGlobals {
  readonly Deno?: { readonly env: { get(name: string): string | undefined } };
  readonly process?: {
    readonly env?: Record<string, string | undefined>;
    readonly versions?: { readonly node?: string };
  };
  readonly navigator?: { readonly onLine?: boolean };
  readonly addEventListener?: (type: string, listener: () => void) => void;
  readonly removeEventListener?: (type: string, listener: () => void) => void;
}

const runtime = globalThis as unknown as RuntimeGlobals;

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
 * A variable of the environment.
 *
 * @param name Its name.
 * @returns Its value; `undefined` where there is none, no environment, or no permission to read it.
 */
export function readVariable(name: string): string | undefined {
  try {
    return runtime.Deno?.env.get(name) ?? runtime.process?.env?.[name];
  } catch {
    return undefined;
  }
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
