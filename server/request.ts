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
  const { method, url } = request;
  const address = info?.remoteAddr;
  return {
    method,
    url,
    path: URL.parse(url)?.pathname,
    headers: new Headers(request.headers),
    remoteAddress: address !== undefined && "hostname" in address ? address.hostname : undefined,
  };
}
