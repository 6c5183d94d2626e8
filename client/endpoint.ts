import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { HeldFrames } from "../protocol/held_frames.ts";

/** What a transport speaks to. */
export interface Endpoint {
  /** Where to dial; empty where the socket is given. */
  readonly url: string;
  /** A socket that the other side dialled. */
  readonly socket: WebSocket | undefined;
  /** What that socket said before it was listened to. */
  readonly held: HeldFrames | undefined;
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
  if (isSocket(endpoint)) {
    return {
      url: "",
      socket: endpoint,
      held: holdFrames(endpoint),
      name: "adopted socket",
    };
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
  return { url: url.href, socket: undefined, held: undefined, name };
}

/** Whether an endpoint is a socket, and not where to dial. */
export function isSocket(endpoint: string | URL | WebSocket): endpoint is WebSocket {
  return typeof endpoint === "object" && "readyState" in endpoint;
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

/** The room for frames of a socket that is not listened to yet, in UTF-16 units. */
const MAX_HELD_UNITS = 64 * 1024 * 1024;

/** Keeps what a socket says until a link takes its handlers over. */
function holdFrames(socket: WebSocket): HeldFrames {
  const held = new HeldFrames(MAX_HELD_UNITS);
  socket.onmessage = ({ data }) => {
    if (held.hold(data)) return;
    socket.onmessage = null;
    socket.close(CLOSE_CODES.CLIENT_PROTOCOL_ERROR, "Too many messages before the start");
  };
  return held;
}
