import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  type AddressRange,
  classifyAddress,
  contains,
  embeddedAddress,
  formatAddress,
  type IpAddress,
  isMapped,
  isSingle,
  parseAddress,
  parseBlock,
  unmapAddress,
} from "../../client/addresses.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

const SEEDS = 2_000;

/** The address that a text certainly is. */
function ip(text: string): IpAddress {
  const address = parseAddress(text);
  assert(address !== undefined, text);
  return address;
}

function randomV4(random: () => number): IpAddress {
  return { version: 4, value: BigInt(randomInteger(random, 2 ** 32)) };
}

/** Many groups are zero, as in real addresses. */
function randomV6(random: () => number): IpAddress {
  let value = 0n;
  for (let group = 0; group < 8; group++) {
    const isZero = random() < 0.5;
    value = value << 16n | BigInt(isZero ? 0 : randomInteger(random, 0x1_0000));
  }
  return { version: 6, value };
}

Deno.test("parseAddress() and formatAddress() know the canonical forms", () => {
  const table: readonly (readonly [string, string])[] = [
    ["0.0.0.0", "0.0.0.0"],
    ["127.0.0.1", "127.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["::ffff:127.0.0.1", "::ffff:7f00:1"],
    ["64:ff9b::8.8.8.8", "64:ff9b::808:808"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["fe80::1%eth0", "fe80::1"],
    ["fe80::1%25", "fe80::1"],
  ];
  for (const [text, canonical] of table) assertEquals(formatAddress(ip(text)), canonical, text);
});

Deno.test("parseAddress() takes nothing for an address that readers understand differently", () => {
  const table: readonly string[] = [
    ...["", " ", "example.com", "1", "127.1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4"],
    ...["256.0.0.1", "010.0.0.1", "0x7f.0.0.1", "1.2.3.04", "00.0.0.0", "1.2.3.4%eth0", "1.2.3.-4"],
    ...["１.2.3.4", "1.2.3.4 ", "1,2,3,4", "1.2.3.4/8", "1e1.0.0.0", "1.2.3.4\n", "٣.2.3.4"],
    ...[
      ":",
      ":::",
      "1::2::3",
      ":1",
      "1:",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2:3:4:5:6:7:8",
    ],
    ...["12345::", "g::", "::1%", "::1%a b", "[::1]", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5"],
    ...["::1.2.3.256", "::01.2.3.4", "::0x1", "::-1", "::1/128", " ::1", "1:2:3:4:5:6:7:1.2.3.4"],
  ];
  for (const text of table) assertEquals(parseAddress(text), undefined, JSON.stringify(text));
});

Deno.test("formatAddress() is undone by parseAddress(), and agrees with the URL parser", () => {
  const random = seededRandom(1);
  for (let round = 0; round < SEEDS; round++) {
    for (const address of [randomV4(random), randomV6(random)]) {
      const text = formatAddress(address);
      assertEquals(parseAddress(text), address, text);
      const host = address.version === 4 ? text : `[${text}]`;
      assertEquals(new URL(`ws://${host}/`).hostname, host);
    }
  }
});

Deno.test("parseAddress() never throws, and what it takes the URL parser takes for the same", () => {
  const random = seededRandom(2);
  const alphabet = "0123456789abcdefF::::....%x/- ";
  let taken = 0;
  for (let round = 0; round < 50 * SEEDS; round++) {
    const length = randomInteger(random, 12);
    const pick = () => alphabet[randomInteger(random, alphabet.length)] ?? "";
    const text = Array.from({ length }, pick).join("");
    const address = parseAddress(text);
    if (address === undefined || text.includes("%")) continue;
    taken++;
    const host = address.version === 4 ? text : `[${text}]`;
    assertEquals(
      new URL(`ws://${host}/`).hostname.replace(/^\[|\]$/g, ""),
      formatAddress(address),
    );
  }
  assert(taken > 100, `${taken}`);
});

Deno.test("parseAddress() refuses what the URL parser refuses, for any IPv6 text", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 5 * SEEDS; round++) {
    const groups = Array.from({ length: 1 + randomInteger(random, 9) }, () => {
      return random() < 0.3 ? "" : randomInteger(random, 0x1_1000).toString(16);
    });
    const text = groups.join(":");
    const isAddress = text.includes(":") && parseAddress(text) !== undefined;
    assertEquals(isAddress, URL.canParse(`ws://[${text}]/`), text);
  }
});

Deno.test("classifyAddress() tells what an address is for", () => {
  const table: { readonly [Range in AddressRange]: string } = {
    public: "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 " +
      "128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 " +
      "192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 " +
      "2001:200:: 2001:4860:4860::8888 2003:: 2606:4700::1111 2a00:: 3ffe::",
    loopback: "127.0.0.0 127.0.0.1 127.1.2.3 127.255.255.255 ::1",
    private: "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 " +
      "fc00:: fd12:3456::1 fdff:: fec0:: feff::1",
    shared: "100.64.0.0 100.127.255.255",
    "link-local": "169.254.0.0 169.254.255.255 fe80::1 fe80::1%eth0 febf::",
    metadata: "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 " +
      "192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254",
    unspecified: "0.0.0.0 ::",
    documentation: "192.0.2.1 198.51.100.255 203.0.113.0 2001:db8::1 3fff:fff::",
    benchmark: "198.18.0.0 198.19.255.255 2001:2::1",
    nat64: "64:ff9b:: 64:ff9b::10.0.0.1 64:ff9b::8.8.8.8",
    tunnel: "64:ff9b:1::1 64:ff9b:1:ffff:: ::ffff:0:10.0.0.1 2001::1 2001:0:1:: 2002:: " +
      "2002:7f00:1:: 192.88.99.1",
    multicast: "224.0.0.1 239.255.255.255 ff00:: ff02::1",
    broadcast: "255.255.255.255",
    reserved: "0.0.0.1 0.255.255.255 192.0.0.1 240.0.0.0 255.255.255.254 ::2 ::127.0.0.1 " +
      "::8.8.8.8 ::fffe:1.2.3.4 64:ff9b:2::1 64:ff9b::1:0:0 100::1 2001:1::1 2001:2:1::1 2001:3::1 2001:20::1 1::1 " +
      "4000:: 5f00::1 fe00::",
  };
  for (const [range, texts] of Object.entries(table)) {
    for (const text of texts.split(" ")) {
      assertEquals<string>(classifyAddress(ip(text)), range, text);
    }
  }
});

Deno.test("classifyAddress() takes an IPv4-mapped address for what its IPv4 address is", () => {
  const random = seededRandom(4);
  const fixed = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "255.255.255.255", "0.0.0.0"].map(ip);
  for (let round = 0; round < SEEDS; round++) {
    const v4 = fixed[round] ?? randomV4(random);
    const mapped = ip(`::ffff:${formatAddress(v4)}`);
    assert(isMapped(mapped));
    assertFalse(isMapped(v4));
    assertEquals(unmapAddress(mapped), v4);
    assertEquals(unmapAddress(v4), v4);
    assertEquals(classifyAddress(mapped), classifyAddress(v4));
  }
});

