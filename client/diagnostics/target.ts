import { type Endpoint, parseEndpoint } from "../endpoint.ts";
import { checkUrl, type Destination } from "../url_policy.ts";
import type { UrlPolicy } from "../url_policy_options.ts";
import type { Place } from "./probes.ts";

/** Where a URL leads to. */
export interface Target {
  /** What is dialled. */
  readonly endpoint: Endpoint;
  /** What the URL policy made of it. */
  readonly destination: Destination;
  /** The host and the port. */
  readonly place: Place;
  /** The same as text. */
  readonly name: string;
}

/**
 * Finds out where a URL leads to.
 *
 * @param url The URL.
 * @param policy What may be dialled.
 * @throws {SyntaxError} If it is malformed.
 * @throws {TypeError} If it is no WebSocket URL, or holds credentials.
 * @throws {UrlPolicyError} If it may not be dialled.
 */
export function findTarget(url: string | URL, policy: UrlPolicy): Target {
  const endpoint = parseEndpoint(url);
  const destination = checkUrl(url, policy);
  const { protocol, hostname, port: given } = destination.url;
  const port = given === "" ? (protocol === "wss:" ? 443 : 80) : Number(given);
  const place = { host: destination.host, port };
  return { endpoint, destination, place, name: `${hostname}:${port}` };
}
