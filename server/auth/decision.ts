import type { RequestSnapshot } from "../request.ts";
import type { Credential } from "./credential.ts";
import type { Principal } from "./principal.ts";

/** What becomes of a client that asks to be let in. */
export type AuthDecision =
  | {
    /** Lets the client in. */
    readonly type: "accept";
    /** Whom it belongs to. */
    readonly principal: Principal;
  }
  | {
    /** Refuses what the client has shown. */
    readonly type: "refuse";
    /** 401 if another credential may help, 403 if the principal may not come in. */
    readonly status: 401 | 403;
    /** Why, in words fit for the client; at most 120 bytes, free of secrets. */
    readonly reason: string;
  }
  | {
    /** Asks for a credential: none was shown that could be judged. */
    readonly type: "challenge";
  }
  | {
    /** Nobody can be judged at the moment; the client may try again. */
    readonly type: "unavailable";
    /** Why, for whoever runs the server. */
    readonly cause?: unknown;
  };

/** What {@linkcode Authenticate} is told besides. */
export interface AuthContext {
  /** Aborted when the answer comes too late. */
  readonly signal: AbortSignal;
}

/**
 * Decides who a client is. It is asked at every upgrade, and for every token
 * that comes later; what it throws is reported and the client told to try again.
 *
 * @param request The upgrade request, whose headers and cookies may count too.
 * @param credential What the client has shown, `undefined` for nothing.
 * @param context Tells when nobody waits for the answer any more.
 * @returns The decision. At once, where that is possible: upgrades wait for it.
 */
export type Authenticate = (
  request: RequestSnapshot,
  credential: Credential | undefined,
  context: AuthContext,
) => AuthDecision | Promise<AuthDecision>;
