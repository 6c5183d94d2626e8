import { assertEquals } from "@std/assert";
import { gatherCredentials } from "../../../client/credentials.ts";
import {
  credentialOf,
  type CredentialReading,
  readCredential,
  tokensOf,
} from "../../../server/auth/credential.ts";
import { requestWith } from "./_request.ts";

const JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";

function read(headers: Record<string, string>, query = "", tickets = true): CredentialReading {
  return readCredential(requestWith(headers, query), tickets);
}

/** The token that was found, or what was found instead. */
function found(reading: CredentialReading): string {
  return reading.type === "credential" ? reading.credential.token : reading.type;
}

Deno.test("readCredential() reads a bearer token of the header", () => {
  const table: [header: string, expected: string][] = [
    [`Bearer ${JWT}`, JWT],
    ["bearer abc", "abc"],
    ["BEARER   abc", "abc"],
    ["Bearer a-._~+/b==", "a-._~+/b=="],
    ["Bearer", "malformed"],
    ["Bearer ", "malformed"],
    ["Bearer a b", "malformed"],
    ["Bearer abc, Bearer def", "malformed"],
    ["Bearer abc,def", "malformed"],
    ["Bearer =", "malformed"],
    ['Bearer "abc"', "malformed"],
    ["Bearerabc", "none"],
    ["Basic dTpw", "none"],
    ["abc", "none"],
    [`Bearer ${"a".repeat(16 * 1024)}`, "a".repeat(16 * 1024)],
    [`Bearer ${"a".repeat(16 * 1024 + 1)}`, "malformed"],
  ];
  for (const [header, expected] of table) {
    assertEquals(found(read({ Authorization: header })), expected, header.slice(0, 40));
  }
});

Deno.test("readCredential() reads a token of the subprotocols, raw or in base64url", () => {
  const encoded = btoa("a token/with=more").replaceAll("+", "-").replaceAll("=", "");
  const visible = btoa("token/with=more").replaceAll("+", "-").replaceAll("=", "");
  const table: [offers: string, tokens: readonly string[]][] = [
    [`mcp, mcp.auth.${JWT}`, [JWT]],
    [`mcp.auth.${JWT},bowline.v1,mcp`, [JWT]],
    ["mcp, mcp.auth.abc", ["abc"]],
    [`mcp, mcp.auth.${visible}`, [visible, "token/with=more"]],
    // A blank is in no token, so this is not what was encoded.
    [`mcp, mcp.auth.${encoded}`, [encoded]],
  ];
  for (const [offers, tokens] of table) {
    const reading = read({ "Sec-WebSocket-Protocol": offers });
    assertEquals(reading.type === "credential" && tokensOf(reading.credential), tokens, offers);
  }
});

Deno.test("readCredential() refuses more than one token, and an empty one", () => {
  for (const offers of ["mcp.auth.", "mcp, mcp.auth.a, mcp.auth.b", "mcp.auth.a, mcp.auth."]) {
    assertEquals(read({ "Sec-WebSocket-Protocol": offers }), {
      type: "malformed",
      reason: 'Header "Sec-WebSocket-Protocol" must hold one token',
    });
  }
  assertEquals(read({ "Sec-WebSocket-Protocol": "mcp, mcp.authority" }).type, "none");
});

Deno.test("readCredential() prefers the header to the subprotocol to the ticket", () => {
  const subprotocol = { "Sec-WebSocket-Protocol": "mcp.auth.b" };
  assertEquals(found(read({ Authorization: "Bearer a", ...subprotocol }, "?ticket=c")), "a");
  assertEquals(found(read(subprotocol, "?ticket=c")), "b");
  assertEquals(found(read({ Authorization: "Basic eA==", ...subprotocol })), "b");
  assertEquals(found(read({ Authorization: "Bearer", ...subprotocol })), "malformed");
  assertEquals(read({}, "?x=1&ticket=c"), { type: "ticket", ticket: "c" });
});

Deno.test("readCredential() reads nothing but tickets in the URL, and says so", () => {
  const declined = {
    type: "malformed",
    reason: "Tokens in the URL are not accepted: send a header or a subprotocol",
  } as const;
  assertEquals(read({}, "?access_token=secret"), declined);
  assertEquals(read({}, "?token=secret"), declined);
  assertEquals(found(read({ Authorization: "Bearer a" }, "?token=secret")), "a");
  assertEquals(read({}, "?ticket=c", false).type, "none");
  assertEquals(read({}, "?ticket=c&ticket=d").type, "malformed");
  assertEquals(read({}, "?ticket=").type, "malformed");
  assertEquals(read({}, "?other=1").type, "none");
  const unreadable = { ...requestWith(), url: "http://a b/" };
  assertEquals(readCredential(unreadable, true).type, "none");
});

Deno.test("readCredential() reads what the client sends", async () => {
  const options = { headers: undefined, token: JWT, protocols: ["mcp", "bowline.v1"] };
  const { headers, protocols } = await gatherCredentials(options);
  const sent = { ...Object.fromEntries(headers), "Sec-WebSocket-Protocol": protocols.join(", ") };
  assertEquals(found(read(sent)), JWT);
});

Deno.test("credentialOf() takes what can be a token", () => {
  assertEquals(credentialOf("a b", "hello"), undefined);
  assertEquals(credentialOf("", "hello"), undefined);
  assertEquals(credentialOf(1, "request"), undefined);
  assertEquals(credentialOf({ token: "a" }, "hello"), undefined);
  assertEquals(credentialOf("a".repeat(16 * 1024 + 1), "hello"), undefined);
  assertEquals(credentialOf("abc", "request"), { token: "abc", source: "request" });
});
