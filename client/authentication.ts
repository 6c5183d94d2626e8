import { MCPConnectionError, MCPError } from "../protocol/errors.ts";
import type { JsonRpcErrorObject } from "../protocol/jsonrpc.ts";
import { AUTHENTICATE } from "../protocol/mcp.ts";
import type { LiveConnection } from "./live_connection.ts";
import type { AskLimits } from "./private_requests.ts";

/**
 * Shows a token on a connection that has just opened; where it is refused, the
 * connection is dropped.
 *
 * @param connection The connection.
 * @param token The token.
 * @param signal Gives up.
 * @throws {MCPConnectionError} If the server refuses it, or the connection is lost.
 * @throws {MCPTimeoutError} If the server does not answer.
 */
export async function introduce(
  connection: LiveConnection,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const fault = await show(connection, token, { signal });
    if (fault === undefined) return;
    throw new MCPConnectionError(refusalText(fault), {
      kind: "authentication",
      verdict: { cause: "unauthenticated", pace: "refresh" },
    });
  } catch (error) {
    connection.drop();
    throw error;
  }
}

/**
 * Shows a fresh token on a connection that is in use, and stays so.
 *
 * @param connection The connection.
 * @param token The token.
 * @param limits A time limit, and a signal.
 * @throws {MCPError} Of kind `authentication` if the server refuses it.
 * @throws {MCPConnectionError} If the connection is lost before the answer.
 */
export async function renew(
  connection: LiveConnection,
  token: string,
  limits: AskLimits,
): Promise<void> {
  // Before the welcome of a session nothing may be said but what is safe to repeat.
  if (connection.isCongested) await connection.drained();
  limits.signal?.throwIfAborted();
  const fault = await show(connection, token, limits);
  if (fault !== undefined) throw new MCPError("authentication", refusalText(fault));
}

async function show(
  connection: LiveConnection,
  token: string,
  limits: AskLimits,
): Promise<JsonRpcErrorObject | undefined> {
  const question = { method: AUTHENTICATE, params: { token } };
  const answer = await connection.requests.ask(question, limits);
  return "error" in answer ? answer.error : undefined;
}

/** The server's words are left out: they may repeat the token. */
function refusalText({ code }: JsonRpcErrorObject): string {
  return `Cannot authenticate: the server refused the token (code ${code})`;
}
