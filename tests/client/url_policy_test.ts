import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { formatAddress } from "../../client/addresses.ts";
import {
  checkAddresses,
  checkDestination,
  checkUrl,
  UrlPolicyError,
  type UrlRule,
} from "../../client/url_policy.ts";
import {
  resolveUrlPolicy,
  type UrlPolicy,
  type UrlPolicyOptions,
} from "../../client/url_policy_options.ts";
import { MCPConnectionError, MCPError } from "../../protocol/errors.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

type Verdict = "ok" | UrlRule;

const production = (options: UrlPolicyOptions = {}) => resolveUrlPolicy(options, "production");
const development = (options: UrlPolicyOptions = {}) => resolveUrlPolicy(options, "development");

/** What the policy says of a URL; anything else that is thrown fails the test. */
function judge(url: string | URL, policy: UrlPolicy): Verdict {
  try {
    checkUrl(url, policy);
    return "ok";
  } catch (error) {
    assertInstanceOf(error, UrlPolicyError);
    assertEquals([error.kind, error.retryable], ["policy", false]);
    assert(!error.message.includes("canary"), error.message);
    if (error.host !== "") {
      assert(error.message.includes(JSON.stringify(error.host)), error.message);
    }
    return error.rule;
  }
}

/** A URL, and what is said of it in production and in development. */
const SPELLINGS: readonly (readonly [string, Verdict, Verdict])[] = [
  // Plain ones.
  ["wss://example.com/mcp?key=canary", "ok", "ok"],
  ["wss://example.com", "ok", "ok"],
  ["WSS://EXAMPLE.COM:443/", "ok", "ok"],
  [" wss://example.com/ ", "ok", "ok"],
  ["wss://example.com./", "ok", "ok"],
  ["wss://a_b.example.com/", "ok", "ok"],
  ["wss://example.com:8443/", "ok", "ok"],
  ["wss://8.8.8.8/", "ok", "ok"],
  ["wss://[2606:4700::1111]/", "ok", "ok"],
  ["wss://[2606:4700:0:0:0:0:0:1111]:8443/?key=canary", "ok", "ok"],
  ["wss://127.0.0.1.nip.io/", "ok", "ok"],
  // Schemes.
  ["ws://example.com/?key=canary", "encryption", "ok"],
  ["ws://8.8.8.8/", "encryption", "ok"],
  ["http://example.com/?key=canary", "scheme", "scheme"],
  ["https://example.com/", "scheme", "scheme"],
  ["file:///etc/canary", "scheme", "scheme"],
  ["javascript:canary", "scheme", "scheme"],
  ["data:,canary", "scheme", "scheme"],
  ["wsss://example.com/canary", "scheme", "scheme"],
  ["example.com/canary", "url", "url"],
  ["", "url", "url"],
  ["wss://", "url", "url"],
  ["//example.com", "url", "url"],
  // Credentials, and what looks like a host before them.
  ["wss://canary@example.com/", "credentials", "credentials"],
  ["wss://:canary@example.com/", "credentials", "credentials"],
  ["wss://example.com%2f@10.0.0.1/", "credentials", "credentials"],
  ["wss://example.com:80@10.0.0.1/", "credentials", "credentials"],
  ["wss://@example.com/", "spelling", "ok"],
  // This machine.
  ["ws://127.0.0.1:8787/mcp?key=canary", "address", "ok"],
  ["wss://127.0.0.1/", "address", "ok"],
  ["wss://127.255.255.254/", "address", "ok"],
  ["ws://localhost/", "address", "ok"],
  ["wss://LOCALHOST/", "address", "ok"],
  ["wss://localhost./", "address", "ok"],
  ["wss://mcp.localhost/", "address", "ok"],
  ["wss://[::1]/", "address", "ok"],
  ["wss://[0:0:0:0:0:0:0:1]/", "address", "ok"],
  ["wss://0.0.0.0/", "address", "ok"],
  ["wss://[::]/", "address", "ok"],
  // Notations that the URL parser folds.
  ["wss://127.1/", "spelling", "ok"],
  ["wss://127.0.1/", "spelling", "ok"],
  ["wss://2130706433/", "spelling", "ok"],
  ["wss://0x7f000001/", "spelling", "ok"],
  ["wss://0x7f.1/", "spelling", "ok"],
  ["wss://0177.0.0.1/", "spelling", "ok"],
  ["wss://017700000001/", "spelling", "ok"],
  ["wss://0x7f.0x0.0x0.0x1/", "spelling", "ok"],
  ["wss://127.0.0.1./", "spelling", "ok"],
  ["wss://0/", "spelling", "ok"],
  ["wss://0x/", "spelling", "ok"],
  ["wss://134744072/", "spelling", "ok"],
  ["wss://010.8.8.8/", "spelling", "ok"],
  ["wss://0xa9fea9fe/", "spelling", "address"],
  ["wss://2852039166/", "spelling", "address"],
  ["wss://１２７.０.０.１/", "spelling", "ok"],
  ["wss://①②⑦.0.0.1/", "spelling", "ok"],
  ["wss://127。0。0。1/", "spelling", "ok"],
  ["wss://127．0．0．1/", "spelling", "ok"],
  ["wss://127｡0｡0｡1/", "spelling", "ok"],
  ["wss://%31%32%37.0.0.1/", "spelling", "ok"],
  ["wss://127%2e0%2e0%2e1/", "spelling", "ok"],
  ["wss://256.0.0.1/", "url", "url"],
  ["wss://1.2.3.4.5/", "url", "url"],
  ["wss://4294967296/", "url", "url"],
  ["wss://1.2.3.08/", "url", "url"],
  ["wss://example.0x4/", "url", "url"],
  // Other ranges of IPv4.
  ["wss://10.0.0.1/", "address", "ok"],
  ["wss://172.16.0.1/", "address", "ok"],
  ["wss://172.32.0.1/", "ok", "ok"],
  ["wss://192.168.1.1/", "address", "ok"],
  ["wss://100.64.0.1/", "address", "ok"],
  ["wss://169.254.1.1/", "address", "ok"],
  ["wss://169.254.169.254/latest/canary", "address", "address"],
  ["wss://100.100.100.200/", "address", "address"],
  ["wss://168.63.129.16/", "address", "address"],
  ["wss://0.1.2.3/", "address", "address"],
  ["wss://192.0.0.1/", "address", "address"],
  ["wss://192.0.2.1/", "address", "ok"],
  ["wss://198.18.0.1/", "address", "ok"],
  ["wss://192.88.99.1/", "address", "address"],
  ["wss://224.0.0.1/", "address", "address"],
  ["wss://240.0.0.1/", "address", "address"],
  ["wss://255.255.255.255/", "address", "address"],
  // IPv6, and IPv4 inside it.
  ["wss://[::ffff:127.0.0.1]/", "spelling", "ok"],
  ["wss://[::ffff:7f00:1]/", "spelling", "ok"],
  ["wss://[0:0:0:0:0:FFFF:7F00:0001]/", "spelling", "ok"],
  ["wss://[::ffff:8.8.8.8]/", "spelling", "ok"],
  ["wss://[::ffff:169.254.169.254]/", "spelling", "address"],
  ["wss://[::127.0.0.1]/", "address", "address"],
  ["wss://[::ffff:0:127.0.0.1]/", "address", "address"],
  ["wss://[64:ff9b::10.0.0.1]/", "address", "ok"],
  ["wss://[64:ff9b::169.254.169.254]/", "address", "address"],
  ["wss://[64:ff9b:1::10.0.0.1]/", "address", "address"],
  ["wss://[2002:7f00:1::]/", "address", "address"],
  ["wss://[2001:0:4136:e378:8000:63bf:3f57:fffe]/", "address", "address"],
  ["wss://[fc00::1]/", "address", "ok"],
  ["wss://[fd00:ec2::254]/", "address", "address"],
  ["wss://[fec0::1]/", "address", "ok"],
  ["wss://[fe80::1]/", "address", "ok"],
  ["wss://[fe80::1%25eth0]/", "url", "url"],
  ["wss://[fe80::1%eth0]/", "url", "url"],
  ["wss://[ff02::1]/", "address", "address"],
  ["wss://[2001:db8::1]/", "address", "ok"],
  ["wss://[100::1]/", "address", "address"],
  ["wss://[1.2.3.4]/", "url", "url"],
  ["wss://[::1].example.com/", "url", "url"],
  // Names in disguise.
  ["wss://exa%6dple.com/", "spelling", "ok"],
  ["wss://example%2ecom/", "spelling", "ok"],
  ["wss://ｅｘａｍｐｌｅ.com/", "spelling", "ok"],
  ["wss://example。com/", "spelling", "ok"],
  ["wss://exa\u00admple.com/", "spelling", "ok"],
  ["wss://exa\tmple.com/", "spelling", "ok"],
  ["wss://\u212aelvin.com/", "spelling", "ok"],
  ["wss://ⓛocalhost/", "spelling", "ok"],
  ["wss:example.com/", "spelling", "ok"],
  ["wss:\\\\example.com\\mcp", "spelling", "ok"],
  ["wss:///example.com/mcp", "spelling", "ok"],
  ["wss://ex\u0430mple.com/", "international-name", "ok"],
  ["wss://xn--exmple-4nf.com/", "international-name", "ok"],
  ["wss://münchen.de/", "international-name", "ok"],
  ["wss://mcp.XN--MNCHEN-3YA.de/", "international-name", "ok"],
  ["wss://münchen。de/", "spelling", "ok"],
  ["wss://m%C3%BCnchen.de/", "spelling", "ok"],
  ["wss://xn--a/", "url", "url"],
  ["wss://%00/", "url", "url"],
  ["wss://a b/", "url", "url"],
  // What is no name.
  ["wss://./", "host", "host"],
  ["wss://../", "host", "host"],
  ["wss://.example.com/", "host", "host"],
  ["wss://a..example.com/", "host", "host"],
  ["wss://localhost../", "host", "host"],
  ["wss://127.0.0.1../", "host", "host"],
  ["wss://*.example.com/", "host", "host"],
  ["wss://a$(b)/", "host", "host"],
  ['wss://a"b/', "host", "host"],
  ["wss://a,b/", "host", "host"],
  [`wss://${"a".repeat(64)}.com/`, "host", "host"],
  [`wss://${"a.".repeat(127)}com/`, "host", "host"],
  // Ports.
  ["wss://example.com:0/", "port", "port"],
  ["wss://example.com:22/", "port", "ok"],
  ["wss://example.com:25/", "port", "ok"],
  ["wss://example.com:6000/", "port", "ok"],
  ["wss://example.com:6379/", "ok", "ok"],
  ["wss://example.com:80/", "ok", "ok"],
  ["wss://example.com:65536/", "url", "url"],
];

