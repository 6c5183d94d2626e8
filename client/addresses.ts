/** An IP address. */
export interface IpAddress {
  /** The version of the protocol. */
  readonly version: 4 | 6;
  /** Its 32 or 128 bits, as a number. */
  readonly value: bigint;
}

/** All addresses that begin with the same bits, as `10.0.0.0/8`. */
export interface AddressBlock extends IpAddress {
  /** How many bits are the same. */
  readonly length: number;
}

/**
 * What an address is for, after the special-purpose registries of IANA:
 *
 * - `"public"`: anybody's host on the internet.
 * - `"loopback"`: this machine.
 * - `"private"`: of this site: RFC 1918, unique-local and the old site-local.
 * - `"shared"`: behind a carrier's NAT, or inside a cloud: RFC 6598.
 * - `"link-local"`: on this very network.
 * - `"metadata"`: where clouds tell a machine its credentials, whatever range
 *   that lies in.
 * - `"unspecified"`: none; dialling it reaches this machine on some systems.
 * - `"documentation"`, `"benchmark"`: nobody's.
 * - `"nat64"`: an IPv4 address as an IPv6-only network reaches it: RFC 6052.
 * - `"tunnel"`: IPv4 and IPv6 in each other otherwise: 6to4, Teredo, SIIT, a
 *   NAT64 of one's own.
 * - `"multicast"`, `"broadcast"`: many hosts.
 * - `"reserved"`: everything else that is not assigned.
 */
export type AddressRange =
  | "public"
  | "loopback"
  | "private"
  | "shared"
  | "link-local"
  | "metadata"
  | "unspecified"
  | "documentation"
  | "benchmark"
  | "nat64"
  | "tunnel"
  | "multicast"
  | "broadcast"
  | "reserved";