Deno.test("classifyAddress() knows every address", () => {
  const random = seededRandom(5);
  for (let round = 0; round < SEEDS; round++) {
    const { value } = randomV6(random);
    assertEquals(typeof classifyAddress({ version: 6, value }), "string");
    const isGlobal = value >> 125n === 1n;
    if (!isGlobal) assert(classifyAddress({ version: 6, value }) !== "public");
  }
});

Deno.test("embeddedAddress() finds the IPv4 address inside", () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ["64:ff9b::192.168.0.1", "192.168.0.1"],
    ["::ffff:0:192.168.0.1", "192.168.0.1"],
    ["2002:c0a8:1:1234::", "192.168.0.1"],
    // RFC 4380, 4: all bits are inverted.
    ["2001:0:4136:e378:8000:63bf:3f57:fffe", "192.168.0.1"],
    ["64:ff9b:1::192.168.0.1", undefined],
    ["::192.168.0.1", undefined],
    ["2001:db8::1", undefined],
    ["192.168.0.1", undefined],
  ];
  for (const [text, inner] of table) {
    const found = embeddedAddress(ip(text));
    assertEquals(found && formatAddress(found), inner, text);
  }
});

Deno.test("parseBlock() reads blocks, contains() says what lies in them", () => {
  const ten = parseBlock("10.0.0.0/8");
  assert(contains(ten, ip("10.255.0.1")));
  assert(contains(ten, ip("::ffff:10.0.0.1")));
  assertFalse(contains(ten, ip("11.0.0.0")));
  assertFalse(contains(ten, ip("a00::")));
  assert(contains(parseBlock("fd00::/8"), ip("fdff::1")));
  assertFalse(contains(parseBlock("fd00::/8"), ip("fc00::1")));
  assert(contains(parseBlock("0.0.0.0/0"), ip("255.1.2.3")));
  assert(contains(parseBlock("::/0"), ip("ff02::1")));
  assert(isSingle(parseBlock("1.2.3.4/32")));
  assert(isSingle(parseBlock("::1/128")));
  assertFalse(isSingle(parseBlock("::/32")));
});

Deno.test("contains() agrees with the bits of the address, whatever the block", () => {
  const random = seededRandom(6);
  for (let round = 0; round < SEEDS; round++) {
    const [address, size] = random() < 0.5 ? [randomV4(random), 32] : [randomV6(random), 128];
    if (isMapped(address)) continue;
    const length = randomInteger(random, size + 1);
    const free = BigInt(size - length);
    const base = { ...address, value: address.value >> free << free };
    const block = parseBlock(`${formatAddress(base)}/${length}`);
    assert(contains(block, address));
    if (length === 0) continue;
    const other = { ...address, value: address.value ^ 1n << free };
    assertEquals(contains(block, other), false);
  }
});

Deno.test("parseBlock() refuses what is no block", () => {
  const table = [
    ...["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8.5"],
    ...[
      "10.0.0.0/8/8",
      "10/8",
      "::/129",
      "::1%eth0/128",
      "loopback",
      "/8",
      "10.0.0.0/ 8",
      "::/1e1",
    ],
  ];
  for (const text of table) {
    assertThrows(() => parseBlock(text), SyntaxError, "it is malformed", text);
  }
  assertThrows(
    () => parseBlock("10.1.0.0/8"),
    SyntaxError,
    'Cannot use address block "10.1.0.0/8": it begins elsewhere',
  );
});