Deno.test("checkUrl() judges every spelling, in production and in development", () => {
  assert(SPELLINGS.length >= 120);
  for (const [url, inProduction, inDevelopment] of SPELLINGS) {
    assertEquals(judge(url, production()), inProduction, `production: ${url}`);
    assertEquals(judge(url, development()), inDevelopment, `development: ${url}`);
  }
});

Deno.test("checkUrl() says the same of a URL object, but for its spelling", () => {
  const table: readonly (readonly [string, Verdict])[] = [
    ["wss://example.com/", "ok"],
    ["wss://exa%6dple.com/", "ok"],
    ["wss://0x7f.1/", "address"],
    ["wss://[::ffff:8.8.8.8]/", "spelling"],
    ["ws://example.com/", "encryption"],
  ];
  for (const [url, verdict] of table) assertEquals(judge(new URL(url), production()), verdict, url);
});

Deno.test("checkUrl() returns where the URL leads to", () => {
  const policy = production();
  const { url, host, address, isLoopback } = checkUrl("wss://Example.com.:8443/mcp", policy);
  assertEquals(
    [url.href, host, address, isLoopback],
    ["wss://example.com.:8443/mcp", "example.com", undefined, false],
  );
  const literal = checkUrl("wss://[2606:4700:0::1111]/", policy);
  assertEquals(literal.host, "2606:4700::1111");
  assert(literal.address !== undefined);
  assertEquals(formatAddress(literal.address), literal.host);
  assertEquals(checkUrl("ws://mcp.localhost/", development()).isLoopback, true);
  assertEquals(checkUrl("ws://127.3.2.1/", development()).isLoopback, true);
});

