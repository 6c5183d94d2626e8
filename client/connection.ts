import type { LossCause } from "../protocol/close_codes.ts";

/** What every state tells. */
export interface ConnectionStateBase {
  /** When this state was entered, in milliseconds since 1970. */
  readonly since: number;
  /** The dial under way, or the last one: 1 for the first since the connection was lost. */
  readonly attempt: number;
  /** When the last dial began, in milliseconds since 1970. */
  readonly lastAttemptAt: number | undefined;
}

/**
 * Where a connection stands: not opened yet or closed on purpose
 * (`disconnected`), being dialled, usable, waiting for the next dial, waiting
 * for the network, or given up (`failed`).
 */
export type ConnectionState =
  & ConnectionStateBase
  & (
    | { readonly status: "disconnected" }
    | { readonly status: "connecting" }
    | { readonly status: "connected" }
    | { readonly status: "reconnecting"; readonly cause: LossCause }
    | { readonly status: "offline" }
    | { readonly status: "failed"; readonly error: Error }
  );

/** The name of a state. */
export type ConnectionStatus = ConnectionState["status"];

/** What moves a connection from state to state. */
export type ConnectionInput =
  | { readonly type: "dial" }
  | { readonly type: "opened" }
  | {
    readonly type: "lost";
    readonly cause: LossCause;
    readonly wasStable: boolean;
  }
  | { readonly type: "offline" }
  | { readonly type: "failed"; readonly error: Error }
  | { readonly type: "close" };

/** The states in which each input means something. */
const LEGAL: {
  readonly [Type in ConnectionInput["type"]]: readonly ConnectionStatus[];
} = {
  dial: ["disconnected", "reconnecting", "offline", "failed"],
  opened: ["connecting"],
  lost: ["connecting", "connected"],
  offline: ["connecting", "reconnecting"],
  failed: ["connecting", "connected", "reconnecting", "offline"],
  close: ["connecting", "connected", "reconnecting", "offline", "failed"],
};

/** Whether there is a connection, or one is tried for. */
export function isStarted({ status }: ConnectionState): boolean {
  return status !== "disconnected" && status !== "failed";
}

/** The state before anything has happened. */
export function initialState(now: number): ConnectionState {
  return {
    status: "disconnected",
    since: now,
    attempt: 0,
    lastAttemptAt: undefined,
  };
}

/**
 * The state that follows.
 *
 * @param state The present state.
 * @param input What happened.
 * @param now When, in milliseconds since 1970.
 * @returns The next state, or `undefined` if the input means nothing in this one.
 */
export function transition(
  state: ConnectionState,
  input: ConnectionInput,
  now: number,
): ConnectionState | undefined {
  if (!LEGAL[input.type].includes(state.status)) return undefined;
  const base = {
    since: now,
    attempt: state.attempt,
    lastAttemptAt: state.lastAttemptAt,
  };
  switch (input.type) {
    case "dial": {
      const isFirst = state.status === "disconnected" ||
        state.status === "failed";
      const attempt = isFirst ? 1 : state.attempt + 1;
      return { ...base, status: "connecting", attempt, lastAttemptAt: now };
    }
    case "opened":
      return { ...base, status: "connected" };
    case "lost": {
      const attempt = input.wasStable ? 0 : state.attempt;
      return { ...base, status: "reconnecting", attempt, cause: input.cause };
    }
    case "offline":
      return { ...base, status: "offline" };
    case "failed":
      return { ...base, status: "failed", error: input.error };
    case "close":
      return { ...base, status: "disconnected" };
  }
}
