import { MCPError } from "../protocol/errors.ts";
import { isSubprotocol } from "../protocol/subprotocol.ts";
import type { Provided } from "./options.ts";
import type { ResolvedOptions } from "./resolved_options.ts";
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
 * @throws {MCPError} If a function fails, which may pass, or a value cannot be sent.
 */
export async function gatherCredentials(
  options: Pick<ResolvedOptions, "headers" | "token" | "protocols">,
): Promise<Credentials> {
  const given = await provide(options.headers);
  const token = await provide(options.token);
  const { protocols } = options;
  if (token === undefined) return { headers: toHeaders(given), protocols };
  if (!canSendHeaders()) {
    return { headers: toHeaders(given), protocols: [...protocols, tokenSubprotocol(token)] };
  }
  return { headers: toHeaders({ authorization: `Bearer ${token}` }, given), protocols };
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
    throw new MCPError(
      "authentication",
      "Cannot gather credentials: a header or token is malformed",
    );
  }
}

function tokenSubprotocol(token: string): string {
  const entry = `mcp.auth.${token}`;
  if (isSubprotocol(entry)) return entry;
  throw new MCPError(
    "authentication",
    "Cannot send token: this runtime sends no headers, and the token is no subprotocol (base64url is)",
  );
}
