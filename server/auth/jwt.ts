import { errors, type JWTPayload, jwtVerify } from "jose";
import { type Credential, tokensOf } from "./credential.ts";
import type { AuthDecision, Authenticate } from "./decision.ts";
import { type JsonWebKeySet, KeysUnavailable, localKeys, remoteKeys } from "./jwks.ts";
import type { Principal } from "./principal.ts";

/** The claims of a JWT whose signature and times are right. */
export type JwtClaims = Readonly<Record<string, unknown>>;

/** Options of {@linkcode jwt}. */
export interface JwtOptions {
  /** Who may have issued a token: its `iss`, to the letter. */
  readonly issuer: string | readonly string[];
  /** Whom a token must be meant for: its `aud`. The address of this server, as a rule. */
  readonly audience: string | readonly string[];
  /** The public keys of the issuer, or where they are fetched from. */
  readonly jwks: URL | JsonWebKeySet;
  /**
   * Signatures that are accepted. Only those with public keys can be: whoever
   * can check a shared secret can forge tokens with it.
   *
   * @default {["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]}
   */
  readonly algorithms?: readonly string[] | undefined;
  /**
   * How far the issuer's clock may be off, in milliseconds.
   *
   * @default {5_000}
   */
  readonly clockTolerance?: number | undefined;
  /**
   * How long fetched keys are used before they are fetched again, in milliseconds.
   *
   * @default {600_000}
   */
  readonly cacheAge?: number | undefined;
  /**
   * The time between two fetches on account of tokens whose key is unknown, in
   * milliseconds.
   *
   * @default {30_000}
   */
  readonly cooldown?: number | undefined;
  /**
   * How long fetching keys may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly timeout?: number | undefined;
  /**
   * Whom a token belongs to; `undefined` refuses it with 403. By default the
   * `sub`, after the issuer if there are several; scopes are those of `scope`
   * or `scp`. The token ends with its `exp` in any case.
   */
  readonly principalOf?: ((claims: JwtClaims) => Principal | undefined) | undefined;
  /** The current time, in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/** Three parts in base64url; decoders let blanks pass, which would make two tokens of one. */
const JWT_REGEXP = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Signatures with public keys. */
const ALGORITHMS: readonly string[] = [
  ...["RS256", "RS384", "RS512"],
  ...["PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512"],
  ...["EdDSA", "Ed25519"],
];

/** What is wrong with a token, by jose's code, in words fit for the client. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["ERR_JWT_EXPIRED", "The token has expired"],
  ["ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "The signature of the token is wrong"],
  ["ERR_JOSE_ALG_NOT_ALLOWED", "The algorithm of the token is not accepted"],
  ["ERR_JWKS_NO_MATCHING_KEY", "The key of the token is unknown"],
  ["ERR_JWKS_MULTIPLE_MATCHING_KEYS", "The token does not say which key it is signed with"],
]);

/** The same for claims. */
const CLAIM_REASONS: ReadonlyMap<string, string> = new Map([
  ["iss", "The token is of another issuer"],
  ["aud", "The token is meant for another server"],
  ["nbf", "The token is not valid yet"],
  ["exp", "The token does not say when it expires"],
]);

/** What is wrong with the keys of the issuer, and with no token. */
const KEY_FAULTS: ReadonlySet<string> = new Set(["ERR_JWKS_INVALID", "ERR_JWK_INVALID"]);

const NO_JWT = "The token is no valid JWT";
const MISSING: AuthDecision = { type: "challenge" };

/**
 * Lets in whoever has a JWT of a given issuer, meant for this server. Tokens
 * must expire; what is not signed with one of the issuer's public keys is
 * refused before any claim is looked at.
 *
 * @example Tokens of an OAuth server
 * ```ts
 * import { jwt } from "@bowline/mcp-websocket/jwt";
 *
 * const authenticate = jwt({
 *   issuer: "https://auth.example.com/",
 *   audience: "https://mcp.example.com/mcp",
 *   jwks: new URL("https://auth.example.com/.well-known/jwks.json"),
 * });
 * ```
 *
 * @param options Whose tokens, for whom, and the keys.
 * @returns What decides.
 * @throws {TypeError} If there is no issuer or audience, an algorithm has no
 * public keys, or the keys are not public, or not fetched over TLS.
 * @throws {RangeError} If a duration is negative, or none.
 */
export function jwt(options: JwtOptions): Authenticate {
  const {
    issuer,
    audience,
    jwks,
    algorithms = ALGORITHMS,
    clockTolerance = 5_000,
    cacheAge = 600_000,
    cooldown = 30_000,
    timeout = 5_000,
    now = Date.now,
  } = options;
  const issuers = listOf("issuer", issuer);
  const principalOf = options.principalOf ?? ((claims) => defaultPrincipal(claims, issuers));
  const audiences = listOf("audience", audience);
  checkAlgorithms(algorithms);
  for (const [name, value] of Object.entries({ clockTolerance, cacheAge, cooldown, timeout })) {
    if (value >= 0 && Number.isFinite(value)) continue;
    throw new RangeError(fault(name, "a duration in milliseconds", value));
  }
  const keys = jwks instanceof URL
    ? remoteKeys(jwks, { cacheAge, cooldown, timeout, now: options.now ?? monotonic })
    : localKeys(jwks);

  async function verify(token: string): Promise<AuthDecision> {
    const { payload } = await jwtVerify(token, keys, {
      issuer: [...issuers],
      audience: [...audiences],
      algorithms: [...algorithms],
      clockTolerance: clockTolerance / 1_000,
      currentDate: new Date(now()),
      requiredClaims: ["exp"],
    });
    const principal = principalOf(payload);
    if (principal === undefined) {
      return { type: "refuse", status: 403, reason: "The principal of the token may not come in" };
    }
    const expiresAt = Math.min(expiryOf(payload, clockTolerance), principal.expiresAt ?? Infinity);
    return { type: "accept", principal: { ...principal, expiresAt } };
  }

  return async (_request, credential) => {
    if (credential === undefined) return MISSING;
    const token = tokenOf(credential);
    if (!JWT_REGEXP.test(token)) return { type: "refuse", status: 401, reason: NO_JWT };
    try {
      return await verify(token);
    } catch (error) {
      return judge(error);
    }
  };
}

/** Keys do not grow old when somebody sets the clock. */
function monotonic(): number {
  return performance.now();
}

/** A JWT has dots, and its base64url has none: it is clear which one was sent. */
function tokenOf(credential: Credential): string {
  const tokens = tokensOf(credential);
  return tokens.find((token) => token.includes(".")) ?? credential.token;
}

/** A token that has come in within the tolerance is not thrown out at once. */
function expiryOf({ exp = 0 }: JWTPayload, clockTolerance: number): number {
  return exp * 1_000 + clockTolerance;
}

function defaultPrincipal(claims: JwtClaims, issuers: readonly string[]): Principal | undefined {
  const { sub, iss, client_id, azp } = claims;
  if (typeof sub !== "string" || sub === "") return undefined;
  // Two issuers may have users of the same name; neither part holds a blank.
  const id = issuers.length === 1 ? sub : `${iss} ${sub}`;
  const clientId = [client_id, azp].find((claim) => typeof claim === "string");
  return { id, scopes: scopesOf(claims), claims, ...(clientId === undefined ? {} : { clientId }) };
}

function scopesOf({ scope, scp }: JwtClaims): string[] {
  const claimed: unknown = scope ?? scp;
  const list: unknown[] = typeof claimed === "string" ? claimed.split(" ") : [claimed].flat();
  return list.filter((entry): entry is string => typeof entry === "string" && entry !== "");
}

/** jose's own words are not handed on: they may quote the token. */
function judge(error: unknown): AuthDecision {
  if (error instanceof KeysUnavailable) return { type: "unavailable", cause: error };
  if (!(error instanceof errors.JOSEError) || KEY_FAULTS.has(error.code)) throw error;
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : "";
  const reason = CLAIM_REASONS.get(claim) ?? REASONS.get(error.code) ?? NO_JWT;
  return { type: "refuse", status: 401, reason };
}

function listOf(name: string, value: string | readonly string[]): readonly string[] {
  const list: unknown[] = [value].flat();
  const isList = list.length > 0 &&
    list.every((entry) => typeof entry === "string" && entry !== "");
  if (isList) return list as string[];
  throw new TypeError(fault(name, "a text or a list of texts", JSON.stringify(value)));
}

function checkAlgorithms(algorithms: readonly string[]): void {
  const wrong = algorithms.find((algorithm) => !ALGORITHMS.includes(algorithm));
  if (algorithms.length > 0 && wrong === undefined) return;
  const rule = `some of ${ALGORITHMS.join(", ")}`;
  throw new TypeError(fault("algorithms", rule, JSON.stringify(wrong ?? algorithms)));
}

function fault(option: string, rule: string, value: unknown): string {
  return `Cannot check tokens as "${option}" must be ${rule}: current value is ${value}`;
}
