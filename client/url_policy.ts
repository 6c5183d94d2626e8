import { MCPConnectionError, MCPError } from "../protocol/errors.ts";
import {
  type AddressRange,
  classifyAddress,
  contains,
  embeddedAddress,
  formatAddress,
  type IpAddress,
  isSingle,
  parseAddress,
  unmapAddress,
} from "./addresses.ts";
import { isDisguised, isHostName, isInternational, isMatch } from "./hosts.ts";
import type { ResolveName, UrlPolicy } from "./url_policy_options.ts";

/** Where a URL that passed leads to. */
export interface Destination {
  /** The URL. */
  readonly url: URL;
  /** The name without a final dot, or the address without brackets, in canonical form. */
  readonly host: string;
  /** The address, if the host is one. */
  readonly address: IpAddress | undefined;
  /** Whether the host is this machine by definition. */
  readonly isLoopback: boolean;
  /** The policy that it passed. */
  readonly policy: UrlPolicy;
}

/** What {@linkcode checkDestination} goes by. */
export interface CheckOptions {
  /** What may be dialled. */
  readonly policy: UrlPolicy;
  /** How to look a name up. */
  readonly resolve: ResolveName;
}

/** The rule that a URL breaks. */
export type UrlRule =
  | "url"
  | "scheme"
  | "credentials"
  | "host"
  | "spelling"
  | "allowed-hosts"
  | "international-name"
  | "port"
  | "address"
  | "encryption";

/**
 * A URL may not be dialled. Trying again does not help.
 *
 * @example What somebody else's URL leads to
 * ```ts
 * import { UrlPolicyError, WebSocketClientTransport } from "@bowline/mcp-websocket/client";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const url = "wss://0x7f.1/mcp";
 * const urlPolicy = { environment: "production" } as const;
 * const error = assertThrows(
 *   () => new WebSocketClientTransport(url, { urlPolicy }),
 *   UrlPolicyError,
 * );
 * assertEquals(error.rule, "spelling");
 * ```
 */
export class UrlPolicyError extends MCPError {
  /** The name of the class. */
  override name = "UrlPolicyError";
  /** The rule that it breaks. */
  readonly rule: UrlRule;
  /** The host and its port, if it is not the usual one; empty if there is none. */
  readonly host: string;

  /**
   * Makes an error.
   *
   * @param rule The rule that is broken.
   * @param host The host and its port; empty if there is none.
   * @param reason What is wrong, free of secrets.
   */
  constructor(rule: UrlRule, host: string, reason: string) {
    const place = host === "" ? "" : ` to ${JSON.stringify(host)}`;
    super("policy", `Cannot connect${place}: ${reason}`);
    this.rule = rule;
    this.host = host;
  }
}

/**
 * Checks all of a URL that can be checked without looking its name up. It sees
 * through what the URL parser folds: other notations of addresses, full-width
 * digits, ideographic dots and percent-encoding are the host they stand for.
 *
 * @param url The URL; as text also its spelling is checked.
 * @param policy What may be dialled.
 * @returns Where it leads to.
 * @throws {UrlPolicyError} If it may not be dialled.
 */
export function checkUrl(url: string | URL, policy: UrlPolicy): Destination {
  const text = String(url);
  if (!URL.canParse(text)) throw new UrlPolicyError("url", "", "the URL is malformed");
  const destination = locate(new URL(text), policy);
  const refuse = (rule: UrlRule, reason: string) => {
    throw new UrlPolicyError(rule, destination.url.host, reason);
  };
  const { protocol, username, password } = destination.url;
  if (protocol !== "ws:" && protocol !== "wss:") {
    refuse("scheme", 'the scheme must be "ws:" or "wss:"');
  }
  if (username !== "" || password !== "") {
    refuse("credentials", "credentials do not belong into the URL");
  }
  checkHost(destination, text, refuse);
  const port = portOf(destination.url);
  if (!policy.isPortAllowed(port)) refuse("port", `port ${port} is not allowed`);
  checkReach(destination, refuse);
  return destination;
}

/**
 * Checks all addresses that a name has: a single one that is not open is
 * enough to refuse it, since any of them may be dialled.
 *
 * @param addresses The addresses.
 * @param destination What {@linkcode checkUrl} returned for the URL.
 * @throws {UrlPolicyError} If it may not be dialled.
 * @throws {MCPConnectionError} If there are no addresses.
 */
