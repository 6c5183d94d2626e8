/** What is known of the peer's address; `Deno.ServeHandlerInfo` is one. */
export interface ConnectionInfo {
  /** Where the connection comes from. */
  readonly remoteAddr: Deno.Addr;
}

/**
 * A copy of an upgrade request. The request itself cannot be read any more
 * once its connection has become a WebSocket.
 */
export interface RequestSnapshot {
  /** The HTTP method. */
  readonly method: string;
  /** The URL as it was asked for; the host in it is whatever the peer wrote. */
  readonly url: string;
  /** The path of the URL, or `undefined` if the URL cannot be read. */
  readonly path: string | undefined;
  /** All headers. They may hold credentials: never log them. */
  readonly headers: Headers;
  /** The peer's IP address, or `undefined` where there is none. */
  readonly remoteAddress: string | undefined;
}

/**
 * Copies what is needed of a request.
 *
 * @param request A request that was not upgraded yet.
 * @param info Where it comes from.
 * @returns The copy.
 */
export function snapshotRequest(
  request: Request,
  info?: ConnectionInfo,
): RequestSnapshot {
  const copy = new RequestCopy(request, info);
  copy.seal();
  return copy;
}

/**
 * A request on its way in: what it says is read where it is, until it is sealed.
 * Then its headers are one string, as objects would take five times the room for
 * as long as the connection lasts.
 */
export class RequestCopy implements RequestSnapshot {
  /** See {@linkcode RequestSnapshot}. */
  readonly method: string;
  /** See {@linkcode RequestSnapshot}. */
  readonly url: string;
  /** See {@linkcode RequestSnapshot}. */
  readonly path: string | undefined;
  /** See {@linkcode RequestSnapshot}. */
  readonly remoteAddress: string | undefined;
  /** All headers, one a line. */
  #lines = "";
  #headers: Headers | undefined;

  /**
   * @param request A request that was not upgraded yet.
   * @param info Where it comes from.
   */
  constructor(request: Request, info: ConnectionInfo | undefined) {
    const { method, url, headers } = request;
    const address = info?.remoteAddr;
    this.method = method;
    this.url = url;
    this.path = URL.parse(url)?.pathname;
    this.remoteAddress = address !== undefined && "hostname" in address
      ? address.hostname
      : undefined;
    this.#headers = headers;
  }

  /** See {@linkcode RequestSnapshot}. Made again when somebody asks. */
  get headers(): Headers {
    return this.#headers ??= new Headers(entriesOf(this.#lines));
  }

  /** Copies the headers: from here on, the request may be upgraded. */
  seal(): void {
    this.#lines = Array.from(this.headers, ([name, value]) => `${name}:${value}`).join("\n");
    this.#headers = undefined;
  }
}

/** Neither has a line break in it, nor a name a colon. */
function entriesOf(lines: string): [name: string, value: string][] {
  if (lines === "") return [];
  return lines.split("\n").map((line) => {
    const end = line.indexOf(":");
    return [line.slice(0, end), line.slice(end + 1)];
  });
}
