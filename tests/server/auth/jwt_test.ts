import {
  base64url,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Credential } from "../../../server/auth/credential.ts";
import type { AuthDecision } from "../../../server/auth/decision.ts";
import { isFreeOf } from "../../../server/auth/secrets.ts";
import { jwt, type JwtOptions } from "../../../server/auth/jwt.ts";
import { AUDIENCE, CLAIMS, createIssuer, ISSUER, NOW, optionsFor, serveKeys } from "./_issuer.ts";
import { requestWith } from "./_request.ts";

const issuer = await createIssuer();
const context = { signal: new AbortController().signal };

async function ask(options: JwtOptions, credential?: Credential | string): Promise<AuthDecision> {
  const shown = typeof credential === "string"
    ? { token: credential, source: "header" } as const
    : credential;
  return await jwt(options)(requestWith(), shown, context);
}

/** Why a token is refused by a server that trusts the issuer. */
async function reasonOf(token: string, change: Partial<JwtOptions> = {}): Promise<string> {
  const decision = await ask(optionsFor(issuer.jwks, change), token);
  assertEquals(decision.type, "refuse", token);
  if (decision.type !== "refuse") return decision.type;
  const parts = token.split(".").filter(({ length }) => length > 8);
  assertEquals(parts.some((part) => decision.reason.includes(part)), false);
  return `${decision.status} ${decision.reason}`;
}

Deno.test("jwt() lets in whoever has a token of the issuer for this server", async () => {
  const claims = { ...CLAIMS, scope: "tools prompts", client_id: "app", org: 1 };
  const decision = await ask(optionsFor(issuer.jwks), await issuer.sign(claims));
  assertEquals(decision, {
    type: "accept",
    principal: {
      id: "ada",
      clientId: "app",
      scopes: ["tools", "prompts"],
      claims,
      expiresAt: NOW + 65_000,
    },
  });
});

Deno.test("jwt() asks for a token if none is shown", async () => {
  assertEquals(await ask(optionsFor(issuer.jwks)), { type: "challenge" });
});

Deno.test("jwt() takes a token from the subprotocols as it is, or decoded", async () => {
  const token = await issuer.sign();
  const source = "subprotocol";
  for (
    const credential of [
      { token, source },
      { token: base64url.encode(token), decoded: token, source },
    ] as const
  ) {
    assertEquals((await ask(optionsFor(issuer.jwks), credential)).type, "accept");
  }
});

Deno.test("jwt() takes every kind of signature with public keys", async () => {
  for (const algorithm of ["RS256", "PS384", "ES384", "ES512", "EdDSA", "Ed25519"]) {
    const other = await createIssuer("key-1", algorithm);
    const decision = await ask(optionsFor(other.jwks), await other.sign());
    assertEquals(decision.type, "accept", algorithm);
  }
});

Deno.test("jwt() refuses what is not signed, and what is signed with a public key as a secret", async () => {
  const refused = "401 The algorithm of the token is not accepted";
  assertEquals(await reasonOf(new UnsecuredJWT(CLAIMS).encode()), refused);
  const [, payload = "", signature = ""] = (await issuer.sign()).split(".");
  for (const alg of ["none", "None", "NONE", "nOnE"]) {
    const header = base64url.encode(JSON.stringify({ alg, kid: issuer.kid }));
    for (const end of ["", signature]) {
      assertEquals(await reasonOf(`${header}.${payload}.${end}`), refused);
    }
  }

  const rsa = await createIssuer("rsa", "RS256");
  const [jwk] = rsa.jwks.keys;
  const publicKey = await importJWK(jwk as Record<string, string>, "RS256") as CryptoKey;
  const secrets = [await exportSPKI(publicKey), JSON.stringify(jwk), `${jwk?.n}`];
  for (const secret of secrets) {
    for (const alg of ["HS256", "HS384", "HS512"]) {
      const forged = await new SignJWT(CLAIMS).setProtectedHeader({ alg, kid: "rsa" })
        .sign(new TextEncoder().encode(secret.padEnd(64)));
      assertEquals(await reasonOf(forged, { jwks: rsa.jwks }), refused);
    }
  }
});

