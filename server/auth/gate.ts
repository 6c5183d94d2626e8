import { type Clock, systemClock } from "../../protocol/clock.ts";
import { MCPError, MCPTimeoutError } from "../../protocol/errors.ts";
import { guard, isPromiseLike } from "../../protocol/guard.ts";
import type { AuthInfo } from "../../protocol/transport.ts";
import type { RequestSnapshot } from "../request.ts";
import { wwwAuthenticate } from "./challenge.ts";
import { type Credential, credentialOf, readCredential, tokensOf } from "./credential.ts";
import type { AuthDecision, Authenticate } from "./decision.ts";
import { authInfoOf, isPrincipal, type Principal } from "./principal.ts";
import type { ProtectedResource } from "./protected_resource.ts";
import { isFreeOf } from "./secrets.ts";
import type { Tickets } from "./tickets.ts";

/** Who is let in. */
export interface AuthOptions {
  /** Decides who a client is. */
  readonly authenticate: Authenticate;
  /** Tickets that let a client in once, in the URL or in place of a token. */
  readonly tickets?: Tickets | undefined;
  /** What every principal has to be allowed; who is not, is refused with 403. */
  readonly requiredScopes?: readonly string[] | undefined;
  /**
   * How long a decision may take, in milliseconds.
   *
   * @default {10_000}
   */
  readonly timeout?: number | undefined;
  /** Tells clients where they get tokens. */
  readonly resource?: ProtectedResource | undefined;
  /**
   * Lets clients in that show nothing with their upgrade request, and gives
   * them ten seconds to show a token in their first message: in `hello`, or in
   * a request `authenticate`. For clients that can send neither headers nor
   * subprotocols; until then, they are served nothing.
   *
   * @default {false}
   */
  readonly inBand?: boolean | undefined;
}

/** What {@linkcode AuthGate} needs besides. */
export interface AuthGateOptions extends AuthOptions {
  /** Told why nobody could be judged; no error holds what a client has shown. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** Where time comes from, in milliseconds since 1970. */
  readonly clock?: Clock | undefined;
}

/** A client that is let in. */
export interface Admitted {
  /** Says so. */
  readonly type: "accept";
  /** Whom it belongs to. */
  readonly principal: Principal;
  /** The same as the SDKs read it; it holds the token. */
  readonly authInfo: AuthInfo;
}

/** A client that is not let in. */
export interface Denied {
  /** Says so. */
  readonly type: "refuse";
  /** Whether nothing was shown, or what is the matter with it. */
  readonly cause: "missing" | "malformed" | "invalid" | "forbidden" | "unavailable";
  /** The HTTP status, before the upgrade. */
  readonly status: 400 | 401 | 403 | 503;
  /** The close code, after it. */
  readonly code: 4401 | 4403 | 4503;
  /** Headers that belong to the status. */
  readonly headers: { readonly [name: string]: string };
  /** Why, in words fit for the client; it fits into a close frame. */
  readonly reason: string;
}

/** What becomes of a client. */
export type AuthOutcome = Admitted | Denied;

/** How each cause is told. */
const DENIALS = {
  missing: { status: 401, code: 4401, error: undefined, reason: "A credential is needed" },
  malformed: {
    status: 400,
    code: 4401,
    error: "invalid_request",
    reason: "The credential is malformed",
  },
  invalid: { status: 401, code: 4401, error: "invalid_token", reason: "The token is not accepted" },
  forbidden: {
    status: 403,
    code: 4403,
    error: "insufficient_scope",
    reason: "The principal may not come in",
  },
  unavailable: {
    status: 503,
    code: 4503,
    error: undefined,
    reason: "Nobody can be let in at the moment",
  },
} as const;

/** When to come back to a server that can judge nobody, in seconds. */
const RETRY_AFTER = "5";
/** What fits into a close frame (RFC 6455, 5.5), with room to spare. */
const REASON_REGEXP = /^[\x20-\x7e]{1,120}$/;

/** Lets clients in, or not: before the upgrade, and after it for tokens that come later. */
export class AuthGate {
  readonly #options: AuthGateOptions;
  readonly #clock: Clock;
  readonly #timeout: number;

  /**
   * Makes a gate.
   *
   * @param options Who decides.
   * @throws {TypeError} If nobody does.
   * @throws {RangeError} If the timeout is not positive.
   */
  constructor(options: AuthGateOptions) {
    const { authenticate, timeout = 10_000, clock = systemClock } = options;
    if (typeof authenticate !== "function") {
      throw new TypeError('Cannot create gate as "authenticate" must be a function: it is none');
    }
    if (!(timeout > 0)) {
      throw new RangeError(
        `Cannot create gate as "timeout" must be positive: current value is ${timeout}`,
      );
    }
    this.#options = options;
    this.#clock = clock;
    this.#timeout = timeout;
  }

  /**
   * Judges an upgrade request by what it shows.
   *
   * @param request The request.
   * @returns The outcome; at once, if the decision is. It never throws or rejects.
   */
  admit(request: RequestSnapshot): AuthOutcome | Promise<AuthOutcome> {
    const { tickets } = this.#options;
    const reading = readCredential(request, tickets !== undefined);
    switch (reading.type) {
      case "credential":
        return this.#judge(request, reading.credential);
      case "ticket": {
        const principal = tickets?.redeem(reading.ticket);
        if (principal === undefined) return this.#deny("invalid", "The ticket is not good");
        return this.#accept(principal, undefined);
      }
      case "none":
        return this.#judge(request, undefined);
      case "malformed":
        return this.#deny("malformed", reading.reason);
    }
  }

