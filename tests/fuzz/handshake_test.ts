import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isIP } from "node:net";
import { isSubprotocol, parseSubprotocols } from "../../protocol/subprotocol.ts";
import { readCredential } from "../../server/auth/credential.ts";
import { wwwAuthenticate } from "../../server/auth/challenge.ts";
import { addressKey, clientAddress } from "../../server/client_address.ts";
import { decideHandshake, refusalResponse } from "../../server/handshake.ts";
import { isHostAllowed } from "../../server/host_check.ts";
import { isOriginAllowed } from "../../server/origin.ts";
import type { RequestSnapshot } from "../../server/request.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText, garbage, hostile } from "./_texts.ts";

/** What a header can hold; runtimes refuse the rest. */
const held = (text: fc.Arbitrary<string>) =>
  text.map((value) => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "").trim());

const subprotocols = fc.array(
  fc.oneof(
    fc.constantFrom("mcp", "bowline.v1", "mcp.version.2025-11-25", "mcp.auth.c2VjcmV0LXRva2Vu"),
    anyText,
  ),
  { maxLength: 5 },
).map((entries) => entries.join(", "));
const origin = fc.oneof(
  fc.constantFrom("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "null"),
  fc.webUrl().map((url) => new URL(url).origin),
  fc.constantFrom("http://localhost.evil.example", "http://127.0.0.1.evil.example", "file://"),
);
const host = fc.oneof(
  fc.constantFrom("localhost", "127.0.0.1:8787", "[::1]", "LOCALHOST:80", "mcp.example.com"),
  fc.tuple(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6().map((text) => `[${text}]`)), fc.nat(70_000))
    .map(([name, port]) => `${name}:${port}`),
  fc.constantFrom("192.0.2.7:8787", "192.0.2.7:8788", "192.0.2.7"),
  fc.constantFrom("0x7f.1", "2130706433", "localhost.", "user@localhost", "localhost@evil.example"),
);
const token = fc.constantFrom("the-secret-token", "abc.def.ghi", "c2VjcmV0", "");
const authorization = fc.oneof(
  token.map((value) => `Bearer ${value}`),
  fc.constantFrom("Basic dXNlcjpwYXNz", "bearer", "BEARER  a b", "Bearer a,b"),
);
const query = fc.oneof(
  token.map((value) => `?ticket=${value}`),
  token.map((value) => `?access_token=${value}`),
  garbage.map((text) => `?${text}`),
  fc.constant(""),
);