Deno.test("UrlPolicyError names the host and the rule, never the query or credentials", () => {
  const table: readonly (readonly [string, string])[] = [
    ["wss://10.0.0.1:9/x?k=canary", 'to "10.0.0.1:9": port 9 is not allowed'],
    ["wss://10.0.0.1/x?k=canary", ': private addresses are not in "allowedAddresses"'],
    ["wss://u:canary@h/", 'Cannot connect to "h": credentials do not belong into the URL'],
    ["ws://example.com/?canary", 'Cannot connect to "example.com": "wss:" is required'],
    ["http://h/?canary", 'Cannot connect to "h": the scheme must be "ws:" or "wss:"'],
    ["canary", "Cannot connect: the URL is malformed"],
    ["wss://0x8.8.8.8/?canary", 'the URL must spell the host plainly, as "8.8.8.8"'],
    ["wss://[::ffff:8.8.8.8]/?canary", 'the URL must spell the host plainly, as "8.8.8.8"'],
    ["wss://exa%6dple.com/?canary", 'the URL must spell the host plainly, as "example.com"'],
    ["wss://a..b/?canary", 'to "a..b": the host is neither a name nor an address'],
    ["wss://münchen.de/?canary", 'an internationalised name must be in "allowedHosts"'],
  ];
  for (const [url, text] of table) {
    const error = assertThrows(() => checkUrl(url, production()), UrlPolicyError, text);
    assertInstanceOf(error, MCPError);
    assertEquals(error.name, "UrlPolicyError");
    assert(!error.message.includes("canary"));
  }
});