/** Which blocks a range has; the first that fits decides, so what is narrow comes first. */
const REGISTRY: readonly (readonly [AddressRange, string])[] = [
  // AWS, Azure, Google and others; AWS ECS and EKS; Alibaba; Azure's wire server; Oracle.
  ["metadata", "169.254.169.254/32 169.254.170.2/32 169.254.170.23/32"],
  ["metadata", "100.100.100.200/32 168.63.129.16/32 192.0.0.192/32"],
  ["metadata", "fd00:ec2::254/128 fd00:ec2::23/128 fd20:ce::254/128"],
  ["unspecified", "0.0.0.0/32 ::/128"],
  ["loopback", "127.0.0.0/8 ::1/128"],
  ["private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"],
  ["shared", "100.64.0.0/10"],
  ["link-local", "169.254.0.0/16 fe80::/10"],
  ["documentation", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"],
  ["benchmark", "198.18.0.0/15 2001:2::/48"],
  ["broadcast", "255.255.255.255/32"],
  ["multicast", "224.0.0.0/4 ff00::/8"],
  ["nat64", "64:ff9b::/96"],
  ["tunnel", "192.88.99.0/24 64:ff9b:1::/48 ::ffff:0:0:0/96 2001::/32 2002::/16"],
  ["reserved", "0.0.0.0/8 192.0.0.0/24 240.0.0.0/4 2001::/23"],
  ["public", "0.0.0.0/0 2000::/3"],
];

const V4_REGEXP = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const GROUP_REGEXP = /^[\da-f]{1,4}$/i;
const ZONE_REGEXP = /%[^%\s]+$/;
const LENGTH_REGEXP = /^(?:0|[1-9]\d{0,2})$/;

const BLOCKS: readonly (readonly [AddressRange, AddressBlock])[] = REGISTRY.flatMap(
  ([range, blocks]) => blocks.split(" ").map((text) => [range, parseBlock(text)] as const),
);

const MAPPED: AddressBlock = parseBlock("::ffff:0:0/96");

/** Where tunnels keep the IPv4 address: in which block, how far to the right, what it is mixed with. */
const EMBEDDED: readonly (readonly [AddressBlock, bigint, bigint])[] = [
  [parseBlock("64:ff9b::/96"), 0n, 0n],
  [parseBlock("::ffff:0:0:0/96"), 0n, 0n],
  [parseBlock("2002::/16"), 80n, 0n],
  // RFC 4380, 4: the client's address is obfuscated.
  [parseBlock("2001::/32"), 0n, 0xffff_ffffn],
];

/**
 * Reads an IP address: IPv4 as four decimal numbers and nothing else, for
 * `010.1` means different things to different readers; IPv6 as RFC 4291, 2.2
 * has it. An IPv6 zone, as resolvers append it, is ignored: it says through
 * which interface, not which address.
 *
 * @param text The address, without brackets.
 * @returns The address; `undefined` if the text is none.
 */
export function parseAddress(text: string): IpAddress | undefined {
  const value = parseV4(text);
  if (value !== undefined) return { version: 4, value };
  const groups = parseV6(text.replace(ZONE_REGEXP, ""));
  return groups && { version: 6, value: joinGroups(groups) };
}

/**
 * Writes an IP address in its one canonical form: for IPv6 that of RFC 5952,
 * and IPv4-mapped ones in hexadecimal too, as in a URL.
 *
 * @param address The address.
 * @returns Its text, without brackets.
 */
export function formatAddress({ version, value }: IpAddress): string {
  if (version === 4) return splitValue(value, 8n, 4).join(".");
  const groups = splitValue(value, 16n, 8);
  const { start, length } = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/**
 * Reads a block of addresses: `10.0.0.0/8`, `fd00::/8`.
 *
 * @param text An address, a slash and the number of bits that count.
 * @returns The block.
 * @throws {SyntaxError} If the text is no block, or the bits that do not count are not zero.
 */
export function parseBlock(text: string): AddressBlock {
  const [base = "", bits = "", ...rest] = text.split("/");
  const address = parseAddress(base);
  const length = Number(bits);
  const isBlock = address !== undefined && rest.length === 0 && LENGTH_REGEXP.test(bits) &&
    !base.includes("%") && length <= width(address.version);
  if (!isBlock) throw new SyntaxError(`Cannot use address block "${text}": it is malformed`);
  const free = BigInt(width(address.version) - length);
  if (address.value >> free << free !== address.value) {
    throw new SyntaxError(`Cannot use address block "${text}": it begins elsewhere`);
  }
  return { ...address, length };
}

/** Whether an address lies in a block; one that is IPv4-mapped lies where its IPv4 address does. */
export function contains(block: AddressBlock, address: IpAddress): boolean {
  return holds(block, unmapAddress(address));
}

/** Whether a block is a single address. */
export function isSingle(block: AddressBlock): boolean {
  return block.length === width(block.version);
}

/**
 * What an address is for. IPv4-mapped addresses are what their IPv4 address
 * is; the IPv4-compatible ones, which nothing speaks any more, are reserved.
 */
export function classifyAddress(address: IpAddress): AddressRange {
  const plain = unmapAddress(address);
  return BLOCKS.find(([, block]) => holds(block, plain))?.[0] ?? "reserved";
}

/** Whether an IPv6 address is an IPv4 address in other clothes: `::ffff:a.b.c.d`. */
export function isMapped(address: IpAddress): boolean {
  return holds(MAPPED, address);
}

/** The IPv4 address that an IPv4-mapped one stands for; any other as it is. */
export function unmapAddress(address: IpAddress): IpAddress {
  return isMapped(address) ? { version: 4, value: address.value & 0xffff_ffffn } : address;
}

/**
 * The IPv4 address that an IPv6 address leads to through a translator or a
 * tunnel: NAT64 with the well-known prefix, SIIT, 6to4, Teredo.
 *
 * @param address The address.
 * @returns The address inside; `undefined` if there is none, or nobody can tell.
 */
export function embeddedAddress(address: IpAddress): IpAddress | undefined {
  for (const [block, shift, mask] of EMBEDDED) {
    if (!holds(block, address)) continue;
    return { version: 4, value: ((address.value >> shift) & 0xffff_ffffn) ^ mask };
  }
  return undefined;
}

function holds(block: AddressBlock, { version, value }: IpAddress): boolean {
  const free = BigInt(width(version) - block.length);
  return version === block.version && value >> free === block.value >> free;
}

function width(version: 4 | 6): number {
  return version === 4 ? 32 : 128;
}

function parseV4(text: string): bigint | undefined {
  if (!V4_REGEXP.test(text)) return undefined;
  let value = 0;
  for (const part of text.split(".")) {
    const byte = Number(part);
    if (byte > 255 || String(byte) !== part) return undefined;
    value = value * 256 + byte;
  }
  return BigInt(value);
}

function parseV6(text: string): number[] | undefined {
  const [head = "", tail, ...rest] = text.split("::");
  if (rest.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  const after = parseGroups(tail ?? "", true);
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  return [...before, ...Array<number>(missing).fill(0), ...after];
}

/** Groups of sixteen bits; the last two may be written as an IPv4 address. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const v4 = isEnd && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(...splitValue(v4, 16n, 2));
    else if (GROUP_REGEXP.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function joinGroups(groups: readonly number[]): bigint {
  return groups.reduce((value, group) => value << 16n | BigInt(group), 0n);
}

/** The parts of a value, each so many bits wide, the first one first. */
function splitValue(value: bigint, bits: bigint, count: number): number[] {
  const part = (index: number) => Number(value >> bits * BigInt(index) & (1n << bits) - 1n);
  return Array.from({ length: count }, (_, index) => part(count - 1 - index));
}

/** The longest run of zeros; of two that are equally long, the first. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  }
  return longest;
}
