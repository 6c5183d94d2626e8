/**
 * Which web pages may connect: a list of exact origins, or a function that is
 * asked for each origin.
 */
export type AllowedOrigins =
  | readonly string[]
  | ((origin: string) => boolean);

/** Pages served from this machine, on any port. */
const LOOPBACK_REGEXP = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/;

/** An origin as browsers write it: a scheme and a host, no path. */
const ORIGIN_REGEXP = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s,]+$/;

/** Whether the text can be an entry of {@linkcode AllowedOrigins}. */
export function isOrigin(text: string): boolean {
  return ORIGIN_REGEXP.test(text);
}

/**
 * Whether a request with this `Origin` header may connect. Browsers always
 * send the header with a WebSocket upgrade and no page can change it: whoever
 * sends none is no browser, and not a page that uses somebody's cookies.
 *
 * "The same host" is not enough to be allowed: after DNS rebinding the origin
 * and the host are both the attacker's.
 *
 * @param origin The header, `null` if there is none.
 * @param allowed Who may; by default pages from this machine.
 * @returns Whether it may. Several origins, and the opaque `null`, may not.
 */
export function isOriginAllowed(
  origin: string | null,
  allowed?: AllowedOrigins,
): boolean {
  if (origin === null) return true;
  if (!isOrigin(origin)) return false;
  if (allowed === undefined) return LOOPBACK_REGEXP.test(origin);
  return typeof allowed === "function" ? allowed(origin) === true : allowed.includes(origin);
}
