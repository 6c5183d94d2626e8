import { timingSafeEqual } from "node:crypto";
import type { AuthDecision, Authenticate } from "./decision.ts";
import { tokensOf } from "./credential.ts";
import { isPrincipal, type Principal } from "./principal.ts";
import { digest } from "./secrets.ts";

/** A token that does not change, and whom it belongs to. */
export interface StaticToken {
  /** The token: visible ASCII, at least 16 characters. */
  readonly token: string;
  /** Whom it belongs to. Several tokens may belong to one. */
  readonly principal: Principal;
}

interface Entry {
  readonly hash: Uint8Array;
  readonly principal: Principal;
}

/** A shorter token can be guessed. */
const TOKEN_REGEXP = /^[\x21-\x7e]{16,}$/;
const WRONG: AuthDecision = { type: "refuse", status: 401, reason: "The token is unknown" };
const MISSING: AuthDecision = { type: "challenge" };

/**
 * Lets in whoever knows one of a few tokens. Only their SHA-256 is kept, and
 * comparing takes the same time whether a token is nearly right or all wrong.
 *
 * @example Two tokens
 * ```ts
 * import { bearerTokens } from "@bowline/mcp-websocket/server";
 *
 * const authenticate = bearerTokens({
 *   [crypto.randomUUID()]: { id: "ada", scopes: ["tools"] },
 *   [crypto.randomUUID()]: { id: "charles" },
 * });
 * ```
 *
 * @param tokens The tokens, each with its principal.
 * @returns What decides.
 * @throws {TypeError} If there are none, one is too short or given twice, or a
 * principal is none.
 */
export function bearerTokens(
  tokens: Readonly<Record<string, Principal>> | readonly StaticToken[],
): Authenticate {
  const list: readonly StaticToken[] = Array.isArray(tokens)
    ? tokens
    : Object.entries(tokens).map(([token, principal]) => ({ token, principal }));
  const entries = list.map(({ token, principal }, index): Entry => {
    checkToken(token, principal, index);
    return { hash: digest(token), principal };
  });
  checkList(list);
  return (_request, credential) => {
    if (credential === undefined) return MISSING;
    const [principal] = tokensOf(credential).flatMap((token) => find(entries, digest(token)) ?? []);
    return principal === undefined ? WRONG : { type: "accept", principal };
  };
}

/** Looks at every entry, also behind the one it was looking for. */
function find(entries: readonly Entry[], hash: Uint8Array): Principal | undefined {
  let found: Principal | undefined;
  for (const entry of entries) {
    if (timingSafeEqual(entry.hash, hash)) found = entry.principal;
  }
  return found;
}

/** What is wrong is named by its place: the token is a secret. */
function checkToken(token: unknown, principal: unknown, index: number): void {
  if (typeof token !== "string" || !TOKEN_REGEXP.test(token)) {
    throw new TypeError(
      `Cannot accept tokens as each must be visible ASCII of at least 16 characters: entry ${index} is not`,
    );
  }
  if (isPrincipal(principal)) return;
  throw new TypeError(
    `Cannot accept tokens as each must have a principal with an "id": entry ${index} has none`,
  );
}

function checkList(list: readonly StaticToken[]): void {
  if (list.length === 0) throw new TypeError("Cannot accept tokens: there are none");
  if (new Set(list.map(({ token }) => token)).size === list.length) return;
  throw new TypeError("Cannot accept tokens as each must be given once: one is given twice");
}
