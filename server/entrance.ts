import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { isPromiseLike } from "../protocol/guard.ts";
import type { CloseInfo } from "../protocol/link.ts";
import { Admission, type AdmissionDecision, type Place } from "./admission.ts";
import { type Admitted, AuthGate, type AuthOutcome, type Denied } from "./auth/gate.ts";
import { type ClientAddress, clientAddress } from "./client_address.ts";
import {
  checkHeaders,
  checkRequest,
  checkRoom,
  chooseProtocol,
  type HandshakePolicy,
  type Refusal,
  refuse,
} from "./handshake.ts";
import type { HandlerSettings } from "./options.ts";
import type { Reporter } from "./reporter.ts";
import type { RequestSnapshot } from "./request.ts";
import type { ClientIdentity, Visitor } from "./visitor.ts";

/** What becomes of a request that asks for a WebSocket. */
export type Entry =
  | {
    /** Says that the client is let in. */
    readonly type: "accept";
    /** The subprotocol to answer with, if any. */
    readonly protocol: string | undefined;
    /** Who comes in. */
    readonly visitor: Visitor;
  }
  | {
    /** Says that the client is let in to be told why it may not stay. */
    readonly type: "reject";
    /** The subprotocol to answer with, if any. */
    readonly protocol: string | undefined;
    /** What the client is told. */
    readonly info: CloseInfo;
    /** Why, for whoever counts. */
    readonly refusal: Refusal;
    /** Its place among the connections. */
    readonly place: Place;
  }
  | Refusal;

/** How full the server is, when somebody asks. */
export type Occupancy = Pick<
  HandshakePolicy,
  "bound" | "activeConnections" | "isClosing" | "takesSessions"
>;

/** Judges a token that a client sends later on. */
export type JudgeToken = (
  request: RequestSnapshot,
  token: unknown,
) => AuthOutcome | Promise<AuthOutcome>;

/** What an {@linkcode Entrance} needs to know. */
export interface EntranceSource {
  /** How full the server is now. */
  occupancy(): Occupancy;
  /** How many connections the owner has now. */
  countOf(owner: string): number;
}

/**
 * Judges who may come in. What is cheap comes first: the request itself, then
 * rates, then the credential, which may take a while, then whether there is room.
 */
export class Entrance {
  readonly #settings: HandlerSettings;
  readonly #source: EntranceSource;
  readonly #admission: Admission;
  readonly #gate: AuthGate | undefined;
  readonly #addressOf: ClientAddress;

