import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { classifyAddress, formatAddress, isMapped, parseAddress } from "../../client/addresses.ts";
import { checkUrl, type Destination, UrlPolicyError } from "../../client/url_policy.ts";
import { resolveUrlPolicy } from "../../client/url_policy_options.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText, garbage, hostile, mutated } from "./_texts.ts";

const PRODUCTION = resolveUrlPolicy({}, "production");
/** With no rule about spellings: what is reached is all that counts. */
const LENIENT = resolveUrlPolicy(
  { allowedAddresses: [], unencrypted: "anywhere" },
  "development",
);

/** Blocks that nobody outside may be sent to: first address, and how many bits are the same. */
const CLOSED: readonly (readonly [first: string, length: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/** With the way to other addresses open, but not to these. */
const TRANSLATING = resolveUrlPolicy(
  { allowedAddresses: ["nat64"], unencrypted: "anywhere" },
  "development",
);

const numberOf = (address: string) =>
  address.split(".").reduce((value, part) => value * 256 + Number(part), 0);

/** Any IPv4 address that is closed. */
const closed = fc.tuple(fc.constantFrom(...CLOSED), fc.nat(2 ** 32 - 1)).map(
  ([[first, length], noise]) => numberOf(first) + noise % 2 ** (32 - length),
);
const spellPart = fc.constantFrom(
  (part: number) => String(part),
  (part: number) => `0${part.toString(8)}`,
  (part: number) => `000${part.toString(8)}`,
  (part: number) => `0x${part.toString(16)}`,
  (part: number) => `0X00${part.toString(16).toUpperCase()}`,
);
const fullWidth = (text: string) =>
  text.replaceAll(/[0-9a-zA-Z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
const percent = (text: string) =>
  text.replaceAll(/[^[\]:]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
const disguise = fc.constantFrom(
  (text: string) => text,
  (text: string) => `${text}.`,
  fullWidth,
  percent,
  (text: string) => text.replaceAll(".", "\u3002"),
  (text: string) => text.replaceAll(".", "\uff0e"),
  (text: string) => `\u00ad${text}`,
  (text: string) => text.split("").join("\u200b"),
);

/** An IPv4 address in two to four parts, or one, each in another notation. */
const spelledV4 = fc.tuple(
  closed,
  fc.integer({ min: 1, max: 4 }),
  fc.array(spellPart, { minLength: 4, maxLength: 4 }),
  disguise,
).map(([value, count, spell, disguise]) => {
  const parts = Array.from(
    { length: count - 1 },
    (_, i) => Math.floor(value / 256 ** (3 - i)) % 256,
  );
  parts.push(value % 256 ** (5 - count));
  return disguise(parts.map((part, i) => spell[i]?.(part) ?? String(part)).join("."));
});

const hex = (value: number) =>
  `${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
/** The same inside an IPv6 address: mapped, compatible, NAT64, SIIT, 6to4, Teredo. */
const spelledV6 = fc.tuple(
  closed,
  fc.constantFrom(
    (value: number) => `::ffff:${hex(value)}`,
    (value: number) => `0:0:0:0:0:FFFF:${hex(value)}`,
    (value: number) => `::${hex(value)}`,
    (value: number) => `64:ff9b::${hex(value)}`,
    (value: number) => `::ffff:0:${hex(value)}`,
    (value: number) => `2002:${hex(value)}::1`,
    (value: number) => `2001:0:1:2:3:4:${hex(2 ** 32 - 1 - value)}`,
    (value: number) => `fe80::${hex(value)}`,
    (value: number) => `fd12:3456::${hex(value)}`,
  ),
).map(([value, spell]) => `[${spell(value)}]`);

const rest = fc.constantFrom("", "/", "/mcp", ":8443/mcp", ":443", "/a@b", "?x=1", "\\x");
const scheme = fc.constantFrom("ws://", "wss://", "WSS://", "wss:/", "wss:\\\\", " wss://");
/** This machine by name. */
const localName = fc.tuple(fc.constantFrom("localhost", "LocalHost", "a.localhost"), disguise)
  .map(([name, disguise]) => disguise(name));
const closedUrl = fc.tuple(scheme, fc.oneof(spelledV4, spelledV6, localName), rest).map((parts) =>
  parts.join("")
);
const openHost = fc.oneof(
  fc.constantFrom("example.com", "xn--mnchen-3ya.de", "a.b.example.", "8.8.8.8", "[2606:4700::1]"),
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((text) => `[${text}]`),
  fc.ipV4().map((text) => `[::ffff:${text}]`),
);
const anyUrl = fc.tuple(
  fc.oneof(scheme, fc.constantFrom("http://", "file:///", "javascript:", "wss://user:pass@")),
  fc.oneof(openHost, spelledV4, spelledV6),
  rest,
).map((parts) => parts.join(""));

/** Where the URL may lead, `undefined` if nowhere; nothing but its own error is thrown. */
function check(url: string, policy: typeof PRODUCTION): Destination | undefined {
  try {
    return checkUrl(url, policy);
  } catch (thrown) {
    assertInstanceOf(thrown, UrlPolicyError, String(thrown));
    return undefined;
  }
}

fuzz(
  "checkUrl() refuses every spelling of a closed address",
  20_000,
  fc.property(closedUrl, fc.constantFrom(PRODUCTION, LENIENT, TRANSLATING), (url, policy) => {
    assertEquals(check(url, policy)?.url.href, undefined);
  }),
);

fuzz(
  "checkUrl() lets through only what the runtime takes to a name or a public address",
  15_000,
  fc.property(hostile(anyUrl), fc.constantFrom(PRODUCTION, LENIENT), (text, policy) => {
    const destination = check(text, policy);
    if (destination === undefined) return;
    // The runtime reads the URL once more, by itself.
    const { protocol, hostname, username, password } = new URL(text);
    assert(protocol === "wss:" || (protocol === "ws:" && policy === LENIENT), protocol);
    assertEquals([username, password], ["", ""]);
    const address = parseAddress(hostname.replace(/^\[|\]$/g, ""));
    assertEquals(destination.address, address);
    if (address !== undefined) assertEquals(classifyAddress(address), "public");
    else assert(/[^\d.]/.test(hostname) && !/(^|\.)localhost\.?$/.test(hostname), hostname);
  }),
);

fuzz(
  "checkUrl() lets through in production only hosts that are spelt as they are dialled",
  8_000,
  fc.property(hostile(anyUrl), (text) => {
    const destination = check(text, PRODUCTION);
    if (destination === undefined) return;
    const host = /^wss?:\/\/([^/?#\\]*)/i.exec(text.trim())?.[1]?.replace(/:\d*$/, "") ?? "";
    const isV6 = host.startsWith("[");
    if (!isV6) assertEquals(host.toLowerCase(), destination.url.hostname);
    else assert(destination.address !== undefined && !isMapped(destination.address), host);
  }),
);

fuzz(
  "parseAddress() reads what formatAddress() writes, and what the URL parser does",
  10_000,
  fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    const address = parseAddress(text);
    assert(address !== undefined, text);
    const canonical = formatAddress(address);
    assertEquals(parseAddress(canonical), address);
    const host = address.version === 4 ? canonical : `[${canonical}]`;
    assertEquals(new URL(`ws://${host}`).hostname, host);
  }),
);

fuzz(
  "parseAddress() never takes for an address what the URL parser takes for another",
  8_000,
  fc.property(fc.oneof(mutated(fc.oneof(fc.ipV4(), fc.ipV6())), anyText, garbage), (text) => {
    const address = parseAddress(text);
    if (address === undefined || text.includes("%")) return;
    const url = URL.parse(address.version === 4 ? `ws://${text}` : `ws://[${text}]`);
    assertEquals(url?.hostname.replace(/^\[|\]$/g, ""), formatAddress(address));
  }),
);

fuzz(
  "classifyAddress() takes an IPv4-mapped address for what the IPv4 address is",
  4_000,
  fc.property(fc.ipV4(), (text) => {
    const [plain, mapped] = [parseAddress(text), parseAddress(`::ffff:${text}`)];
    assert(plain !== undefined && mapped !== undefined);
    assertEquals(classifyAddress(mapped), classifyAddress(plain));
  }),
);
