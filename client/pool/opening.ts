import { MCPConnectionError, MCPError, toError } from "../../protocol/errors.ts";
import type { Member } from "./member.ts";

/**
 * Opens connections until enough are usable; the others go on by themselves.
 *
 * @param members The connections.
 * @param count How many are enough.
 * @param signal Gives up waiting; closing them is left to the caller.
 * @throws {MCPConnectionError} If too few can be opened; its cause is why the last one failed.
 * @throws The signal's reason, if it aborts.
 */
export async function openEnough(
  members: readonly Member[],
  count: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  let opened = 0;
  let failed = 0;
  for (const member of members) {
    member.open().then(
      () => ++opened === count && resolve(),
      (thrown) =>
        members.length - ++failed < count && reject(openingError(members, failed, thrown)),
    );
  }
  try {
    await promise;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function openingError(
  members: readonly Member[],
  failed: number,
  thrown: unknown,
): MCPConnectionError {
  const cause = toError(thrown);
  // Words of others may hold a secret.
  const words = cause instanceof MCPError ? `: ${cause.message}` : "";
  const text = `Cannot connect pool as ${failed} of ${members.length} connections failed${words}`;
  return new MCPConnectionError(text, {
    cause,
    kind: cause instanceof MCPError ? cause.kind : "network",
    retryable: cause instanceof MCPError && cause.retryable,
    outcome: "not-sent",
    verdict: cause instanceof MCPConnectionError ? cause.verdict : undefined,
  });
}