Deno.test("allowedHosts narrows, and opens nothing", () => {
  const policy = production({
    allowedHosts: ["Example.com", "*.corp.example", "8.8.8.8", "[2606:4700::1111]", "10.0.0.1"],
  });
  const table: readonly (readonly [string, Verdict])[] = [
    ["wss://example.com/", "ok"],
    ["wss://example.com./", "ok"],
    ["wss://example.com:8443/", "ok"],
    ["wss://a.example.com/", "allowed-hosts"],
    ["wss://notexample.com/", "allowed-hosts"],
    ["wss://example.com.evil.test/", "allowed-hosts"],
    ["wss://a.corp.example/", "ok"],
    ["wss://a.b.corp.example/", "ok"],
    ["wss://corp.example/", "allowed-hosts"],
    ["wss://evilcorp.example/", "allowed-hosts"],
    ["wss://8.8.8.8/", "ok"],
    ["wss://8.8.4.4/", "allowed-hosts"],
    ["wss://[2606:4700:0::1111]/", "ok"],
    ["wss://10.0.0.1/", "address"],
    ["wss://localhost/", "allowed-hosts"],
    ["ws://example.com/", "encryption"],
    ["wss://münchen.de/", "allowed-hosts"],
  ];
  for (const [url, verdict] of table) assertEquals(judge(url, policy), verdict, url);
  assertEquals(judge("wss://example.com/", production({ allowedHosts: [] })), "allowed-hosts");
  const narrowed = development({ allowedHosts: ["localhost"] });
  assertEquals(judge("ws://localhost:1/", narrowed), "ok");
  assertEquals(judge("ws://127.0.0.1:1/", narrowed), "allowed-hosts");
});

