import { BlockList, isIP } from "node:net";
import type { RequestSnapshot } from "./request.ts";

/** Proxies that are believed. */
export interface TrustedProxies {
  /**
   * Their addresses, or networks such as `"10.0.0.0/8"`. Who comes from
   * elsewhere is not asked for whom it speaks.
   */
  readonly addresses: readonly string[];
  /**
   * The header in which they say for whom: addresses with commas between, the
   * nearest last, or RFC 7239 if it is `Forwarded`.
   *
   * @default {"X-Forwarded-For"}
   */
  readonly header?: string | undefined;
}

/** Finds out whom a request comes from. */
export type ClientAddress = (
  request: Pick<RequestSnapshot, "headers" | "remoteAddress">,
) => string | undefined;

/** The `for` of an element of RFC 7239; its value may be quoted. */
const FOR_REGEXP = /(?:^|;)\s*for\s*=\s*("?)([^";,]*)\1\s*(?:;|$)/i;
/** An address with a port: IPv6 in brackets. */
const PORT_REGEXP = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::\d{1,5})?$/i;
/** What a proxy may have added to a list; older entries do not matter. */
const MAX_HOPS = 32;

/**
 * Makes what finds out the address of a client. Without proxies it is the
 * address that the connection comes from, whatever a header says. Else it is the
 * last one in the header that is no trusted proxy's: everything before it is
 * what somebody unknown has written.
 *
 * @param proxies Who is believed.
 * @returns What finds out.
 * @throws {TypeError} If an address or network cannot be read.
 */
export function clientAddress(proxies?: TrustedProxies): ClientAddress {
  if (proxies === undefined) return ({ remoteAddress }) => remoteAddress;
  const { addresses, header = "X-Forwarded-For" } = proxies;
  const trusted = listAddresses(addresses);
  const read = header.toLowerCase() === "forwarded" ? readForwarded : readPlain;
  return ({ headers, remoteAddress }) => {
    const hops = read(headers.get(header) ?? "").slice(-MAX_HOPS);
    let address = remoteAddress;
    while (address !== undefined && isTrusted(trusted, address)) {
      const hop = hops.pop();
      // A proxy that hides its client, or says nonsense, counts itself.
      if (hop === undefined) break;
      address = hop;
    }
    return address;
  };
}

/**
 * What an address is counted by. An IPv6 client has a whole network of its
 * own, 64 bits wide: its addresses count as one.
 *
 * @param address An IP address.
 * @returns The address or network.
 */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff";
  return isMapped ? dotted(groups.slice(6)) : `${groups.slice(0, 4).join(":")}::/64`;
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  if (isIP(address) === 6 && groupsOf(address).join(":") === "0:0:0:0:0:0:0:1") return true;
  return /^127(?:\.\d+){3}$/.test(addressKey(address));
}

/** The eight groups of an IPv6 address, as short as possible. */
function groupsOf(address: string): string[] {
  const [bare = ""] = address.split("%");
  const canonical = URL.parse(`http://[${bare}]`)?.hostname.slice(1, -1) ?? "";
  const [head = "", tail] = canonical.split("::");
  const groups = (text: string) => text === "" ? [] : text.split(":");
  const first = groups(head);
  const last = groups(tail ?? "");
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array<string>(zeros).fill("0"), ...last];
}

/** An IPv4 address in the clothes of IPv6. */
function dotted(groups: readonly string[]): string {
  return groups.map((group) => parseInt(group, 16)).flatMap((n) => [n >> 8, n & 255]).join(".");
}

function listAddresses(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [index, entry] of entries.entries()) {
    const [address = "", bits, ...rest] = entry.split("/");
    const family = isIP(address);
    const width = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    if (family === 0 || rest.length > 0 || !(prefix <= width)) {
      throw new TypeError(
        `Cannot trust proxies as each must be an address or network: entry ${index} is ${
          JSON.stringify(entry)
        }`,
      );
    }
    list.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

function isTrusted(trusted: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && trusted.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** The addresses of the list; what stands before one that is none is of no use. */
function readPlain(header: string): string[] {
  return readable(header.split(",").map((entry) => entry.trim()));
}

function readForwarded(header: string): string[] {
  return readable(header.split(",").map((entry) => FOR_REGEXP.exec(entry.trim())?.[2] ?? ""));
}

function readable(entries: readonly string[]): string[] {
  const addresses = entries.map(parseAddress);
  return addresses.slice(addresses.lastIndexOf(undefined) + 1)
    .filter((address) => address !== undefined);
}

function parseAddress(text: string): string | undefined {
  if (isIP(text) !== 0 && !text.includes("%")) return text;
  const [, six, four] = PORT_REGEXP.exec(text) ?? [];
  const address = six ?? four ?? "";
  return isIP(address) === 0 ? undefined : address;
}
