import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { credentialOf } from "../../server/auth/credential.ts";
import { jwt } from "../../server/auth/jwt.ts";
import { Tickets } from "../../server/auth/tickets.ts";
import { AUDIENCE, CLAIMS, createIssuer, ISSUER, NOW, optionsFor } from "../server/auth/_issuer.ts";
import { requestWith } from "../server/auth/_request.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText, garbage, jsonValue, mutated } from "./_texts.ts";

const issuer = await createIssuer();
const stranger = await createIssuer();
const authenticate = jwt(optionsFor(issuer.jwks));
const CONTEXT = { signal: new AbortController().signal };
const REQUEST = requestWith();

const encode = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });

/** What the server makes of a token. */
const judge = (token: string) =>
  authenticate(REQUEST, { token, source: "header" as const }, CONTEXT);

const header = fc.record({
  alg: fc.oneof(fc.constantFrom("ES256", "none", "None", "HS256", "RS256", ""), jsonValue),
  kid: fc.oneof(fc.constantFrom(issuer.kid, "../../key", "__proto__"), jsonValue),
  typ: fc.oneof(fc.constant("JWT"), jsonValue),
  crit: jsonValue,
  b64: jsonValue,
  jwk: fc.constant(stranger.jwks.keys[0]),
  jku: fc.constant("http://127.0.0.1:1/keys"),
}, { requiredKeys: ["alg"] });
const claims = fc.record({
  iss: fc.oneof(fc.constant(ISSUER), jsonValue),
  aud: fc.oneof(fc.constant(AUDIENCE), jsonValue),
  sub: fc.oneof(fc.constant("ada"), jsonValue),
  exp: fc.oneof(fc.constant(CLAIMS.exp), jsonValue),
  nbf: jsonValue,
}, { requiredKeys: [] });
const signature = fc.oneof(
  fc.constant(""),
  fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) =>
    bytes.toBase64({ alphabet: "base64url", omitPadding: true })
  ),
  garbage,
);
const forged = fc.tuple(header.map(encode), claims.map(encode), signature)
  .map((parts) => parts.join("."));
const genuine = await issuer.sign();
const foreign = await stranger.sign();

fuzz(
  "jwt() accepts no forged token, and throws nothing",
  6_000,
  fc.asyncProperty(
    fc.oneof(forged, mutated(forged), mutated(fc.constant(foreign)), anyText, garbage),
    async (token) => {
      const decision = await judge(token);
      assert(decision.type === "refuse", decision.type);
      const secret = token.split(".").find((part) => part.length > 20);
      if (secret !== undefined) assert(!decision.reason.includes(secret));
    },
  ),
);

/** What a token says; the last character of a signature holds bits that mean nothing. */
function bytesOf(token: string): string {
  const [head, body, signature = ""] = token.split(".");
  try {
    return `${head}.${body}.${Uint8Array.fromBase64(signature, { alphabet: "base64url" })}`;
  } catch {
    return token;
  }
}

fuzz(
  "jwt() accepts a genuine token, and none that says anything else",
  3_000,
  fc.asyncProperty(mutated(fc.constant(genuine)), async (token) => {
    const { type } = await judge(token);
    if (token === genuine) assertEquals(type, "accept");
    if (type !== "accept") return;
    assertEquals(bytesOf(token), bytesOf(genuine));
    assert(/^[\w.-]+$/.test(token), JSON.stringify(token));
  }),
);

fuzz(
  "jwt() accepts of what the issuer signs only what is for this server and has not expired",
  2_000,
  fc.asyncProperty(claims, async (payload) => {
    const signed = await issuer.sign({ ...payload } as typeof CLAIMS).catch(() => undefined);
    if (signed === undefined) return;
    const decision = await judge(signed);
    if (decision.type !== "accept") return assertEquals(decision.type, "refuse");
    const { iss, aud, sub, exp } = payload;
    assertEquals([iss, sub], [ISSUER, decision.principal.id]);
    assert([aud].flat().includes(AUDIENCE));
    assert(typeof exp === "number" && exp * 1_000 > NOW - 5_000);
  }),
);

fuzz(
  "credentialOf() takes visible ASCII of bounded length and nothing else",
  5_000,
  fc.property(fc.oneof(anyText, garbage, jsonValue), (token) => {
    const isToken = typeof token === "string" && /^[\x21-\x7e]+$/.test(token);
    assertEquals(credentialOf(token, "hello") !== undefined, isToken);
  }),
);

fuzz(
  "Tickets.redeem() takes nothing but a ticket that was minted",
  5_000,
  fc.property(fc.oneof(anyText, garbage, fc.boolean()), (text) => {
    const tickets = new Tickets({ now: () => NOW });
    const ticket = tickets.mint({ id: "ada" });
    const tried = typeof text === "string" ? text : text ? ticket : ticket.toUpperCase();
    assertEquals(tickets.redeem(tried)?.id, tried === ticket ? "ada" : undefined);
    assertEquals(tickets.redeem(ticket)?.id, tried === ticket ? undefined : "ada");
    assertEquals([tickets.size, tickets.redeem(ticket)], [0, undefined]);
  }),
);