Deno.test("allowedHosts lets internationalised names in, in either spelling", () => {
  for (const entry of ["münchen.de", "xn--mnchen-3ya.de"]) {
    const policy = production({ allowedHosts: [entry, "*.faß.de"] });
    for (const url of ["wss://münchen.de/", "wss://MÜNCHEN.de/", "wss://xn--mnchen-3ya.de/"]) {
      assertEquals(judge(url, policy), "ok", url);
    }
    assertEquals(judge("wss://mcp.faß.de/", policy), "ok");
    assertEquals(judge("wss://mcp.fass.de/", policy), "allowed-hosts");
    assertEquals(judge("wss://münchen。de/", policy), "spelling");
    assertEquals(judge("wss://m\u00fc\u00adnchen.de/", policy), "spelling");
    assertEquals(judge("wss://ｍünchen.de/", policy), "spelling");
  }
});

Deno.test("allowedAddresses opens what it names, and nothing else", () => {
  const ranges = production({ allowedAddresses: ["private", "link-local", "nat64"] });
  const blocks = production({
    allowedAddresses: ["10.20.0.0/16", "169.254.0.0/16", "fd00:ec2::254/128", "2002::/16"],
  });
  const table: readonly (readonly [UrlPolicy, string, Verdict])[] = [
    [ranges, "wss://10.0.0.1/", "ok"],
    [ranges, "wss://[fd00::1]/", "ok"],
    [ranges, "wss://169.254.1.1/", "ok"],
    [ranges, "wss://169.254.169.254/", "address"],
    [ranges, "wss://[fd00:ec2::254]/", "address"],
    [ranges, "wss://127.0.0.1/", "address"],
    [ranges, "ws://10.0.0.1/", "encryption"],
    [ranges, "wss://[64:ff9b::8.8.8.8]/", "ok"],
    [ranges, "wss://[64:ff9b::10.0.0.1]/", "ok"],
    [ranges, "wss://[64:ff9b::127.0.0.1]/", "address"],
    [blocks, "wss://10.20.255.1/", "ok"],
    [blocks, "wss://10.21.0.1/", "address"],
    [blocks, "wss://169.254.1.1/", "ok"],
    [blocks, "wss://169.254.169.254/", "address"],
    [blocks, "wss://[fd00:ec2::254]/", "ok"],
    [blocks, "wss://[2002:808:808::]/", "ok"],
    [blocks, "wss://[2002:a14:1::]/", "ok"],
    [blocks, "wss://[2002:7f00:1::]/", "address"],
    [development({ allowedAddresses: [] }), "ws://127.0.0.1/", "address"],
    [development({ allowedAddresses: ["loopback"] }), "ws://10.0.0.1/", "address"],
  ];
  for (const [policy, url, verdict] of table) assertEquals(judge(url, policy), verdict, url);
});

Deno.test("an open loopback takes ws: too, since nobody is on the way", () => {
  const policy = production({ allowedAddresses: ["loopback"] });
  for (const host of ["127.0.0.1:8787", "[::1]:8787", "localhost:8787", "mcp.localhost"]) {
    assertEquals(judge(`ws://${host}/`, policy), "ok", host);
  }
  assertEquals(judge("ws://example.com/", policy), "encryption");
  const anywhere = production({ unencrypted: "anywhere" });
  assertEquals(judge("ws://example.com/", anywhere), "ok");
  assertEquals(judge("ws://127.0.0.1/", anywhere), "address");
  assertEquals(judge("ws://example.com/", development({ unencrypted: "loopback" })), "encryption");
});

Deno.test("allowedPorts is all there is, and opens what browsers refuse", () => {
  const policy = production({ allowedPorts: [443, 6000] });
  assertEquals(judge("wss://example.com/", policy), "ok");
  assertEquals(judge("wss://example.com:6000/", policy), "ok");
  assertEquals(judge("wss://example.com:8443/", policy), "port");
  assertEquals(judge("ws://localhost/", development({ allowedPorts: [80] })), "ok");
});

