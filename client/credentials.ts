import { MCPError } from "../protocol/errors.ts";
import { isSubprotocol } from "../protocol/subprotocol.ts";
import type { Provided, ResolvedOptions } from "./options.ts";
import { canSendHeaders } from "./runtime.ts";

/** What a dial shows to be let in. */
export interface Credentials {
  /** Headers to send. */
  readonly headers: Headers;
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
}

/**
 * The credentials of the next dial; functions among the options are asked now.
 *
 * @throws {MCPError} If a function fails, or a value cannot be sent.
 */
export async function gatherCredentials(
  options: Pick<ResolvedOptions, "headers" | "token" | "protocols">,
): Promise<Credentials> {
  try {
    const headers = new Headers(await provide(options.headers));
    const token = await provide(options.token);
    if (token === undefined) return { headers, protocols: options.protocols };
    if (canSendHeaders()) {
      if (!headers.has("authorization")) {
        headers.set("authorization", `Bearer ${token}`);
      }
      return { headers, protocols: options.protocols };
    }
    return {
      headers,
      protocols: [...options.protocols, tokenSubprotocol(token)],
    };
  } catch (cause) {
    if (cause instanceof MCPError) throw cause;
    // The cause of a malformed header quotes its value: a secret.
    const isMalformed = cause instanceof TypeError &&
      cause.message.includes("eader");
    const why = isMalformed ? "a header or token is malformed" : "their provider failed";
    const details = isMalformed ? {} : { cause };
    throw new MCPError(
      "authentication",
      `Cannot gather credentials: ${why}`,
      details,
    );
  }
}

function provide<T>(
  provided: Provided<T> | undefined,
): T | undefined | Promise<T> {
  return typeof provided === "function" ? (provided as () => T | Promise<T>)() : provided;
}

function tokenSubprotocol(token: string): string {
  const entry = `mcp.auth.${token}`;
  if (isSubprotocol(entry)) return entry;
  throw new MCPError(
    "authentication",
    "Cannot send token: this runtime sends no headers, and the token is no subprotocol (base64url is)",
  );
}