Deno.test("jwt() refuses an algorithm that is not on the list", async () => {
  const token = await issuer.sign();
  assertEquals(
    await reasonOf(token, { algorithms: ["RS256", "EdDSA"] }),
    "401 The algorithm of the token is not accepted",
  );
  const decision = await ask(optionsFor(issuer.jwks, { algorithms: ["ES256"] }), token);
  assertEquals(decision.type, "accept");
});

Deno.test("jwt() refuses claims that are wrong, and says which", async () => {
  const seconds = NOW / 1_000;
  const { exp: _, ...eternal } = CLAIMS;
  const { sub: __, ...nameless } = CLAIMS;
  const table: [claims: Record<string, unknown>, reason: string][] = [
    [{ ...CLAIMS, exp: seconds - 6 }, "401 The token has expired"],
    [{ ...CLAIMS, exp: seconds - 5 }, "401 The token has expired"],
    [{ ...CLAIMS, nbf: seconds + 6 }, "401 The token is not valid yet"],
    [eternal, "401 The token does not say when it expires"],
    [{ ...CLAIMS, exp: "soon" }, "401 The token does not say when it expires"],
    [{ ...CLAIMS, aud: "https://other.example.com" }, "401 The token is meant for another server"],
    [{ ...CLAIMS, aud: `${AUDIENCE}/` }, "401 The token is meant for another server"],
    [{ ...CLAIMS, aud: [] }, "401 The token is meant for another server"],
    [{ ...CLAIMS, aud: undefined }, "401 The token is meant for another server"],
    [{ ...CLAIMS, iss: ISSUER.slice(0, -1) }, "401 The token is of another issuer"],
    [{ ...CLAIMS, iss: undefined }, "401 The token is of another issuer"],
    [nameless, "403 The principal of the token may not come in"],
    [{ ...CLAIMS, sub: "" }, "403 The principal of the token may not come in"],
  ];
  for (const [claims, reason] of table) {
    assertEquals(await reasonOf(await issuer.sign(claims)), reason, JSON.stringify(claims));
  }
});

Deno.test("jwt() forgives a clock that is a little off", async () => {
  const seconds = NOW / 1_000;
  const off = [{ ...CLAIMS, exp: seconds - 4 }, { ...CLAIMS, nbf: seconds + 5 }];
  for (const claims of off) {
    const token = await issuer.sign(claims);
    assertEquals((await ask(optionsFor(issuer.jwks), token)).type, "accept");
    assertEquals((await reasonOf(token, { clockTolerance: 0 })).startsWith("401"), true);
  }
  // It is not thrown out at once then.
  const decision = await ask(optionsFor(issuer.jwks), await issuer.sign(off[0]));
  assertEquals(decision.type === "accept" && decision.principal.expiresAt, NOW + 1_000);
});

Deno.test("jwt() refuses a token that was changed on the way", async () => {
  const token = await issuer.sign();
  const [header = "", payload = "", signature = ""] = token.split(".");
  const admin = base64url.encode(JSON.stringify({ ...CLAIMS, sub: "admin" }));
  const [, , foreign = ""] = (await (await createIssuer()).sign()).split(".");
  const wrong = "401 The signature of the token is wrong";
  assertEquals(await reasonOf(`${header}.${admin}.${signature}`), wrong);
  assertEquals(await reasonOf(`${header}.${payload}.${foreign}`), wrong);
  assertEquals(await reasonOf(`${header}.${payload}.`), wrong);
  assertEquals(await reasonOf(`${header}.${payload}.${signature.slice(0, -4)}`), wrong);
});

