import { MCPRpcError } from "../../protocol/errors.ts";
import {
  ERROR_CODES,
  errorResponse,
  type JsonRpcResponse,
  type RequestId,
} from "../../protocol/jsonrpc.ts";

/**
 * The answer to a request of a client that has to say who it is.
 *
 * @param id The request.
 * @param fault Why it is not served, in words fit for the client; without it, it is.
 */
export function authenticationAnswer(id: RequestId, fault?: string): JsonRpcResponse {
  if (fault === undefined) return { jsonrpc: "2.0", id, result: {} };
  return errorResponse(new MCPRpcError(ERROR_CODES.AUTHENTICATION_REQUIRED, fault), id);
}
