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

/** Says the last words to a connection before it is closed; resolves when they have left. */
export type Conclude = (session: WebSocketServerTransport) => void | Promise<void>;

/** The part of the time for shutting down that a client has to move when nothing runs. */
const LEAVE_SHARE = 0.1;

/**
 * Closes connections, each as soon as none of its requests is running. Clients
 * that keep sessions are asked to move, and get some time for it.
 *
 * @param sessions The connections.
 * @param plan The close code, the reason, and how long to wait.
 * @param clock Where time comes from.
 * @param conclude Says the last words to each.
 * @returns Resolves when all have ended, at the latest a second after the timeout.
 */
export async function drain(
  sessions: Iterable<WebSocketServerTransport>,
  plan: ShutdownPlan,
  clock: Clock,
  conclude?: Conclude,
): Promise<void> {
  const patience = new AbortController();
  const timer = clock.after(plan.timeout, () => patience.abort());
  await Promise.all(Array.from(sessions, async (session) => {
    const isTold = session.retire(plan.timeout, plan.reason);
    await session.idle(patience.signal).catch(() => {});
    if (isTold) await leave(session, plan.timeout * LEAVE_SHARE, clock, patience.signal);
    await conclude?.(session);
    await session.close(plan.code, plan.reason);
  }));
  timer.clear();
}

/** Waits until the client has moved, or has had its time and nothing is left to do for it. */
async function leave(
  session: WebSocketServerTransport,
  time: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  session.closed.then(() => resolve());
  signal.addEventListener("abort", () => resolve(), { once: true });
  do {
    await session.idle(signal).catch(() => {});
    // Who is not there, and has missed nothing, is not waited for.
    if (!session.isAttached && !isBusy(session)) return;
    const pause = Promise.withResolvers<void>();
    const timer = clock.after(time, pause.resolve);
    await Promise.race([gone, pause.promise]);
    timer.clear();
  } while (session.isOpen && !signal.aborted && isBusy(session));
}

function isBusy({ running, bufferedMessages = 0 }: WebSocketServerTransport): boolean {
  return running > 0 || bufferedMessages > 0;
}
