/** What a `WWW-Authenticate` header says (RFC 6750, 3; RFC 9728, 5.1). */
export interface Challenge {
  /** What the credential is for. */
  readonly realm?: string | undefined;
  /** What was wrong with the credential; nothing, if none was shown. */
  readonly error?: "invalid_request" | "invalid_token" | "insufficient_scope" | undefined;
  /** The same in words; free of secrets. */
  readonly description?: string | undefined;
  /** What a token has to allow. */
  readonly scopes?: readonly string[] | undefined;
  /** Where the metadata of the resource is, for clients that look for an authorization server. */
  readonly resourceMetadata?: string | undefined;
}

/** What stands between quotes without further ado; clients do not undo escapes. */
const UNQUOTABLE_REGEXP = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

/**
 * The value of a `WWW-Authenticate` header. The words come last: clients look
 * for names with a pattern, and the first match counts.
 *
 * @example Ask for a token
 * ```ts
 * import { wwwAuthenticate } from "@bowline/mcp-websocket/server";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(wwwAuthenticate({ scopes: ["tools"] }), 'Bearer realm="mcp", scope="tools"');
 * ```
 *
 * @param challenge What it says.
 * @returns The value; characters that a quoted text cannot hold are left out.
 */
export function wwwAuthenticate(challenge: Challenge = {}): string {
  const { realm = "mcp", error, description, scopes = [], resourceMetadata } = challenge;
  const parameters: [string, string | undefined][] = [
    ["realm", realm],
    ["error", error],
    ["scope", scopes.length === 0 ? undefined : scopes.join(" ")],
    ["resource_metadata", resourceMetadata],
    ["error_description", description],
  ];
  const texts = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : `${name}="${value.replaceAll(UNQUOTABLE_REGEXP, "")}"`
  );
  return `Bearer ${texts.join(", ")}`;
}
