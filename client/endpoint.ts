/** What a transport speaks to. */
export interface Endpoint {
  /** Where to dial; empty where the socket is given. */
  readonly url: string;
  /** A socket that the other side dialled. */
  readonly socket: WebSocket | undefined;
  /** What it is called in logs and errors: without credentials and query. */
  readonly name: string;
}

/**
 * What a URL or a socket stands for.
 *
 * @throws {SyntaxError} If the URL is malformed.
 * @throws {TypeError} If it is no WebSocket URL, holds credentials or a fragment.
 */
export function parseEndpoint(endpoint: string | URL | WebSocket): Endpoint {
  if (typeof endpoint === "object" && "readyState" in endpoint) {
    return { url: "", socket: endpoint, name: "adopted socket" };
  }
  const text = String(endpoint);
  if (!URL.canParse(text)) {
    throw new SyntaxError("Cannot use URL: it is malformed");
  }
  const url = new URL(text);
  const name = `${url.protocol}//${url.host}${url.pathname}`;
  const fault = findFault(url);
  if (fault !== undefined) {
    throw new TypeError(`Cannot use URL "${name}": ${fault}`);
  }
  return { url: url.href, socket: undefined, name };
}

function findFault(url: URL): string | undefined {
  const { protocol, username, password, href } = url;
  if (protocol !== "ws:" && protocol !== "wss:") {
    return 'its scheme must be "ws:" or "wss:"';
  }
  if (username !== "" || password !== "") {
    return 'credentials belong into option "token"';
  }
  return href.includes("#") ? "it has a fragment" : undefined;
}
