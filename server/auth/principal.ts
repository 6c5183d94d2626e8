import type { AuthInfo } from "../../protocol/transport.ts";

/** Whom a connection belongs to. */
export interface Principal {
  /** Names the principal, and no other: sessions are counted and resumed by it. */
  readonly id: string;
  /** What the principal may do. */
  readonly scopes?: readonly string[] | undefined;
  /** When the admission ends, in milliseconds since 1970; without it, it does not. */
  readonly expiresAt?: number | undefined;
  /** The OAuth client that acts for the principal; by default its `id`. */
  readonly clientId?: string | undefined;
  /** What else is known, such as the claims of a JWT. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /**
   * The token that handlers are told, where it is not the one the client sent:
   * behind a ticket, say. A secret: do not log principals that have one.
   */
  readonly token?: string | undefined;
}

/** Options of {@linkcode authInfoOf}. */
export interface AuthInfoOptions {
  /** The server that the token is meant for (RFC 8707). */
  readonly resource?: URL | undefined;
}

/**
 * A principal in the shape that both official SDKs hand to request handlers.
 *
 * @param principal The principal.
 * @param token What the client sent; the principal's own token goes first.
 * @default {""} token
 * @param options The server's name.
 * @returns A new object. `expiresAt` is in seconds, as the SDKs want it, and
 * `extra` holds the claims, with the principal's id as `principal`.
 */
export function authInfoOf(
  principal: Principal,
  token = "",
  options: AuthInfoOptions = {},
): AuthInfo {
  const { id, clientId = id, scopes = [], expiresAt, claims } = principal;
  const { resource } = options;
  return {
    token: principal.token ?? token,
    clientId,
    scopes: [...scopes],
    ...(expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt / 1_000) }),
    ...(resource === undefined ? {} : { resource: new URL(resource) }),
    extra: { ...claims, principal: id },
  };
}

/** Whether a value can be used as a principal, whatever a callback returned. */
export function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== "object" || value === null) return false;
  const { id, scopes, expiresAt, clientId, token } = value as Record<string, unknown>;
  const isText = (text: unknown) => text === undefined || typeof text === "string";
  return typeof id === "string" && id !== "" && isText(clientId) && isText(token) &&
    (scopes === undefined ||
      (Array.isArray(scopes) && scopes.every((s) => typeof s === "string"))) &&
    (expiresAt === undefined || Number.isFinite(expiresAt));
}