Deno.test("jwt() refuses keys that it does not know, or that the token brings along", async () => {
  const stranger = await createIssuer("key-1");
  const unknown = "401 The key of the token is unknown";
  assertEquals(await reasonOf(await issuer.sign(CLAIMS, { kid: "key-2" })), unknown);
  const [jwk] = stranger.jwks.keys;
  const embedded = await stranger.sign(CLAIMS, { jwk, jku: "https://evil.example/jwks.json" });
  assertEquals(await reasonOf(embedded), "401 The signature of the token is wrong");
  const critical = await issuer.sign().then((token) => {
    const [, payload, signature] = token.split(".");
    const header = { alg: "ES256", kid: "key-1", crit: ["x"], x: 1 };
    return [base64url.encode(JSON.stringify(header)), payload, signature].join(".");
  });
  assertEquals(await reasonOf(critical), "401 The token is no valid JWT");
});

Deno.test("jwt() finds the key of a token that names none, unless there are several", async () => {
  const token = await issuer.sign(CLAIMS, { kid: undefined });
  assertEquals((await ask(optionsFor(issuer.jwks), token)).type, "accept");
  const other = await createIssuer("key-2");
  const both = { keys: [...issuer.jwks.keys, ...other.jwks.keys] };
  const reason = await reasonOf(token, { jwks: both });
  assertEquals(reason, "401 The token does not say which key it is signed with");
});

Deno.test("jwt() refuses nonsense, and never throws", async () => {
  const token = await issuer.sign();
  const nonsense = ["", ".", "..", "a.b.c", "a.b.c.d.e", "{}", "e30.e30.e30", "é", token.repeat(2)];
  for (const text of nonsense) {
    assertEquals(await reasonOf(text), "401 The token is no valid JWT", text);
  }
  let seed = 1;
  const next = (bound: number) => (seed = (seed * 48_271) % 2_147_483_647) % bound;
  const alphabet = "ABCXYZabcxyz0189-_.=+/ {}\u0000";
  for (let i = 0; i < 1_000; i++) {
    const at = next(token.length);
    const piece = alphabet[next(alphabet.length)] ?? "";
    const changed = token.slice(0, at) + piece + token.slice(at + next(3));
    const decision = await ask(optionsFor(issuer.jwks), changed);
    // The last character of a signature holds bits that count for nothing.
    const isSame = changed === token || at >= token.length - 1;
    assertEquals(decision.type === "refuse" || isSame, true, changed);
  }
});

Deno.test("jwt() asks whoever knows better whom a token belongs to", async () => {
  const token = await issuer.sign({ ...CLAIMS, email: "ada@example.com" });
  const known = await ask(
    optionsFor(issuer.jwks, {
      principalOf: ({ email }) => ({ id: `${email}`, expiresAt: NOW + 1 }),
    }),
    token,
  );
  assertEquals(known, {
    type: "accept",
    principal: { id: "ada@example.com", expiresAt: NOW + 1 },
  });
  assertEquals(
    await reasonOf(token, { principalOf: () => undefined }),
    "403 The principal of the token may not come in",
  );
});

Deno.test("jwt() keeps users of several issuers apart", async () => {
  const issuers = [ISSUER, "https://other.example.com"];
  const ids = await Promise.all(issuers.map(async (iss) => {
    const token = await issuer.sign({ ...CLAIMS, iss });
    const decision = await ask(optionsFor(issuer.jwks, { issuer: issuers }), token);
    return decision.type === "accept" && decision.principal.id;
  }));
  assertEquals(ids, issuers.map((iss) => `${iss} ada`));
});

Deno.test("jwt() reads scopes and clients however issuers write them", async () => {
  const table: [claims: Record<string, unknown>, scopes: string[], clientId: string | undefined][] =
    [
      [{}, [], undefined],
      [{ scope: "  a  b " }, ["a", "b"], undefined],
      [{ scp: ["a", 1, "b"] }, ["a", "b"], undefined],
      [{ scp: "a b", azp: "app" }, ["a", "b"], "app"],
      [{ scope: 1, client_id: 2, azp: "app" }, [], "app"],
    ];
  for (const [claims, scopes, clientId] of table) {
    const token = await issuer.sign({ ...CLAIMS, ...claims });
    const decision = await ask(optionsFor(issuer.jwks), token);
    const principal = decision.type === "accept" ? decision.principal : undefined;
    assertEquals([principal?.scopes, principal?.clientId], [scopes, clientId]);
  }
});

