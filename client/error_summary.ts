import { MCPError, MCPRpcError } from "../protocol/errors.ts";

/** An error without what it may have been told in confidence. */
export interface ErrorSummary {
  /** The class of the error, with the code that a peer answered. */
  readonly name: string;
  /** Its message; `undefined` if it is not this package's own and may hold anything. */
  readonly message: string | undefined;
  /** Where it happened. */
  readonly context: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/**
 * What may be told of an error to whoever watches the connection.
 *
 * @param error The error.
 * @param context Where it happened.
 * @param at When, in milliseconds since 1970.
 */
export function summarize(error: Error, context: string, at: number): ErrorSummary {
  const isPeers = error instanceof MCPRpcError;
  return Object.freeze({
    name: isPeers ? `${error.name} ${error.code}` : error.name,
    message: error instanceof MCPError && !isPeers ? error.message : undefined,
    context,
    at,
  });
}