Deno.test("environment goes before what the environment says", () => {
  const local = "ws://127.0.0.1/";
  assertEquals(judge(local, production({ environment: "development" })), "ok");
  assertEquals(judge(local, development({ environment: "production" })), "address");
  assertEquals(judge(local, development({ environment: undefined })), "ok");
});

Deno.test("resolveUrlPolicy() refuses what makes no sense", () => {
  for (
    const entry of [
      ...["", "*", "*.", "*.*", "a..b", "http://h", "h:80", "h/x", "h?x", "u@h", "a b", "h#x"],
      ...["0x7f.1", "127.1", "010.0.0.1", "1.2.3.4.", "*.1.2.3.4", "[h]", "exa%6dple.com", "xn--a"],
      ...["example。com", "[::1", "a$b", "1.2.3.256", "*.::1", "h\\x"],
    ]
  ) {
    assertThrows(
      () => production({ allowedHosts: [entry] }),
      TypeError,
      `Option "allowedHosts" must hold names, addresses or "*.name": current entry is ${
        JSON.stringify(entry)
      }`,
    );
  }
  for (const port of [0, -1, 65_536, 1.5, NaN]) {
    assertThrows(
      () => production({ allowedPorts: [port] }),
      RangeError,
      `current entry is ${port}`,
    );
  }
  const cases: readonly (readonly [string, string])[] = [
    ['{ "environment": "staging" }', 'Option "environment" must be "production" or "development"'],
    ['{ "unencrypted": true }', 'Option "unencrypted" must be "loopback" or "anywhere"'],
    ['{ "allowedAddresses": ["metadata"] }', 'must hold blocks, or of "loopback", "private"'],
  ];
  for (const [options, text] of cases) {
    assertThrows(() => production(JSON.parse(options)), TypeError, text);
  }
  assertThrows(
    () => production({ allowedAddresses: ["10.1.0.0/8"] }),
    SyntaxError,
    "begins elsewhere",
  );
});