  /**
   * @param settings Who may come in.
   * @param reporter Told why nobody could be judged.
   * @param source What there is to know of the server.
   */
  constructor(settings: HandlerSettings, reporter: Reporter, source: EntranceSource) {
    const { admission, auth, clock, trustedProxies } = settings;
    this.#settings = settings;
    this.#source = source;
    this.#admission = new Admission(admission, () => clock.now());
    this.#addressOf = clientAddress(trustedProxies);
    this.#gate = auth && new AuthGate({
      ...auth,
      clock,
      onError: (error) => reporter.error("Authentication failed", error),
    });
  }

  /** Connections of which it is not known yet whose they are. */
  get unauthenticated(): number {
    return this.#admission.unauthenticated;
  }

  /**
   * Judges a request.
   *
   * @param request The request.
   * @returns What becomes of it; at once, unless somebody has to look the credential up.
   */
  judge(request: RequestSnapshot): Entry | Promise<Entry> {
    const refusal = checkRequest(request, this.#policy());
    if (refusal !== undefined) return refusal;
    const decision = this.#admission.admit(this.#addressOf(request));
    if (decision.type === "refuse") return rateRefusal(decision);
    const { place } = decision;
    const conclude = (outcome: AuthOutcome | undefined) => this.#settle(request, place, outcome);
    const outcome = this.#gate?.admit(request);
    return isPromiseLike(outcome) ? outcome.then(conclude) : conclude(outcome);
  }

  /**
   * Judges a client by the token that came in a message, if one did.
   *
   * @param visitor The client.
   * @param token What was sent; `undefined` for nothing.
   * @param source Where.
   * @returns The client, now known; or why it has to leave.
   */
  identify(
    visitor: Visitor,
    token: unknown,
    source: "hello" | "request",
  ): Visitor | Denied | Promise<Visitor | Denied> {
    const gate = this.#gate;
    if (gate === undefined) return visitor;
    if (token === undefined || !this.#takesTokens) {
      return visitor.principal === undefined ? gate.missing() : visitor;
    }
    const conclude = (outcome: AuthOutcome) => {
      if (outcome.type === "refuse") return outcome;
      visitor.place.authenticated();
      return { ...visitor, ...identityOf(outcome) };
    };
    const outcome = gate.admitToken(visitor.request, token, source);
    return isPromiseLike(outcome) ? outcome.then(conclude) : conclude(outcome);
  }

  /** Judges a fresh token of a connection that is open; `undefined` if nobody asks for any. */
  get judgeToken(): JudgeToken | undefined {
    const gate = this.#gate;
    return gate && ((request, token) => gate.admitToken(request, token, "request"));
  }

  get #takesTokens(): boolean {
    return this.#settings.auth?.inBand === true;
  }

  /** A place is kept by those alone who get a socket. */
  #settle(request: RequestSnapshot, place: Place, outcome: AuthOutcome | undefined): Entry {
    let isKept = false;
    try {
      const entry = this.#conclude(request, place, outcome);
      isKept = entry.type !== "refuse";
      return entry;
    } finally {
      if (!isKept) place.release();
    }
  }

  #conclude(request: RequestSnapshot, place: Place, outcome: AuthOutcome | undefined): Entry {
    const isAwaited = outcome?.type === "refuse" && outcome.cause === "missing" &&
      this.#takesTokens;
    if (outcome?.type === "refuse" && !isAwaited) return this.#deny(request, place, outcome);
    const fault = checkHeaders(request);
    if (fault !== undefined) return fault;
    if (!isAwaited) place.authenticated();
    const identity = outcome?.type === "accept" ? identityOf(outcome) : this.#nameOf(request);
    return this.#admit({ ...identity, request, place });
  }

  /** Whom the client belongs to, if somebody before this server knows. */
  #nameOf(request: RequestSnapshot): ClientIdentity {
    const id = this.#settings.principalOf?.(request);
    return { principal: id === undefined ? undefined : { id }, authInfo: undefined };
  }

  #admit(visitor: Visitor): Entry {
    const { request, principal, place } = visitor;
    const policy = this.#policy();
    const count = principal === undefined ? 0 : this.#source.countOf(principal.id);
    const isCrowded = count >= this.#settings.maxConnectionsPerPrincipal;
    const refusal = checkRoom(request, policy, isCrowded);
    const protocol = chooseProtocol(request, policy);
    if (refusal === undefined) return { type: "accept", protocol, visitor };
    const info = { code: CLOSE_CODES.AT_CAPACITY, reason: refusal.reason };
    return this.#refuse(request, place, refusal, info);
  }

  #deny(request: RequestSnapshot, place: Place, denied: Denied): Entry {
    const { status, reason, headers, code } = denied;
    const refusal = refuse("auth", status, reason, headers);
    return this.#refuse(request, place, refusal, { code, reason });
  }

  /** Web pages cannot see the status of a failed upgrade: they may be told behind it. */
  #refuse(request: RequestSnapshot, place: Place, refusal: Refusal, info: CloseInfo): Entry {
    const isLate = this.#settings.rejectAfterUpgrade && checkHeaders(request) === undefined;
    if (!isLate) return refusal;
    const protocol = chooseProtocol(request, this.#policy());
    return { type: "reject", protocol, info, refusal, place };
  }

  #policy(): HandshakePolicy {
    const { path, allowedOrigins, allowedHosts, maxConnections, session } = this.#settings;
    return {
      ...this.#source.occupancy(),
      path,
      allowedOrigins,
      allowedHosts,
      maxConnections,
      hasSessions: session !== undefined,
    };
  }
}

function identityOf({ principal, authInfo }: Admitted): ClientIdentity {
  return { principal, authInfo };
}

function rateRefusal(decision: AdmissionDecision & { readonly type: "refuse" }): Refusal {
  const { status, reason, retryAfterMs } = decision;
  const seconds = Math.max(Math.ceil(retryAfterMs / 1_000), 1);
  return refuse("rate", status, reason, { "Retry-After": `${seconds}` });
}