  /**
   * Judges a token that came in a message.
   *
   * @param request The upgrade request of the connection.
   * @param token What was sent.
   * @param source Where.
   * @returns The outcome; at once, if the decision is. It never throws or rejects.
   */
  admitToken(
    request: RequestSnapshot,
    token: unknown,
    source: "hello" | "request",
  ): AuthOutcome | Promise<AuthOutcome> {
    const credential = credentialOf(token, source);
    return credential === undefined ? this.#deny("malformed") : this.#judge(request, credential);
  }

  /** What a client is told that has shown nothing. */
  missing(): Denied {
    return this.#deny("missing");
  }

  #judge(
    request: RequestSnapshot,
    credential: Credential | undefined,
  ): AuthOutcome | Promise<AuthOutcome> {
    const holder = credential && this.#redeem(credential);
    if (holder !== undefined) return this.#accept(holder, undefined);
    const abort = new AbortController();
    const secrets = credential === undefined ? [] : tokensOf(credential);
    const conclude = (decision: AuthDecision) => this.#conclude(decision, credential, secrets);
    const fail = (thrown: unknown) => this.#fail(thrown, secrets);
    try {
      const decision = this.#options.authenticate(request, credential, { signal: abort.signal });
      if (!isPromiseLike(decision)) return conclude(decision);
      return this.#expect(Promise.resolve(decision), abort).then(conclude).catch(fail);
    } catch (thrown) {
      return fail(thrown);
    }
  }

  /** A ticket is as good in place of a token as in the URL. */
  #redeem(credential: Credential): Principal | undefined {
    return this.#options.tickets?.redeem(credential.token);
  }

  async #expect(decision: Promise<AuthDecision>, abort: AbortController): Promise<AuthDecision> {
    const late = Promise.withResolvers<never>();
    const timer = this.#clock.after(this.#timeout, () => {
      const error = new MCPTimeoutError("Cannot authenticate client in time", this.#timeout);
      late.reject(error);
      abort.abort(error);
    });
    try {
      return await Promise.race([decision, late.promise]);
    } finally {
      timer.clear();
    }
  }

  #conclude(
    decision: AuthDecision,
    credential: Credential | undefined,
    secrets: readonly string[],
  ): AuthOutcome {
    switch (decision.type) {
      case "accept":
        return this.#accept(decision.principal, credential);
      case "refuse": {
        const { status, reason } = decision;
        const cause = status === 403 ? "forbidden" : "invalid";
        const isTold = typeof reason === "string" && isFreeOf(reason, secrets);
        return this.#deny(cause, isTold ? reason : undefined);
      }
      case "challenge":
        return this.#deny("missing");
      case "unavailable":
        return this.#fail(decision.cause, secrets);
    }
    // Whatever the types say, a function of somebody else's may return anything.
    throw new TypeError("Cannot authenticate client: the answer is no decision");
  }

  #accept(principal: Principal, credential: Credential | undefined): AuthOutcome {
    if (!isPrincipal(principal)) {
      throw new TypeError('Cannot authenticate client: a principal needs an "id"');
    }
    const { requiredScopes = [], resource } = this.#options;
    const { scopes = [], expiresAt = Infinity } = principal;
    if (expiresAt <= this.#clock.now()) return this.#deny("invalid", "The token has expired");
    if (!requiredScopes.every((scope) => scopes.includes(scope))) {
      return this.#deny("forbidden", "The token does not allow enough");
    }
    const authInfo = authInfoOf(principal, credential?.token, { resource: resource?.resource });
    return { type: "accept", principal: { ...principal }, authInfo };
  }

  #fail(thrown: unknown, secrets: readonly string[]): AuthOutcome {
    const details = thrown !== undefined && isFreeOf(thrown, secrets) ? { cause: thrown } : {};
    const error = new MCPError("authentication", "Cannot authenticate client: the check failed", {
      ...details,
      retryable: true,
    });
    guard(() => this.#options.onError?.(error), () => {});
    return this.#deny("unavailable");
  }

  #deny(cause: Denied["cause"], told = ""): Denied {
    const { status, code, error, reason: usual } = DENIALS[cause];
    const reason = REASON_REGEXP.test(told) ? told : usual;
    return {
      type: "refuse",
      cause,
      status,
      code,
      headers: this.#headers(cause, error, told),
      reason,
    };
  }

  #headers(
    cause: Denied["cause"],
    error: (typeof DENIALS)[Denied["cause"]]["error"],
    description: string,
  ): Denied["headers"] {
    if (cause === "unavailable") return { "Retry-After": RETRY_AFTER };
    const { requiredScopes, resource } = this.#options;
    const challenge = wwwAuthenticate({
      error,
      description: REASON_REGEXP.test(description) ? description : undefined,
      scopes: requiredScopes,
      resourceMetadata: resource?.url,
    });
    return { "WWW-Authenticate": challenge };
  }
}
