import { type AddressBlock, type AddressRange, parseBlock } from "./addresses.ts";
import { type HostPattern, parsePattern } from "./hosts.ts";

/** The ranges that {@linkcode UrlPolicyOptions.allowedAddresses} can open by name. */
export type OpenRange =
  | "loopback"
  | "private"
  | "shared"
  | "link-local"
  | "unspecified"
  | "documentation"
  | "benchmark"
  | "nat64";

/**
 * Tells all addresses of a name.
 *
 * @param name The name.
 * @param port The port that will be dialled.
 * @returns Its addresses; `undefined` if that cannot be told.
 */
export type ResolveName = (
  name: string,
  port: number,
) => Promise<readonly string[] | undefined>;

/**
 * Which URLs may be dialled. In production that is `wss:` to public addresses,
 * and every exception is an option that names it; in development nearly
 * everything may be dialled.
 *
 * Names are looked up, and all their addresses checked, right before a dial.
 * The runtime looks the name up once more when it connects, and takes no
 * address from us: a name server that answers differently the second time ("DNS
 * rebinding") passes. What closes that gap is outside of this module: `wss:`,
 * since the host inside has no certificate for the name; Deno's `--deny-net`
 * with the private blocks, which looks at the address that is connected to; a
 * firewall; or `allowedHosts`, where the name servers are trusted. Through a
 * proxy it is the proxy that looks up names. Browsers tell no addresses, and
 * there only the URL is checked.
 *
 * Redirects need no rule: no runtime follows them for a WebSocket.
 */
export interface UrlPolicyOptions {
  /** What the defaults are for. By default what `DENO_ENV` or `NODE_ENV` says. */
  readonly environment?: "production" | "development" | undefined;
  /**
   * The hosts that may be dialled, and no others: names, addresses, or
   * `*.example.com` for all names below `example.com`. An entry opens no
   * address: a host inside needs `allowedAddresses`, too. In production
   * internationalised names can only be dialled if an entry covers them, as
   * nobody can tell them from others by their looks.
   */
  readonly allowedHosts?: readonly string[] | undefined;
  /**
   * The ports that may be dialled, and no others. By default all in
   * development; in production all but those that browsers refuse, too: other
   * protocols are spoken there, whose servers might obey a handshake.
   */
  readonly allowedPorts?: readonly number[] | undefined;
  /**
   * The addresses that may be dialled though they are not public: ranges by
   * name, or blocks such as `10.20.0.0/16`. Where clouds tell a machine its
   * credentials (169.254.169.254 and others) is opened only by a block of that
   * one address. An address that leads to an IPv4 address through a translator
   * or a tunnel needs both to be open.
   *
   * @default {[]} In production; in development all ranges that have a name here.
   */
  readonly allowedAddresses?: readonly (OpenRange | `${string}/${number}`)[] | undefined;
  /**
   * Where `ws:`, which anybody on the way can read and change, may go:
   * `"loopback"`, which counts only if that range is open, or `"anywhere"`.
   *
   * @default {"loopback"} In production; in development `"anywhere"`.
   */
  readonly unencrypted?: "loopback" | "anywhere" | undefined;
  /**
   * Looks a name up. By default the system does, on Deno (where the program may
   * connect there), Node and Bun. What it throws fails the dial.
   */
  readonly resolveName?: ResolveName | undefined;
}

/** A policy with everything filled in and checked. */
export interface UrlPolicy {
  /** Whether odd spellings are refused, and internationalised names that nobody named. */
  readonly environment: "production" | "development";
  /** The hosts that may be dialled; `undefined` for all. */
  readonly hosts: readonly HostPattern[] | undefined;
  /** Whether a port may be dialled. */
  readonly isPortAllowed: (port: number) => boolean;
  /** The ranges that are open besides the public one. */
  readonly ranges: ReadonlySet<AddressRange>;
  /** The blocks that are open besides them. */
  readonly blocks: readonly AddressBlock[];
  /** Where `ws:` may go. */
  readonly unencrypted: "loopback" | "anywhere";
  /** Looks a name up; `undefined` for the system. */
  readonly resolveName: ResolveName | undefined;
}

const OPEN_RANGES: readonly OpenRange[] = [
  "loopback",
  "private",
  "shared",
  "link-local",
  "unspecified",
  "documentation",
  "benchmark",
  "nat64",
];

/** Fetch Standard, 2.9: port blocking. */
const BAD_PORTS: ReadonlySet<number> = new Set([
  ...[0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101],
  ...[102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389],
  ...[427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636],
  ...[989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665],
  ...[6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);

/**
 * The policy that the options describe.
 *
 * @param options What the caller asked for.
 * @param mode What the environment says, where the options say nothing.
 * @throws {TypeError} If an option is neither of its values, or an entry is no host or range.
 * @throws {SyntaxError} If a block of addresses is malformed.
 * @throws {RangeError} If a port is none.
 */
export function resolveUrlPolicy(
  options: UrlPolicyOptions,
  mode: "production" | "development",
): UrlPolicy {
  const { environment = mode, allowedHosts, allowedPorts } = options;
  checkChoice("environment", environment, ["production", "development"]);
  const isProduction = environment === "production";
  const { unencrypted = isProduction ? "loopback" : "anywhere" } = options;
  checkChoice("unencrypted", unencrypted, ["loopback", "anywhere"]);
  const { allowedAddresses = isProduction ? [] : OPEN_RANGES } = options;
  return {
    environment,
    hosts: allowedHosts?.map(parsePattern),
    isPortAllowed: resolvePorts(allowedPorts, isProduction),
    ranges: new Set(allowedAddresses.filter(isOpenRange)),
    blocks: allowedAddresses.filter((entry) => !isOpenRange(entry)).map(parseOpening),
    unencrypted,
    resolveName: options.resolveName,
  };
}

function resolvePorts(
  ports: readonly number[] | undefined,
  isProduction: boolean,
): (port: number) => boolean {
  if (ports === undefined) return (port) => port !== 0 && !(isProduction && BAD_PORTS.has(port));
  for (const port of ports) {
    if (Number.isInteger(port) && port >= 1 && port <= 65_535) continue;
    throw new RangeError(
      `Option "allowedPorts" must hold integers between 1 and 65535: current entry is ${port}`,
    );
  }
  const allowed = new Set(ports);
  return (port) => allowed.has(port);
}

function isOpenRange(entry: string): entry is OpenRange {
  return OPEN_RANGES.some((range) => range === entry);
}

function parseOpening(entry: string): AddressBlock {
  if (entry.includes("/")) return parseBlock(entry);
  const names = OPEN_RANGES.map((range) => `"${range}"`).join(", ");
  throw new TypeError(
    `Option "allowedAddresses" must hold blocks, or of ${names}: current entry is ${
      JSON.stringify(entry)
    }`,
  );
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  const names = choices.map((choice) => `"${choice}"`).join(" or ");
  throw new TypeError(
    `Option "${name}" must be ${names}: current value is ${JSON.stringify(value)}`,
  );
}
