import { assertEquals, assertThrows } from "@std/assert";
import { addressKey, clientAddress, isLoopback } from "../../server/client_address.ts";

function addressOf(
  remoteAddress: string | undefined,
  headers: Record<string, string>,
  addresses: readonly string[] | undefined,
  header?: string,
): string | undefined {
  const find = clientAddress(addresses === undefined ? undefined : { addresses, header });
  return find({ remoteAddress, headers: new Headers(headers) });
}

Deno.test("clientAddress() believes no header unless a proxy is trusted", () => {
  const headers = { "X-Forwarded-For": "203.0.113.9" };
  assertEquals(addressOf("192.0.2.1", headers, undefined), "192.0.2.1");
  assertEquals(addressOf(undefined, headers, undefined), undefined);
  assertEquals(addressOf("192.0.2.1", headers, ["10.0.0.1"]), "192.0.2.1");
  assertEquals(addressOf(undefined, headers, ["10.0.0.1"]), undefined);
});

Deno.test("clientAddress() takes the last address that is no trusted proxy's", () => {
  const trusted = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"];
  const table: [remote: string, header: string, expected: string][] = [
    ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"],
    ["10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2,10.0.0.3", "203.0.113.9"],
    ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["2001:db8::1", "2001:db9::9", "2001:db9::9"],
    ["10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["10.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
    ["10.0.0.1", "[2001:db9::9]:4711", "2001:db9::9"],
    ["10.0.0.1", "[2001:db9::9]", "2001:db9::9"],
    // Whoever is not understood is counted as the proxy that let it through.
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", "unknown", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"],
    ["10.0.0.1", "203.0.113.9,", "10.0.0.1"],
    ["10.0.0.1", "999.1.1.1", "10.0.0.1"],
    ["10.0.0.1", "fe80::1%eth0", "10.0.0.1"],
    ["203.0.113.1", "6.6.6.6", "203.0.113.1"],
    ["fe80::1%2", "6.6.6.6", "fe80::1%2"],
  ];
  for (const [remote, header, expected] of table) {
    const address = addressOf(remote, { "X-Forwarded-For": header }, trusted);
    assertEquals(address, expected, `${remote}: ${header}`);
  }
});

Deno.test("clientAddress() reads no more of a header than proxies may have written", () => {
  const long = `6.6.6.6, ${Array(10_000).fill("10.0.0.2").join(", ")}`;
  assertEquals(addressOf("10.0.0.1", { "X-Forwarded-For": long }, ["10.0.0.0/8"]), "10.0.0.2");
});

Deno.test("clientAddress() reads RFC 7239", () => {
  const table: [header: string, expected: string][] = [
    ["for=203.0.113.9", "203.0.113.9"],
    ["for=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"],
    ['proto=https; For="[2001:db9::9]:4711"', "2001:db9::9"],
    ['for="203.0.113.9:80", for=10.0.0.2', "203.0.113.9"],
    ["for=6.6.6.6, for=_hidden", "10.0.0.1"],
    ["for=6.6.6.6, proto=https", "10.0.0.1"],
    ["xfor=6.6.6.6", "10.0.0.1"],
  ];
  for (const [header, expected] of table) {
    const address = addressOf("10.0.0.1", { "Forwarded": header }, ["10.0.0.0/8"], "forwarded");
    assertEquals(address, expected, header);
  }
  const other = { "X-Real-IP": "203.0.113.9" };
  assertEquals(addressOf("10.0.0.1", other, ["10.0.0.1"], "X-Real-IP"), "203.0.113.9");
});

Deno.test("clientAddress() refuses what is no address or network", () => {
  const wrong = ["", "proxy", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8/8", "::/129", "10.0.0.0/"];
  for (const entry of wrong) {
    const message = `entry 1 is ${JSON.stringify(entry)}`;
    assertThrows(() => addressOf("a", {}, ["10.0.0.1", entry]), TypeError, message);
  }
});

Deno.test("addressKey() counts a network of IPv6 as one client", () => {
  const table: [address: string, key: string][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:0201", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:0DB8:0:0:1:2:3:4", "2001:db8:0:0::/64"],
    ["2001:db8:0:1::", "2001:db8:0:1::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
    ["something", "something"],
  ];
  for (const [address, key] of table) assertEquals(addressKey(address), key, address);
});

Deno.test("isLoopback() tells this machine's own addresses", () => {
  for (
    const address of ["127.0.0.1", "127.255.0.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"]
  ) {
    assertEquals(isLoopback(address), true, address);
  }
  for (const address of ["192.0.2.1", "::", "::2", "1::1", "128.0.0.1", "localhost", ""]) {
    assertEquals(isLoopback(address), false, address);
  }
});
