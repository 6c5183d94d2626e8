import { formatAddress, isMapped, parseAddress } from "./addresses.ts";

/** An entry of a list of hosts. */
export interface HostPattern {
  /** A name, or an address, in canonical form. */
  readonly host: string;
  /** Whether it stands for the names below it instead. */
  readonly isWildcard: boolean;
}

/** RFC 1123 names, and underscores, which private networks use. */
const NAME_REGEXP = /^(?=.{1,253}$)[a-z\d_-]{1,63}(?:\.[a-z\d_-]{1,63})*$/;
const INTERNATIONAL_REGEXP = /(?:^|\.)xn--/;
const ASCII_REGEXP = /^[\x21-\x7e]*$/;
const AUTHORITY_REGEXP = /^wss?:\/\/([^/?#\\]*)/i;
const PORT_REGEXP = /:\d*$/;
/** What ends a host in a URL, or is no part of one. */
const MARK_REGEXP = /[\s/?#@:\\]/;
/** What the URL parser takes away or takes for a dot. */
const DISGUISE_REGEXP = /[%\u3002\p{Default_Ignorable_Code_Point}]/u;

/** Whether a text, in lower case and without a final dot, can be the name of a host. */
export function isHostName(host: string): boolean {
  return NAME_REGEXP.test(host);
}

/** Whether a name, as the URL parser writes it, stands for one in other letters than ASCII. */
export function isInternational(host: string): boolean {
  return INTERNATIONAL_REGEXP.test(host);
}

/**
 * Whether a URL spells its host in another way than the one that is dialled, so
 * that who reads it sees another host: `0x7f.1`, `%6c`, full-width digits.
 *
 * @param text The URL as it was written.
 * @param url The same, parsed.
 */
export function isDisguised(text: string, { hostname }: URL): boolean {
  const address = parseAddress(hostname.replace(/^\[|\]$/g, ""));
  if (address !== undefined && isMapped(address)) return true;
  const raw = AUTHORITY_REGEXP.exec(text.trim())?.[1]?.replace(PORT_REGEXP, "");
  if (raw === undefined) return true;
  if (ASCII_REGEXP.test(raw)) {
    // IPv6 has many plain spellings, and all mean the same to everybody.
    const isV6 = address?.version === 6 && parseAddress(raw.slice(1, -1)) !== undefined;
    return !isV6 && raw.toLowerCase() !== hostname;
  }
  const isPlain = isInternational(hostname) && !DISGUISE_REGEXP.test(raw) &&
    raw.normalize("NFKC") === raw.normalize("NFC");
  return !isPlain;
}

/**
 * Whether an entry covers a host.
 *
 * @param pattern The entry.
 * @param host A name without a final dot, or an address, in canonical form.
 */
export function isMatch(pattern: HostPattern, host: string): boolean {
  return pattern.isWildcard ? host.endsWith(`.${pattern.host}`) : pattern.host === host;
}

/**
 * Reads an entry: a name, an address, or `*.name`.
 *
 * @throws {TypeError} If it is none, or is spelt oddly.
 */
export function parsePattern(entry: string): HostPattern {
  const isWildcard = entry.startsWith("*.");
  const name = isWildcard ? entry.slice(2) : entry;
  const address = parseAddress(name.replace(/^\[(.*)\]$/, "$1"));
  const host = address === undefined ? parseName(name) : formatAddress(address);
  if (host !== undefined && !(isWildcard && address !== undefined)) return { host, isWildcard };
  const text = `must hold names, addresses or "*.name": current entry is ${JSON.stringify(entry)}`;
  throw new TypeError(`Option "allowedHosts" ${text}`);
}

function parseName(name: string): string | undefined {
  const text = `ws://${name}/`;
  if (MARK_REGEXP.test(name) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const host = url.hostname.replace(/\.$/, "");
  const isName = isHostName(host) && parseAddress(host) === undefined && !isDisguised(text, url);
  return isName ? host : undefined;
}
