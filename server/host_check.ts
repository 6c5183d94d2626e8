import { isIP } from "node:net";
import type { RequestSnapshot } from "./request.ts";

/**
 * Under which hosts a server may be reached: a list of names or addresses, with
 * a port or for any port, or a function that is asked for each host.
 */
export type AllowedHosts =
  | readonly string[]
  | ((host: string) => boolean);

/** Where a server listens, as far as it knows. */
export interface BoundAddress {
  /** The name or address of the interface. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** What {@linkcode isHostAllowed} goes by. */
export interface HostPolicy {
  /** Which hosts there are besides those of this machine and of the listener. */
  readonly allowedHosts?: AllowedHosts | undefined;
  /** Where the server listens; unknown to a handler in somebody else's server. */
  readonly bound?: BoundAddress | undefined;
}

/** A host of a URL, taken apart. */
interface Host {
  /** The name or address, in lower case; IPv6 in brackets. */
  readonly name: string;
  /** The port, `undefined` if none is given. */
  readonly port: number | undefined;
}

/** A name, an IPv4 address or an IPv6 address in brackets; perhaps a port. No user, no zone. */
const HOST_REGEXP = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;
/** Names and addresses of this machine. */
const LOOPBACK_REGEXP = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
/** An interface of this name stands for all. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);

/** Whether the text can be an entry of {@linkcode AllowedHosts}. */
export function isHost(text: string): boolean {
  return parseHost(text) !== undefined;
}

/**
 * Whether a request may reach the server under the host it names. A page whose
 * name is made to point at this machine (DNS rebinding) passes for a page of
 * this server in every respect but this: browsers send the page's own name.
 *
 * These are allowed: the names and addresses of this machine, on any port; the
 * address the server listens on; and what the caller lists. A server that
 * listens on all interfaces, or does not know, is reached under any address in
 * numbers as well: such a host cannot be made to point elsewhere.
 *
 * @param request The request: its `Host`, and its URL, which must agree.
 * @param policy What is allowed.
 * @returns Whether it may.
 */
export function isHostAllowed(
  request: Pick<RequestSnapshot, "url" | "headers">,
  policy: HostPolicy = {},
): boolean {
  const host = hostOf(request);
  if (host === undefined) return false;
  return isOwn(host, policy.bound) || isListed(host, policy.allowedHosts);
}

/**
 * The host that the request is meant for. Deno writes the host of an absolute
 * target into the URL and leaves the header as it came (RFC 9112, 3.2.2);
 * HTTP/2 has no such header.
 */
function hostOf({ url, headers }: Pick<RequestSnapshot, "url" | "headers">): Host | undefined {
  const target = URL.parse(url);
  // Without "Host", Deno makes up a URL; only over TLS may it come from HTTP/2.
  if (target === null || target.username !== "" || target.password !== "") return undefined;
  const header = headers.get("Host");
  if (header === null && target.protocol !== "https:") return undefined;
  if (header === target.host && HOST_REGEXP.test(header)) return readHost(target);
  const host = parseHost(header ?? target.host);
  if (host === undefined) return undefined;
  const named = URL.parse(`${target.protocol}//${header ?? target.host}`);
  return named?.host === target.host ? host : undefined;
}

/** The host of a URL, which is written as browsers do. */
function readHost({ hostname, port }: URL): Host {
  return {
    name: hostname.replace(/\.$/, ""),
    port: port === "" ? undefined : Number(port),
  };
}

/** Takes a host apart; one that browsers would write in another way is none. */
function parseHost(text: string): Host | undefined {
  const [, name = "", digits] = HOST_REGEXP.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  // Browsers turn 0x7f.1 and 2130706433 into 127.0.0.1, and so does the parser.
  const canonical = URL.parse(`http://${name}`)?.hostname;
  if (canonical === undefined || (port !== undefined && port > 65_535)) return undefined;
  const isSame = name.startsWith("[") || canonical === name.toLowerCase();
  return isSame ? { name: canonical.replace(/\.$/, ""), port } : undefined;
}

function isOwn(host: Host, bound: BoundAddress | undefined): boolean {
  if (LOOPBACK_REGEXP.test(host.name)) return true;
  const name = bound === undefined ? undefined : boundName(bound);
  if (name === undefined || WILDCARDS.has(name)) return isAddress(host.name);
  return host.name === name && isPortOf(host, bound?.port);
}

/** Listeners tell IPv6 addresses without brackets. */
function boundName({ hostname }: BoundAddress): string | undefined {
  return parseHost(hostname.includes(":") ? `[${hostname.replace(/^\[|\]$/g, "")}]` : hostname)
    ?.name;
}

/** Browsers leave the port of the scheme out. */
function isPortOf({ port }: Host, bound: number | undefined): boolean {
  return port === bound || (port === undefined && (bound === 80 || bound === 443));
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

function isListed(host: Host, allowed: AllowedHosts = []): boolean {
  const { name, port } = host;
  if (typeof allowed === "function") {
    return allowed(port === undefined ? name : `${name}:${port}`) === true;
  }
  return allowed.some((entry) => {
    const listed = parseHost(entry);
    return listed?.name === name && (listed.port === undefined || listed.port === port);
  });
}
