import { MCPError } from "../protocol/errors.ts";
import { isSubprotocol } from "../protocol/subprotocol.ts";
import type { Provided, TokenVia } from "./options.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
import { canSendHeaders } from "./runtime.ts";

/** What a dial shows to be let in. */
export interface Credentials {
  /** Headers to send. */
  readonly headers: Headers;
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** The ticket to send in the URL. */
  readonly ticket?: string | undefined;
  /** The token to say as soon as the connection is open. */
  readonly auth?: string | undefined;
}

/** What {@linkcode gatherCredentials} goes by. */
export type CredentialOptions =
  & Pick<ResolvedOptions, "headers" | "token" | "protocols">
  & Partial<Pick<ResolvedOptions, "tokenVia">>;

/**
 * The credentials of the next dial; functions among the options are asked now.
 *
 * @throws {MCPError} If a function fails, which may pass, or a value cannot be sent.
 */
export async function gatherCredentials(options: CredentialOptions): Promise<Credentials> {
  const given = await provide(options.headers);
  const token = await provide(options.token);
  const { protocols, tokenVia = "auto" } = options;
  if (token === undefined) return { headers: toHeaders(given), protocols };
  switch (placeOf(tokenVia)) {
    case "header":
      return { headers: toHeaders({ authorization: `Bearer ${token}` }, given), protocols };
    case "subprotocol":
      return { headers: toHeaders(given), protocols: [...protocols, tokenSubprotocol(token)] };
    case "message":
      return { headers: toHeaders(given), protocols, auth: checkToken(token) };
    case "ticket":
      return { headers: toHeaders(given), protocols, ticket: checkToken(token) };
  }
}

/**
 * The token to show on a connection that is open; a function is asked now.
 *
 * @throws {TypeError} If there is none.
 * @throws {MCPError} If the function fails, or what it gives cannot be a token.
 */
export async function gatherToken({ token }: Pick<ResolvedOptions, "token">): Promise<string> {
  const given = await provide(token);
  if (given !== undefined) return checkToken(given);
  throw new TypeError('Cannot authenticate as option "token" must be set: it is not');
}

/**
 * A URL with a ticket.
 *
 * @param url The URL.
 * @param ticket The ticket; without one the URL stays as it is.
 */
export function withTicket(url: string, ticket: string | undefined): string {
  if (ticket === undefined) return url;
  const place = new URL(url);
  place.searchParams.set("ticket", ticket);
  return place.href;
}

function placeOf(via: TokenVia): Exclude<TokenVia, "auto"> {
  if (via !== "auto") return via;
  return canSendHeaders() ? "header" : "subprotocol";
}

async function provide<T>(provided: Provided<T> | undefined): Promise<T | undefined> {
  if (typeof provided !== "function") return provided;
  try {
    return await (provided as () => T | Promise<T>)();
  } catch (cause) {
    if (cause instanceof MCPError) throw cause;
    throw new MCPError("authentication", "Cannot gather credentials: their provider failed", {
      cause,
      retryable: true,
    });
  }
}

/** All the headers; of two that have the same name, the last. */
function toHeaders(...groups: (Record<string, string> | undefined)[]): Headers {
  const headers = new Headers();
  try {
    for (const [name, value] of groups.flatMap((group) => Object.entries(group ?? {}))) {
      headers.set(name, value);
    }
    return headers;
  } catch {
    // The runtime's error quotes the value: a secret.
    throw malformedError();
  }
}

/** Visible ASCII, and no longer than a server reads. */
const TOKEN_REGEXP = /^[\x21-\x7e]{1,8192}$/;

function checkToken(token: unknown): string {
  if (typeof token === "string" && TOKEN_REGEXP.test(token)) return token;
  throw malformedError();
}

/** Few characters are allowed in a subprotocol: other tokens are encoded. */
function tokenSubprotocol(token: string): string {
  const entry = `mcp.auth.${checkToken(token)}`;
  return isSubprotocol(entry) ? entry : `mcp.auth.${toBase64Url(token)}`;
}

function toBase64Url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function malformedError(): MCPError {
  const text = "Cannot gather credentials: a header or token is malformed";
  return new MCPError("authentication", text);
}
