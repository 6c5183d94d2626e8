import { MCPConnectionError, toError } from "../protocol/errors.ts";
import type { JsonRpcNotification } from "../protocol/jsonrpc.ts";
import { findReopenFault, INITIALIZE } from "../protocol/mcp.ts";
import type { Conversation } from "./conversation.ts";
import type { LiveConnection } from "./live_connection.ts";
import { resultOf } from "./private_requests.ts";
import { lossError } from "./recovery.ts";

/**
 * Tells a new connection what the lost one was told, so that the application
 * need not notice. In the modern era there is nothing to tell. A connection on
 * which that fails is closed.
 *
 * @param connection The new connection.
 * @param conversation What was said.
 * @param report Told of what could not be restored.
 * @param signal Gives up.
 * @throws {MCPConnectionError} If the server is no longer the one that was lost, or is lost, too.
 * @throws {MCPTimeoutError} If it does not answer.
 */
export async function reopen(
  connection: LiveConnection,
  conversation: Conversation,
  report: (error: Error) => void,
  signal: AbortSignal,
): Promise<void> {
  const drop = () => connection.drop();
  signal.addEventListener("abort", drop, { once: true });
  try {
    signal.throwIfAborted();
    await restore(connection, conversation, report);
    signal.throwIfAborted();
  } catch (error) {
    // In good order, if there is time: a server would wait for the session to go on.
    if (!signal.aborted) await connection.close();
    connection.drop();
    throw error;
  } finally {
    signal.removeEventListener("abort", drop);
  }
}

async function restore(
  connection: LiveConnection,
  conversation: Conversation,
  report: (error: Error) => void,
): Promise<void> {
  const { opening } = conversation;
  if (opening === undefined) return;
  const answer = await connection.requests.ask({ method: INITIALIZE, params: opening.params });
  if (!("result" in answer)) throw changedError(answer.error.message);
  const fault = findReopenFault(opening.result, answer.result);
  if (fault !== undefined) throw changedError(fault);
  connection.escort();
  const asked: Promise<unknown>[] = [];
  for (const { method, params, isRequest } of conversation.reopening()) {
    if (isRequest) asked.push(connection.requests.ask({ method, params }).then(resultOf));
    else {
      const notification: JsonRpcNotification = {
        jsonrpc: "2.0",
        method,
        ...(params && { params }),
      };
      connection.send(JSON.stringify(notification), notification);
    }
  }
  for (const outcome of await Promise.allSettled(asked)) {
    if (!connection.isOpen) throw lossError(await connection.lost);
    if (outcome.status === "rejected") report(toError(outcome.reason));
  }
}

function changedError(fault: string): MCPConnectionError {
  return new MCPConnectionError(`Cannot reopen session: ${fault}`, {
    kind: "session",
    verdict: { cause: "protocol", pace: "never" },
    retryable: false,
  });
}
