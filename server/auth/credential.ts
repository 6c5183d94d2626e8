import { parseSubprotocols } from "../../protocol/subprotocol.ts";
import type { RequestSnapshot } from "../request.ts";

/** Where a credential was found. */
export type CredentialSource = "header" | "subprotocol" | "hello" | "request";

/** What a client shows to be let in. */
export interface Credential {
  /** The token as it was sent. A secret: it belongs into no log, error or answer. */
  readonly token: string;
  /**
   * What the token says if it is base64url of a text: a subprotocol holds few
   * characters, so clients without headers may have to encode it. Set only
   * if it came as a subprotocol and can be decoded; then it may be either.
   */
  readonly decoded?: string | undefined;
  /** Where it was found. */
  readonly source: CredentialSource;
}

/** What an upgrade request shows. */
export type CredentialReading =
  | { readonly type: "credential"; readonly credential: Credential }
  | { readonly type: "ticket"; readonly ticket: string }
  | { readonly type: "none" }
  | {
    /** Says that it shows something that is not understood. */
    readonly type: "malformed";
    /** Why, free of secrets. */
    readonly reason: string;
  };

/** Subprotocols that carry a credential. */
const PREFIX = "mcp.auth.";
/** The parameter of the URL that carries a ticket, and nothing else. */
const TICKET = "ticket";
/** Where tokens do not belong: logs keep URLs (RFC 6750, 5.3). */
const FORBIDDEN_PARAMETERS = ["access_token", "token"];
/** RFC 6750, 2.1. */
const BEARER_REGEXP = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
/** A token, when its syntax is not bound by a header. */
const TOKEN_REGEXP = /^[\x21-\x7e]+$/;
/** The longest token that is read, in characters. */
const MAX_TOKEN = 16 * 1024;

/**
 * The credential of an upgrade request: of `Authorization: Bearer`, else of a
 * subprotocol `mcp.auth.<token>`, else a ticket in the URL. Tokens in the URL are
 * declined. Other schemes of `Authorization` are left to whoever reads headers.
 *
 * @param request The request.
 * @param takesTickets Whether there are tickets.
 * @returns What it shows.
 */
export function readCredential(
  request: RequestSnapshot,
  takesTickets: boolean,
): CredentialReading {
  return readHeader(request.headers) ?? readSubprotocol(request.headers) ??
    readQuery(request.url, takesTickets) ?? { type: "none" };
}

/**
 * The credential that came in a message.
 *
 * @param token What was sent.
 * @param source Where.
 * @returns The credential, or `undefined` if it cannot be a token.
 */
export function credentialOf(
  token: unknown,
  source: "hello" | "request",
): Credential | undefined {
  return typeof token === "string" && isToken(token) ? { token, source } : undefined;
}

/** What the token may be: as it was sent, and decoded. */
export function tokensOf({ token, decoded }: Credential): readonly string[] {
  return decoded === undefined ? [token] : [token, decoded];
}

function readHeader(headers: Headers): CredentialReading | undefined {
  const header = headers.get("Authorization");
  if (header === null || !/^bearer\b/i.test(header.trim())) return undefined;
  const [, token = ""] = BEARER_REGEXP.exec(header.trim()) ?? [];
  if (!isToken(token)) return malformed('Header "Authorization" holds no bearer token');
  return { type: "credential", credential: { token, source: "header" } };
}

function readSubprotocol(headers: Headers): CredentialReading | undefined {
  const entries = parseSubprotocols(headers.get("Sec-WebSocket-Protocol"))
    .filter((entry) => entry.startsWith(PREFIX));
  const [entry] = entries;
  if (entry === undefined) return undefined;
  const token = entry.slice(PREFIX.length);
  if (entries.length > 1 || !isToken(token)) {
    return malformed('Header "Sec-WebSocket-Protocol" must hold one token');
  }
  const decoded = decode(token);
  const credential: Credential = { token, source: "subprotocol" };
  return {
    type: "credential",
    credential: decoded === undefined ? credential : { ...credential, decoded },
  };
}

function readQuery(url: string, takesTickets: boolean): CredentialReading | undefined {
  const query = URL.parse(url)?.searchParams;
  if (query === undefined) return undefined;
  if (takesTickets && query.has(TICKET)) {
    const [ticket = "", ...more] = query.getAll(TICKET);
    const isOne = more.length === 0 && isToken(ticket);
    return isOne ? { type: "ticket", ticket } : malformed("The URL must hold one ticket");
  }
  if (!FORBIDDEN_PARAMETERS.some((name) => query.has(name))) return undefined;
  return malformed("Tokens in the URL are not accepted: send a header or a subprotocol");
}

function malformed(reason: string): CredentialReading {
  return { type: "malformed", reason };
}

function isToken(text: string): boolean {
  return text.length <= MAX_TOKEN && TOKEN_REGEXP.test(text);
}

/** The visible ASCII that is encoded, or `undefined` if it is anything else. */
function decode(text: string): string | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    const decoded = new TextDecoder().decode(bytes);
    return isToken(decoded) ? decoded : undefined;
  } catch {
    return undefined;
  }
}