/** The header's value mostly as given, sometimes broken, sometimes missing. */
function maybe(valid: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> {
  return fc.oneof(
    { weight: 8, arbitrary: held(valid) },
    { weight: 1, arbitrary: held(hostile(valid)) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

const headers: fc.Arbitrary<Headers> = fc.record({
  "Host": maybe(fc.oneof(fc.constantFrom("localhost", "127.0.0.1:8787"), host)),
  "Connection": maybe(fc.constantFrom("Upgrade", "keep-alive, Upgrade")),
  "Upgrade": maybe(fc.constantFrom("websocket", "WebSocket", "h2c, websocket")),
  "Sec-WebSocket-Version": maybe(fc.constant("13")),
  "Sec-WebSocket-Key": maybe(fc.constant("dGhlIHNhbXBsZSBub25jZQ==")),
  "Sec-WebSocket-Protocol": maybe(subprotocols),
  "Origin": fc.oneof(maybe(origin), fc.constant(undefined)),
  "Authorization": fc.oneof(maybe(authorization), fc.constant(undefined)),
}).map((values) => {
  const given = Object.entries(values).filter((entry) => entry[1] !== undefined);
  return new Headers(given as [string, string][]);
});

/** Mostly the host of the header, as runtimes have it. */
const url = fc.oneof(
  { weight: 8, arbitrary: query.map((query) => `http://HOST/mcp${query}`) },
  { weight: 1, arbitrary: host.map((name) => `http://${name}/mcp`) },
  { weight: 1, arbitrary: garbage },
);

const request: fc.Arbitrary<RequestSnapshot> = fc.record({
  method: fc.oneof({ weight: 6, arbitrary: fc.constant("GET") }, {
    weight: 1,
    arbitrary: fc.constantFrom("HEAD", "POST", "OPTIONS", "__proto__", ""),
  }),
  url,
  path: fc.oneof(
    { weight: 6, arbitrary: fc.constant("/mcp") },
    { weight: 1, arbitrary: fc.oneof(anyText, fc.constant(undefined)) },
  ),
  headers,
  remoteAddress: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant(undefined)),
}).map((snapshot) => ({
  ...snapshot,
  url: snapshot.url.replace("HOST", snapshot.headers.get("Host") ?? "localhost"),
}));

const policy = fc.record({
  path: fc.constant("/mcp"),
  maxConnections: fc.constantFrom(0, 10),
  activeConnections: fc.constantFrom(0, 10),
  isClosing: fc.constantFrom(false, false, true),
  hasSessions: fc.boolean(),
  takesSessions: fc.boolean(),
});

fuzz(
  "decideHandshake() accepts only what every rule allows, and answers everything else",
  15_000,
  fc.property(request, policy, (snapshot, rules) => {
    const { method, path, headers } = snapshot;
    const decision = decideHandshake(snapshot, rules);
    if (decision.type === "refuse") {
      assertEquals(refusalResponse(decision).status, decision.status);
      return assert([204, 400, 403, 404, 405, 426, 503].includes(decision.status));
    }
    assertEquals([method, path, headers.get("Sec-WebSocket-Version")], ["GET", "/mcp", "13"]);
    assert(/websocket/i.test(headers.get("Upgrade") ?? ""));
    assert(/upgrade/i.test(headers.get("Connection") ?? ""));
    assert(isOriginAllowed(headers.get("Origin")));
    assert(isHostAllowed(snapshot));
    assert(/^[\w+/]{22}==$/.test(headers.get("Sec-WebSocket-Key") ?? ""));
    const { protocol } = decision;
    if (protocol === undefined) return;
    assert(parseSubprotocols(headers.get("Sec-WebSocket-Protocol")).includes(protocol));
    assert(isSubprotocol(protocol) && !protocol.startsWith("mcp.auth."));
  }),
);

fuzz(
  "isOriginAllowed() takes only pages of this machine, and those that are listed",
  8_000,
  fc.property(
    hostile(origin),
    fc.constantFrom<readonly string[] | undefined>(undefined, ["https://app.example"]),
    (text, list) => {
      if (!isOriginAllowed(text, list)) return;
      if (list !== undefined) return assert(list.includes(text));
      const [, host = ""] = /^https?:\/\/(.+?)(?::\d+)?$/.exec(text) ?? [];
      assert(["localhost", "127.0.0.1", "[::1]"].includes(host), text);
      assertEquals(URL.parse(text)?.hostname ?? host, host);
    },
  ),
);

fuzz(
  "isHostAllowed() lets nobody in under a name that is neither own nor listed",
  10_000,
  fc.property(held(hostile(host)), fc.boolean(), (header, isBound) => {
    const url = URL.parse(`http://${header}/mcp`);
    if (url === null) return;
    const bound = isBound ? { hostname: "192.0.2.7", port: 8_787 } : undefined;
    const snapshot = { url: url.href, headers: new Headers({ "Host": header }) };
    if (!isHostAllowed(snapshot, { bound, allowedHosts: ["mcp.example.com"] })) return;
    const name = url.hostname.replace(/\.$/, "");
    const isOwn = name === "localhost" || name === "mcp.example.com" || name === "[::1]" ||
      name.startsWith("127.");
    const isNumeric = isIP(name.replace(/^\[|\]$/g, "")) !== 0;
    assert(isOwn || (isBound ? name === "192.0.2.7" && url.port === "8787" : isNumeric), name);
    assertEquals(url.username, "");
  }),
);

const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4().map((text) => `${text}:80`), garbage);
const chain = fc.array(hop, { maxLength: 40 });

fuzz(
  "clientAddress() believes only trusted proxies, and names an address that they said",
  10_000,
  fc.property(
    fc.oneof(fc.ipV4(), fc.constantFrom("10.0.0.1", "10.9.9.9"), fc.constant(undefined)),
    held(fc.oneof(
      chain.map((hops) => hops.join(", ")),
      chain.map((hops) => hops.map((one) => `for="${one}";proto=http`).join(", ")),
    )),
    fc.constantFrom("X-Forwarded-For", "Forwarded"),
    (remoteAddress, value, header) => {
      const headers = new Headers({ [header]: value });
      const find = clientAddress({ addresses: ["10.0.0.0/8"], header });
      const address = find({ headers, remoteAddress });
      assertEquals(clientAddress()({ headers, remoteAddress }), remoteAddress);
      if (!remoteAddress?.startsWith("10.")) return assertEquals(address, remoteAddress);
      assert(address !== undefined && isIP(address) !== 0);
      assert(address === remoteAddress || value.includes(address));
    },
  ),
);

fuzz(
  "addressKey() counts an IPv6 network as one, and an IPv4 address as itself in any clothes",
  8_000,
  fc.property(fc.ipV4(), fc.ipV6(), fc.nat(65_535), (four, six, last) => {
    const hex = four.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
    const mapped = `::ffff:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}`;
    assertEquals([addressKey(four), addressKey(mapped)], [four, four]);
    const key = addressKey(six);
    if (!key.endsWith("::/64")) return;
    const neighbour = `${key.slice(0, -5)}:0:0:1:${last.toString(16)}`;
    assertEquals(addressKey(neighbour), key);
  }),
);

fuzz(
  "readCredential() reads tokens of one shape, and its reasons repeat nothing",
  12_000,
  fc.property(request, fc.boolean(), (snapshot, takesTickets) => {
    const reading = readCredential(snapshot, takesTickets);
    switch (reading.type) {
      case "credential": {
        const { token, decoded = "x", source } = reading.credential;
        assert(/^[\x21-\x7e]{1,16384}$/.test(token) && /^[\x21-\x7e]+$/.test(decoded));
        const name = source === "header" ? "Authorization" : "Sec-WebSocket-Protocol";
        return assert(snapshot.headers.get(name)?.includes(token));
      }
      case "ticket":
        return assert(takesTickets && /^[\x21-\x7e]+$/.test(reading.ticket));
      case "malformed":
        return assert(!/the-secret|c2VjcmV0|abc\.def/.test(reading.reason));
      case "none":
    }
  }),
);

fuzz(
  "wwwAuthenticate() writes one header that reads as it was meant, whatever words it holds",
  6_000,
  fc.property(fc.oneof(anyText, garbage), fc.array(garbage, { maxLength: 3 }), (text, scopes) => {
    const value = wwwAuthenticate({
      realm: text,
      description: text,
      scopes,
      error: "invalid_token",
    });
    assertEquals(new Headers({ "WWW-Authenticate": value }).get("WWW-Authenticate"), value);
    assert(/^Bearer (?:[a-z_]+="[^"\\]*"(?:, |$))+$/.test(value), value);
    assertEquals(value.match(/(?:^Bearer |", )[a-z_]+="/g)?.length, scopes.length === 0 ? 3 : 4);
  }),
);