Deno.test("jwt() asks for no key on account of a token that it refuses anyway", async () => {
  await using keys = serveKeys(() => Response.json(issuer.jwks));
  const options = optionsFor(keys.url);
  const authenticate = jwt(options);
  const forged = new UnsecuredJWT(CLAIMS).encode();
  const secret = await new SignJWT(CLAIMS).setProtectedHeader({ alg: "HS256" })
    .sign(new Uint8Array(32));
  for (const token of [forged, secret, "nonsense"]) {
    await authenticate(requestWith(), { token, source: "header" }, context);
  }
  assertEquals(keys.fetches(), 0);
});

Deno.test("jwt() goes by the time of day, unless it is told another", async () => {
  await using keys = serveKeys(() => Response.json(issuer.jwks));
  const { now: _, ...options } = optionsFor(keys.url);
  const seconds = Math.floor(Date.now() / 1_000);
  const [good, old] = [await issuer.sign({ ...CLAIMS, exp: seconds + 60 }), await issuer.sign()];
  assertEquals((await ask(options, good)).type, "accept");
  assertEquals((await ask(options, old)).type, "refuse");
});

Deno.test("jwt() says that it cannot judge where the keys cannot be had", async () => {
  await using keys = serveKeys(() => new Response("down", { status: 500 }));
  const decision = await ask(optionsFor(keys.url), await issuer.sign());
  assertEquals(decision.type, "unavailable");
  const cause = decision.type === "unavailable" ? decision.cause : undefined;
  const message = `Cannot fetch keys from "${keys.url.origin}": the fetch failed`;
  assertEquals((cause as Error).message, message);
});

Deno.test("jwt() blames no token for a key that is broken, or not public", async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const secret = { ...await exportJWK(privateKey), kid: issuer.kid };
  for (const key of [{ ...issuer.jwks.keys[0], x: "!!" }, secret]) {
    await using server = serveKeys(() => Response.json({ keys: [key] }));
    const token = await issuer.sign();
    const error = await assertRejects(() => ask(optionsFor(server.url), token), Error);
    assertEquals(isFreeOf(error, [token, `${secret.d}`]), true);
  }
});

Deno.test("jwt() refuses options that would let in the wrong ones", async () => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const secret = { ...await exportJWK(privateKey) };
  const table: [change: Partial<JwtOptions>, kind: typeof TypeError, message: string][] = [
    [{ issuer: "" }, TypeError, '"issuer" must be'],
    [{ issuer: [] }, TypeError, '"issuer" must be'],
    [{ audience: [""] }, TypeError, '"audience" must be'],
    [{ audience: undefined as unknown as string }, TypeError, '"audience" must be'],
    [{ algorithms: [] }, TypeError, '"algorithms" must be'],
    [{ algorithms: ["ES256", "none"] }, TypeError, 'current value is "none"'],
    [{ algorithms: ["HS256"] }, TypeError, 'current value is "HS256"'],
    [{ clockTolerance: -1 }, RangeError, '"clockTolerance"'],
    [{ cacheAge: NaN }, RangeError, '"cacheAge"'],
    [{ cooldown: Infinity }, RangeError, '"cooldown"'],
    [{ timeout: -1 }, RangeError, '"timeout"'],
    [{ jwks: { keys: [secret] } }, TypeError, "entry 0 is secret"],
    [{ jwks: { keys: [{ kty: "oct", k: "c2VjcmV0" }] } }, TypeError, "entry 0 is secret"],
    [{ jwks: { keys: 1 } as unknown as JwtOptions["jwks"] }, TypeError, "it is none"],
    [{ jwks: { keys: [1] } as unknown as JwtOptions["jwks"] }, TypeError, "it is none"],
    [{ jwks: new URL("http://auth.example.com/jwks") }, TypeError, "must be https"],
    [{ jwks: new URL("file:///jwks") }, TypeError, "must be https"],
  ];
  for (const [change, kind, message] of table) {
    const error = assertThrows(() => jwt(optionsFor(issuer.jwks, change)), kind, message);
    assertEquals(error.message.includes(`${secret.d}`), false);
  }
});
