import { checkCloseCode } from "./close_code.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import type { Clock } from "../protocol/clock.ts";
import type { WebSocketServerTransport } from "./transport.ts";

/** Options of shutting down. */
export interface ShutdownOptions {
  /**
   * The close code that clients get.
   *
   * @default {1001}
   */
  readonly code?: number | undefined;
  /**
   * Why, in words fit for the clients.
   *
   * @default {"Server is shutting down"}
   */
  readonly reason?: string | undefined;
  /**
   * How long running requests may take to be answered, in milliseconds.
   *
   * @default {10_000}
   */
  readonly timeout?: number | undefined;
}

/** {@linkcode ShutdownOptions} after validation, with the defaults filled in. */
export type ShutdownPlan = Required<
  { [Name in keyof ShutdownOptions]: NonNullable<ShutdownOptions[Name]> }
>;

/**
 * Checks the options and fills in the defaults.
 *
 * @param options What the caller asked for.
 * @returns The plan.
 * @throws {RangeError} If no endpoint may send the code, or the timeout is negative.
 */
export function planShutdown(options: ShutdownOptions): ShutdownPlan {
  const {
    code = CLOSE_CODES.GOING_AWAY,
    reason = "Server is shutting down",
    timeout = 10_000,
  } = options;
  checkCloseCode(code);
  if (timeout >= 0) return { code, reason, timeout };
  throw new RangeError(
    `Cannot shut down as "timeout" must not be negative: current value is ${timeout}`,
  );
}

/**
 * Closes connections, each as soon as none of its requests is running.
 *
 * @param sessions The connections.
 * @param plan The close code, the reason, and how long to wait.
 * @param clock Where time comes from.
 * @returns Resolves when all have ended, at the latest a second after the timeout.
 */
export async function drain(
  sessions: Iterable<WebSocketServerTransport>,
  plan: ShutdownPlan,
  clock: Clock,
): Promise<void> {
  const patience = new AbortController();
  const timer = clock.after(plan.timeout, () => patience.abort());
  await Promise.all(Array.from(sessions, async (session) => {
    await session.idle(patience.signal).catch(() => {});
    await session.close(plan.code, plan.reason);
  }));
  timer.clear();
}
