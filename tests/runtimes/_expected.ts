import type { Abilities } from "./_runtimes.ts";

/** What steps have to see, by their names. */
type Sights = Readonly<Record<string, unknown>>;

/**
 * What the scenario has to see: the same everywhere, but for what a runtime's
 * `WebSocket` cannot do or does not tell.
 */
export function expectedSteps(abilities: Abilities): Sights {
  return {
    ...expectedCalls("legacy", "2025-11-25"),
    ...expectedCalls("modern", "2026-07-28"),
    "the server asks the client": "The client says Ready? Yes.",
    "a token arrives": abilities.sendsHeaders
      ? { authorization: "Bearer c2VjcmV0", custom: null, protocols: "mcp, bowline.v1" }
      : { authorization: null, custom: null, protocols: "mcp, bowline.v1, mcp.auth.c2VjcmV0" },
    ...expectedRefusals(abilities),
    ...expectedLosses("legacy, mcp"),
    ...expectedLosses("modern, mcp"),
    ...expectedLosses("legacy, bowline.v1"),
    ...expectedLosses("modern, bowline.v1"),
    ...EXPECTED_SESSIONS,
    "the server freezes and thaws": { losses: ["heartbeat"], echo: "thawed" },
    "closing while the server is frozen": { status: "disconnected", isQuick: true },
    "refused when it comes back": { status: "failed", error: "MCPConnectionError", closes: 1 },
    "the network goes and comes back": abilities.tellsNetwork
      ? ["reconnecting", "offline", "connecting", "connected", "disconnected"]
      : "Nobody tells",
  };
}

function expectedCalls(era: string, protocolVersion: string): Sights {
  return {
    [`${era}: opens`]: {
      status: "initialized",
      era,
      protocolVersion,
      server: "stage",
      isConnected: true,
    },
    [`${era}: lists tools`]: ["echo", "count", "hold", "look", "ask"],
    [`${era}: text comes back as it was`]: true,
    [`${era}: 200 KiB come back as they were`]: { length: 204_800, isSame: true },
    [`${era}: 100 calls at once`]: true,
    [`${era}: 3 MiB at once`]: true,
    [`${era}: progress`]: {
      progress: [[1, 3, "1 of 3"], [2, 3, "2 of 3"], [3, 3, "3 of 3"]],
      result: "Counted to 3",
    },
    [`${era}: cancelling reaches the server`]: {
      hasStarted: true,
      isReason: true,
      wasAborted: [false, true],
    },
    [`${era}: a timeout reaches the server`]: {
      error: { name: "MCPTimeoutError", kind: "timeout", retryable: false },
      wasAborted: true,
    },
    [`${era}: an error of the server`]: { name: "MCPRpcError", code: -32602 },
    [`${era}: closing twice, opening again`]: {
      closed: "disconnected",
      refused: "MCPConnectionError",
      again: "again",
    },
    [`${era}: closing settles what is in flight`]: "MCPConnectionError",
  };
}

/** What the client makes of a connection that could not be opened. */
type DialFacts = readonly [kind: string, cause: string, retryable: boolean, status?: number];

const NO_WORD: DialFacts = ["network", "unreachable", true];
const OURS: DialFacts = ["protocol", "protocol", false];

function expectedRefusals({ saysWhy, opensAnySubprotocol, sendsHeaders }: Abilities): Sights {
  const told = (...facts: DialFacts) => failed(saysWhy ? facts : NO_WORD);
  const badSubprotocol = failed(opensAnySubprotocol ? OURS : NO_WORD);
  return {
    "status 401": told("authentication", "unauthenticated", true, 401),
    "status 403": told("authentication", "forbidden", false, 403),
    "status 503": told("capacity", "capacity", true, 503),
    "a redirect": told("policy", "not-found", false, 302),
    "a path the server does not serve": told("policy", "not-found", false, 404),
    "nobody listens": failed(NO_WORD),
    "nobody answers": {
      error: { name: "MCPTimeoutError", kind: "timeout", retryable: true },
      status: "failed",
      again: "MCPTimeoutError",
    },
    "a certificate that nobody trusts": told("network", "tls", false),
    "the caller gives up": { isReason: true, status: "failed" },
    "a subprotocol that was not offered": badSubprotocol,
    "a subprotocol that carries a credential": badSubprotocol,
    "a binary frame": { status: "failed", error: dialError(OURS) },
    "headers": sendsHeaders
      ? { authorization: null, custom: "value", protocols: "mcp, bowline.v1" }
      : dialError(OURS),
    "a runtime without WebSocket": dialError(OURS),
  };
}

function failed(facts: DialFacts): unknown {
  return { error: dialError(facts), status: "failed", again: "MCPConnectionError" };
}

function dialError([kind, cause, retryable, status]: DialFacts): unknown {
  const error = { name: "MCPConnectionError", kind, cause, retryable };
  return status === undefined ? error : { ...error, status };
}

const RESUMED = { sessionsLost: 0, isResumed: true };

const EXPECTED_SESSIONS: Sights = {
  "a session goes on when its connection is cut": {
    counted: "Counted to 6",
    progress: [1, 2, 3, 4, 5, 6],
    isSame: true,
    ...RESUMED,
  },
  "a session goes on when its connection is cut within large messages": {
    isSame: true,
    ...RESUMED,
  },
  "a notification is confirmed": [1, 2],
  "a notification is not confirmed by a plain server": {
    error: { name: "MCPError", kind: "session", retryable: false },
    wasSent: false,
  },
  "a health check in a session": { status: "healthy", wasAnswered: true },
};

function expectedLosses(title: string): Sights {
  return {
    [`${title}: the server is killed and comes back`]: {
      started: ["unsafe", "safe"],
      losses: ["reset"],
      unsafe: {
        name: "MCPConnectionError",
        kind: "network",
        retryable: false,
        outcome: "unknown",
      },
      safe: "elsewhere",
      queued: "after",
      isOther: true,
      status: "initialized",
    },
    [`${title}: the server restarts in good order`]: {
      running: "Counted to 1",
      queued: "after",
      losses: [{ cause: "restarting", code: 1012, reason: "Restarting" }],
      isOther: true,
      status: "initialized",
    },
  };
}
