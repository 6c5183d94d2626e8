import { MCPConnectionError, MCPRpcError, toError } from "../protocol/errors.ts";
import { isPromiseLike } from "../protocol/guard.ts";
import {
  isObject,
  type JsonRpcErrorObject,
  type JsonRpcParams,
  type JsonRpcRequest,
  type RequestId,
} from "../protocol/jsonrpc.ts";
import type { ConnectionState } from "./connection.ts";
import type { Notice } from "./exchange.ts";
import type { OfflineAnswer } from "./options.ts";

/** The member of a result's `_meta` that is `true` if this end made it, without the server. */
export const OFFLINE_META = "bowline/offline";

/**
 * Whether there has been a connection, or should be one by now, and there is
 * none. The very first dial is waited for.
 *
 * @param state Where the connection stands.
 * @param wasLost Whether one has been lost.
 */
export function isCutOff({ status, attempt }: ConnectionState, wasLost: boolean): boolean {
  switch (status) {
    case "reconnecting":
    case "offline":
      return true;
    case "connecting":
      return wasLost || attempt > 1;
    case "connected":
    case "disconnected":
    case "failed":
      return false;
  }
}

/**
 * Answers a request the way the application wants.
 *
 * @param request The request.
 * @param respond Gives the answer; `undefined` for none.
 * @param report Told what it throws, or that it gave something else.
 * @returns What the application hears; `undefined` if the request is to be queued.
 */
export function answerOffline(
  request: JsonRpcRequest,
  respond: (request: JsonRpcRequest) => OfflineAnswer | undefined,
  report: (error: Error) => void,
): Notice | undefined {
  try {
    const answer: unknown = respond(request);
    return answer === undefined ? undefined : toNotice(request, answer);
  } catch (thrown) {
    report(toError(thrown));
    return undefined;
  }
}

function toNotice({ id, method }: JsonRpcRequest, answer: unknown): Notice {
  if (isObject(answer) && isObject(answer.result)) return resultNotice(id, answer.result);
  if (isObject(answer) && isErrorObject(answer.error)) return errorNotice(id, answer.error);
  // It is refused below; to let it reject unheard would end the process.
  if (isPromiseLike(answer)) answer.then(undefined, () => {});
  throw new TypeError(
    `Cannot answer "${method}" offline: expected a "result" that is an object, ` +
      'or an "error" with an integer "code" and a string "message"',
  );
}

function resultNotice(id: RequestId, given: JsonRpcParams): Notice {
  const meta = isObject(given._meta) ? given._meta : {};
  const result = { ...given, _meta: { ...meta, [OFFLINE_META]: true } };
  return { message: { jsonrpc: "2.0", id, result }, extra: { lost: notSentError() } };
}

/** Who reads errors gets code and data as they were given, and as the cause that nothing was sent. */
function errorNotice(id: RequestId, { code, message, data: given }: JsonRpcErrorObject): Notice {
  const data = given === undefined || isObject(given) ? { outcome: "not-sent", ...given } : given;
  const lost = new MCPRpcError(code, message, { data, id, retryable: true, cause: notSentError() });
  return { message: { jsonrpc: "2.0", id, error: { code, message, data } }, extra: { lost } };
}

function notSentError(): MCPConnectionError {
  return new MCPConnectionError("Request was not sent: there is no connection", {
    outcome: "not-sent",
  });
}

function isErrorObject(value: unknown): value is JsonRpcErrorObject {
  return isObject(value) && Number.isInteger(value.code) && typeof value.message === "string";
}