Deno.test("checkAddresses() wants all addresses to be open", () => {
  const destination = checkUrl("wss://mcp.example.com/?key=canary", production());
  checkAddresses(["203.0.114.7", "2606:4700::1111", "::ffff:8.8.8.8"], destination);
  const table: readonly (readonly [string, string])[] = [
    ["10.0.0.7", "private"],
    ["127.0.0.1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["fe80::1%eth0", "link-local"],
    ["169.254.169.254", "metadata"],
    ["64:ff9b::808:808", "nat64"],
    ["0.0.0.0", "unspecified"],
  ];
  for (const [address, range] of table) {
    const error = assertThrows(
      () => checkAddresses(["203.0.114.7", address], destination),
      UrlPolicyError,
      `Cannot connect to "mcp.example.com": it resolves to "${address}": ${range} addresses are not in`,
    );
    assertEquals([error.rule, error.host], ["address", "mcp.example.com"]);
  }
  for (const text of ["", "0x7f.1", "example.com"]) {
    assertThrows(
      () => checkAddresses([text], destination),
      UrlPolicyError,
      `it resolves to "${text}", which is no address`,
    );
  }
  assertThrows(() => checkAddresses([], destination), MCPConnectionError, "cannot be resolved");
});

Deno.test("checkAddresses() wants localhost to be this machine", () => {
  const destination = checkUrl("ws://localhost/", production({ allowedAddresses: ["loopback"] }));
  checkAddresses(["127.0.0.1", "::1"], destination);
  assertThrows(
    () => checkAddresses(["127.0.0.1", "8.8.8.8"], destination),
    UrlPolicyError,
    'it resolves to "8.8.8.8", which is not loopback',
  );
});

Deno.test("checkDestination() looks names up, and nothing else", async () => {
  const asked: string[] = [];
  const resolve = (name: string) => {
    asked.push(name);
    return Promise.resolve(name === "inside.test" ? ["8.8.8.8", "10.0.0.1"] : ["8.8.8.8"]);
  };
  const check = (url: string) => checkDestination(url, { policy: production(), resolve });
  assertEquals((await check("wss://8.8.8.8/")).host, "8.8.8.8");
  assertEquals(asked, []);
  await assertRejects(() => check("ws://example.com/"), UrlPolicyError, '"wss:" is required');
  assertEquals(asked, [], "the URL is checked first");
  assertEquals((await check("wss://example.com./")).host, "example.com");
  assertEquals(asked, ["example.com."], "the final dot keeps search domains out");
  await assertRejects(() => check("wss://inside.test/"), UrlPolicyError, "private addresses");
});

Deno.test("checkDestination() lets names pass where the runtime cannot look them up", async () => {
  const resolve = () => Promise.resolve(undefined);
  const { host } = await checkDestination("wss://a.test/", { policy: production(), resolve });
  assertEquals(host, "a.test");
});

Deno.test("checkDestination() takes a name that cannot be looked up for a network fault", async () => {
  const cause = new Error("getaddrinfo ENOTFOUND");
  const policy = production();
  for (
    const resolve of [() => Promise.reject(cause), () => {
      throw cause;
    }, () => Promise.resolve([])]
  ) {
    const error = await assertRejects(
      () => checkDestination("wss://a.test:8443/?key=canary", { policy, resolve }),
      MCPConnectionError,
      'Cannot connect to "a.test:8443": its name cannot be resolved',
    );
    assertEquals([error.kind, error.retryable], ["network", true]);
    assertEquals(error.verdict, { cause: "unreachable", pace: "backoff" });
    if (error.cause !== undefined) assertStrictEquals(error.cause, cause);
  }
});

Deno.test("checkUrl() throws nothing but its error, and lets no special address through", () => {
  const random = seededRandom(7);
  const pieces = [
    ...[
      "wss:",
      "ws:",
      "//",
      "/",
      "\\",
      "@",
      ":",
      ".",
      "127",
      "0x7f",
      "10",
      "1",
      "0",
      "[",
      "]",
      "::",
    ],
    ...[
      "ffff",
      "%31",
      "。",
      "１",
      "localhost",
      "example",
      "com",
      "xn--",
      "?",
      "#",
      " ",
      "\t",
      "ü",
      "*",
    ],
  ];
  const verdicts = new Map<Verdict, number>();
  for (let round = 0; round < 50_000; round++) {
    const length = randomInteger(random, 9);
    const pick = () => pieces[randomInteger(random, pieces.length)] ?? "";
    const url = (random() < 0.8 ? "wss://" : "") + Array.from({ length }, pick).join("");
    const verdict = judge(url, production());
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    if (verdict !== "ok") continue;
    const { hostname } = new URL(url);
    const isInside = /^(?:(?:127|10|0)(?:\.\d+){3}$|\[::)/.test(hostname);
    assert(!isInside && !/(?:^|\.)(?:localhost\.?$|xn--)/.test(hostname), url);
    assert(url.toLowerCase().includes(hostname), url);
  }
  for (const verdict of ["ok", "url", "host", "spelling", "address"] as const) {
    assert((verdicts.get(verdict) ?? 0) > 50, `${verdict}: ${verdicts.get(verdict)}`);
  }
});

Deno.test("checkUrl() refuses every spelling of an address that is not public", () => {
  const random = seededRandom(8);
  const policy = production();
  for (let round = 0; round < 2_000; round++) {
    const last = randomInteger(random, 2 ** 24);
    const first = [127, 10, 0, 224, 240][randomInteger(random, 5)] ?? 127;
    const value = first * 2 ** 24 + last;
    const parts = [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
    const odd = parts.map((part) => {
      return [
        `${part}`,
        `0x${part.toString(16)}`,
        `0${part.toString(8)}`,
      ][randomInteger(random, 3)];
    });
    const hosts = [parts.join("."), odd.join("."), `${value}`, `0x${value.toString(16)}`];
    for (const host of [...hosts, `${first}.${last}`, `[::ffff:${parts.join(".")}]`]) {
      assert(judge(`wss://${host}/`, policy) !== "ok", host);
      assert(judge(new URL(`wss://${host}/`), policy) !== "ok", host);
    }
  }
});