export function checkAddresses(addresses: readonly string[], destination: Destination): void {
  const { url: { host }, isLoopback, policy } = destination;
  if (addresses.length === 0) throw unknownError(host);
  for (const text of addresses) {
    const name = JSON.stringify(text);
    const address = parseAddress(text);
    if (address === undefined) {
      throw new UrlPolicyError("address", host, `it resolves to ${name}, which is no address`);
    }
    const closed = findClosed(address, policy);
    if (closed !== undefined) {
      throw new UrlPolicyError("address", host, `it resolves to ${name}: ${closedReason(closed)}`);
    }
    if (isLoopback && classifyAddress(address) !== "loopback") {
      throw new UrlPolicyError("address", host, `it resolves to ${name}, which is not loopback`);
    }
  }
}

/**
 * Checks a URL and, if its host is a name, the addresses of the name.
 *
 * @param url The URL; as text also its spelling is checked.
 * @param options What may be dialled, and how to look a name up.
 * @returns Where it leads to.
 * @throws {UrlPolicyError} If it may not be dialled.
 * @throws {MCPConnectionError} If its name cannot be looked up now.
 */
export async function checkDestination(
  url: string | URL,
  { policy, resolve }: CheckOptions,
): Promise<Destination> {
  const destination = checkUrl(url, policy);
  if (destination.address !== undefined) return destination;
  const addresses = await lookUp(destination, resolve);
  if (addresses !== undefined) checkAddresses(addresses, destination);
  return destination;
}

/** RFC 6761, 6.3. */
const LOCALHOST_REGEXP = /^(?:.+\.)?localhost$/;

type Refuse = (rule: UrlRule, reason: string) => void;

function locate(url: URL, policy: UrlPolicy): Destination {
  return { url, policy, ...readHost(url) };
}

function readHost({ hostname }: URL): Pick<Destination, "host" | "address" | "isLoopback"> {
  const name = hostname.replace(/^\[|\]$/g, "");
  const address = parseAddress(name);
  const host = address === undefined ? name.replace(/\.$/, "") : formatAddress(address);
  const isLoopback = address === undefined
    ? LOCALHOST_REGEXP.test(host)
    : classifyAddress(address) === "loopback";
  return { host, address, isLoopback };
}

/** Whether the host of a URL is this machine, by its name or address. */
export function isLoopbackUrl(url: string): boolean {
  return readHost(new URL(url)).isLoopback;
}

function checkHost(
  { url, host, address, policy }: Destination,
  text: string,
  refuse: Refuse,
): void {
  const { hosts, environment } = policy;
  if (address === undefined && !isHostName(host)) {
    refuse("host", "the host is neither a name nor an address");
  }
  if (environment === "production" && isDisguised(text, url)) {
    const plain = address === undefined ? host : formatAddress(unmapAddress(address));
    refuse("spelling", `the URL must spell the host plainly, as "${plain}"`);
  }
  if (hosts !== undefined && !hosts.some((pattern) => isMatch(pattern, host))) {
    refuse("allowed-hosts", 'the host is not in "allowedHosts"');
  }
  if (environment === "production" && hosts === undefined && isInternational(host)) {
    refuse("international-name", 'an internationalised name must be in "allowedHosts"');
  }
}

/** Whether a destination may be reached at all, and without encryption. */
function checkReach({ url, address, isLoopback, policy }: Destination, refuse: Refuse): void {
  const reached = address ?? (isLoopback ? LOCALHOST : undefined);
  const closed = reached && findClosed(reached, policy);
  if (closed !== undefined) refuse("address", closedReason(closed));
  if (url.protocol === "ws:" && policy.unencrypted === "loopback" && !isLoopback) {
    refuse("encryption", '"wss:" is required');
  }
}

const LOCALHOST: IpAddress = { version: 4, value: 0x7f00_0001n };

/** The range that keeps an address from being dialled. */
function findClosed(address: IpAddress, policy: UrlPolicy): AddressRange | undefined {
  const range = classifyAddress(address);
  if (range === "public") return undefined;
  const isOpened = policy.ranges.has(range) || policy.blocks.some((block) => {
    return contains(block, address) && (range !== "metadata" || isSingle(block));
  });
  if (!isOpened) return range;
  const inner = embeddedAddress(address);
  return inner && findClosed(inner, policy);
}

function closedReason(range: AddressRange): string {
  return `${range} addresses are not in "allowedAddresses"`;
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "ws:" ? 80 : 443) : Number(port);
}

async function lookUp(
  { url }: Destination,
  resolve: ResolveName,
): Promise<readonly string[] | undefined> {
  try {
    return await resolve(url.hostname, portOf(url));
  } catch (cause) {
    throw unknownError(url.host, { cause });
  }
}

function unknownError(host: string, options: { cause?: unknown } = {}): MCPConnectionError {
  return new MCPConnectionError(`Cannot connect to "${host}": its name cannot be resolved`, {
    verdict: { cause: "unreachable", pace: "backoff" },
    ...options,
  });
}
