/** Plain MCP: one JSON-RPC message per text frame. */
export const PLAIN_SUBPROTOCOL = "mcp";

/** MCP in sessions that outlive their connections. */
export const SESSION_SUBPROTOCOL = "bowline.v1";

/** Subprotocols that carry a credential; they are read and never echoed. */
const CREDENTIAL_PREFIX = "mcp.auth.";

/** Offered by some clients instead of `mcp`, with the revision behind it. */
const VERSION_PREFIX = "mcp.version.";

/** RFC 7230, 3.2.6: what a subprotocol may be made of. */
const TOKEN_REGEXP = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether the text can be a subprotocol (RFC 6455, 4.1). */
export function isSubprotocol(text: string): boolean {
  return TOKEN_REGEXP.test(text);
}

/**
 * The entries of a `Sec-WebSocket-Protocol` header.
 *
 * @param header The header's value, `null` if there is none.
 * @returns The entries, in the order of preference.
 */
export function parseSubprotocols(header: string | null): string[] {
  if (header === null) return [];
  return header.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
}

/**
 * The subprotocol a server answers with: `bowline.v1` before `mcp`, else the
 * first `mcp.version.*`.
 *
 * @param offered What the client offered.
 * @param hasSessions Whether the server keeps sessions.
 * @default {true} hasSessions
 * @returns The choice, or `undefined` to answer without one. An entry that
 * carries a credential is never chosen.
 */
export function selectSubprotocol(
  offered: readonly string[],
  hasSessions = true,
): string | undefined {
  if (hasSessions && offered.includes(SESSION_SUBPROTOCOL)) return SESSION_SUBPROTOCOL;
  if (offered.includes(PLAIN_SUBPROTOCOL)) return PLAIN_SUBPROTOCOL;
  return offered.find((entry) => entry.startsWith(VERSION_PREFIX));
}

/**
 * Why a client must not accept what the server selected. Needed because
 * Deno's WebSocket opens whatever the server answered.
 *
 * @param selected What the server selected, `""` for nothing.
 * @param offered What the client offered.
 * @returns The reason, or `undefined` if the choice is fine. Nothing selected
 * means plain MCP.
 */
export function findSubprotocolFault(
  selected: string,
  offered: readonly string[],
): string | undefined {
  if (selected === "") return undefined;
  if (selected.startsWith(CREDENTIAL_PREFIX)) {
    return "the server echoed a credential";
  }
  return offered.includes(selected) ? undefined : "the server selected what was not offered";
}
