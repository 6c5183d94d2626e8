import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { jwt } from "../../server/auth/jwt.ts";
import { bearerTokens, ProtectedResource, Tickets } from "../../server/mod.ts";
import { mintToken } from "../support/session_peer.ts";
import { type Arena, openArena } from "./support/arena.ts";
import type { RawHeaders } from "./support/intruder.ts";

const ISSUER = "https://auth.example.com/";
const AUDIENCE = "https://mcp.example.com/mcp";
const METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
const RESOURCE = new ProtectedResource({ resource: AUDIENCE, authorizationServers: [ISSUER] });

/** An arena that lets in who knows a token; the healthy client does. */
async function openGuarded(tickets?: Tickets): Promise<{ arena: Arena; token: string }> {
  const token = mintToken();
  const authenticate = bearerTokens({ [token]: { id: "healthy" } });
  const arena = await openArena({
    server: { auth: { authenticate, tickets, resource: RESOURCE } },
    client: { token },
  });
  return { arena, token };
}

/** The status of an upgrade request, and what the answer says besides. */
async function knock(
  arena: Arena,
  headers: RawHeaders,
  line?: string,
): Promise<{ status: number; headers: Headers }> {
  const intruder = await arena.connectRaw();
  const head = await intruder.upgrade(headers, line);
  intruder.close();
  return head;
}

function bearer(token: string): RawHeaders {
  return { Authorization: `Bearer ${token}` };
}

Deno.test("a page of a foreign origin is refused with 403, whatever it calls itself", async () => {
  await using arena = await openArena();
  const origins = [
    "https://evil.example",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://evil.example:80@127.0.0.1",
    "http://127.0.0.1, https://evil.example",
    "null",
    "file://",
    "chrome-extension://abcdefgh",
    "http://[::1].evil.example",
    "ws://127.0.0.1",
    "",
  ];
  for (const Origin of origins) {
    assertEquals([Origin, (await knock(arena, { Origin })).status], [Origin, 403]);
  }
  assertEquals((await knock(arena, { Origin: "http://localhost:3000" })).status, 101);
  await arena.end();
});

Deno.test("a host whose name was made to point here is refused with 403, before all else", async () => {
  await using arena = await openArena();
  const hosts = [
    "evil.example",
    `evil.example:${arena.port}`,
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "169.254.169.254",
    "0x7f.1.evil.example",
  ];
  for (const Host of hosts) {
    assertEquals([Host, (await knock(arena, { Host })).status], [Host, 403]);
    // The request line may name another host than the header: the header counts.
    const absolute = `GET http://127.0.0.1:${arena.port}/mcp HTTP/1.1`;
    assertEquals((await knock(arena, { Host }, absolute)).status, 403);
  }
  assertEquals((await knock(arena, { Host: ["127.0.0.1", "evil.example"] })).status, 400);
  assertEquals((await knock(arena, { Host: `localhost:${arena.port}` })).status, 101);
  await arena.end();
});

Deno.test("a missing or wrong token is answered with 401 and a challenge that says where tokens are", async () => {
  const { arena, token } = await openGuarded();
  await using _ = arena;
  const wrong = mintToken();
  const attempts: RawHeaders[] = [
    {},
    bearer(wrong),
    bearer(token.slice(0, -1)),
    bearer(`${token}x`),
    bearer(token.toUpperCase()),
    { "Sec-WebSocket-Protocol": `mcp, mcp.auth.${wrong}` },
    { Cookie: `token=${token}` },
    { "X-Authorization": `Bearer ${token}` },
    { Authorization: `Basic ${btoa(`user:${token}`)}` },
  ];
  for (const headers of attempts) {
    const { status, headers: answer } = await knock(arena, headers);
    assertEquals(status, 401);
    const challenge = answer.get("WWW-Authenticate") ?? "";
    assert(challenge.startsWith("Bearer"));
    assertStringIncludes(challenge, `resource_metadata="${METADATA}"`);
  }
  for (const headers of [bearer(`${token}, Bearer ${wrong}`), bearer("")]) {
    const { status } = await knock(arena, headers);
    assert(status === 400 || status === 401, `Answered with ${status}`);
  }
  const twice = [`Bearer ${wrong}`, `Bearer ${token}`];
  assertEquals((await knock(arena, { Authorization: twice })).status, 400);
  await arena.end(token, wrong);
});

Deno.test("a token in the URL is refused, even a good one, and is told to nobody", async () => {
  const { arena, token } = await openGuarded();
  await using _ = arena;
  for (const name of ["token", "access_token"]) {
    const { status } = await knock(arena, {}, `GET /mcp?${name}=${token} HTTP/1.1`);
    assertEquals(status, 400);
  }
  for (const name of ["ticket", "auth", "Authorization"]) {
    const { status } = await knock(arena, {}, `GET /mcp?${name}=${token} HTTP/1.1`);
    assertEquals(status, 401);
  }
  await arena.end(token);
});

Deno.test("a token among the subprotocols lets in, and is never echoed", async () => {
  const { arena, token } = await openGuarded();
  await using _ = arena;
  const encoded = new TextEncoder().encode(token).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const offers = [
    [`mcp, mcp.auth.${token}`, "mcp"],
    [`mcp.auth.${token}, mcp`, "mcp"],
    [`mcp.auth.${encoded},bowline.v1`, "bowline.v1"],
    [`mcp.auth.${token}`, null],
  ] as const;
  for (const [offer, selected] of offers) {
    const { status, headers } = await knock(arena, { "Sec-WebSocket-Protocol": offer });
    assertEquals([status, headers.get("Sec-WebSocket-Protocol")], [101, selected]);
  }
  const two = `mcp, mcp.auth.${token}, mcp.auth.${mintToken()}`;
  assertEquals((await knock(arena, { "Sec-WebSocket-Protocol": two })).status, 400);
  await arena.end(token, encoded);
});

Deno.test("a ticket is good once, for a short time, and for nobody else's use", async () => {
  let now = Date.now();
  const tickets = new Tickets({ now: () => now });
  const { arena, token } = await openGuarded(tickets);
  await using _ = arena;
  const used = tickets.mint({ id: "guest" });
  const dial = (ticket: string) => knock(arena, {}, `GET /mcp?ticket=${ticket} HTTP/1.1`);
  assertEquals((await dial(used)).status, 101);
  const expired = tickets.mint({ id: "guest" });
  now += 15_001;
  const guesses = [used, expired, mintToken(), "", "x", `${mintToken()}&ticket=${used}`];
  for (const ticket of guesses) {
    const { status } = await dial(ticket);
    assert(status === 401 || status === 400, `Answered with ${status}`);
  }
  // Two dial with one ticket at the same time: one of them comes in.
  const contested = tickets.mint({ id: "guest" });
  const both = await Promise.all([dial(contested), dial(contested)]);
  assertEquals(both.map(({ status }) => status).sort(), [101, 401]);
  await arena.end(token, used, expired, contested);
});

Deno.test("JWTs that are expired, tampered with, unsigned, or meant for others are refused with 401", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const other = await generateKeyPair("RS256");
  const jwk = await exportJWK(publicKey);
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "healthy", exp: now + 600 };
  const header = { alg: "RS256", kid: "key" };
  const sign = (changes: object, key: CryptoKey | Uint8Array = privateKey, head: object = {}) =>
    new SignJWT({ ...claims, ...changes }).setProtectedHeader({ ...header, ...head }).sign(key);
  const encode = (part: unknown) =>
    new TextEncoder().encode(JSON.stringify(part))
      .toBase64({ alphabet: "base64url", omitPadding: true });

  const good = await sign({});
  const [head = "", body = "", signature = ""] = good.split(".");
  const forged = encode({ ...claims, sub: "admin" });
  const publicText = new TextEncoder().encode(JSON.stringify(jwk));
  const bad = {
    expired: await sign({ exp: now - 60 }),
    "not yet good": await sign({ nbf: now + 600 }),
    "without an end": await sign({ exp: undefined }),
    "of another audience": await sign({ aud: "https://other.example.com/mcp" }),
    "of no audience": await sign({ aud: undefined }),
    "of another issuer": await sign({ iss: "https://evil.example/" }),
    "of another key": await sign({}, other.privateKey),
    "of an unknown key": await sign({}, other.privateKey, { kid: "another" }),
    "with other claims": `${head}.${forged}.${signature}`,
    "with another signature": `${head}.${body}.${encode("x".repeat(250))}`,
    "without a signature": `${head}.${body}.`,
    "alg none": `${encode({ alg: "none" })}.${forged}.`,
    "alg None, signed": `${encode({ alg: "None", kid: "key" })}.${body}.${signature}`,
    "HS256 with the public key": await sign({}, publicText, { alg: "HS256" }),
    "with a key of its own": await sign({}, other.privateKey, {
      jwk: await exportJWK(other.publicKey),
    }),
    "with a critical header": `${encode({ ...header, crit: ["x"], x: 1 })}.${body}.${signature}`,
  };
  const jwks = { keys: [{ ...jwk, kid: "key", alg: "RS256", use: "sig" }] };
  await using arena = await openArena({
    server: {
      auth: {
        authenticate: jwt({ issuer: ISSUER, audience: AUDIENCE, jwks }),
        resource: RESOURCE,
      },
    },
    client: { token: good },
  });
  for (const [what, token] of Object.entries(bad)) {
    const { status, headers } = await knock(arena, bearer(token));
    assertEquals([what, status], [what, 401]);
    assertStringIncludes(headers.get("WWW-Authenticate") ?? "", 'error="invalid_token"');
    const sneaked = await knock(arena, { "Sec-WebSocket-Protocol": `mcp, mcp.auth.${token}` });
    assertEquals([what, sneaked.status], [what, 401]);
  }
  assertEquals((await knock(arena, bearer(good))).status, 101);
  await arena.end(good, signature, ...Object.values(bad));
});

Deno.test("who shows a token in the first message is served nothing before, and not for ever asked", async () => {
  const token = mintToken();
  const wrong = mintToken();
  const authenticate = bearerTokens({ [token]: { id: "healthy" } });
  await using arena = await openArena({
    server: { auth: { authenticate, inBand: true } },
    client: { token },
  });
  const stranger = await (await arena.connectRaw()).open();
  for (const method of ["tools/call", "initialize", "ping", "tools/list"]) {
    await stranger.message({ id: method, method, params: { name: "canary" } });
    assertEquals((await stranger.readAnswer(method)).error.code, -32001);
  }
  for (let i = 0; i < 3; i++) {
    await stranger.message({ id: i, method: "authenticate", params: { token: wrong } });
    assertEquals((await stranger.readAnswer(i)).error.code, -32001);
  }
  assertEquals((await stranger.readEnd()).code, 4401);

  const guest = await (await arena.connectRaw()).open();
  await guest.message({ id: 1, method: "authenticate", params: { token } });
  assertEquals((await guest.readAnswer(1)).result, {});
  await guest.message({ id: 2, method: "ping" });
  assertEquals((await guest.readAnswer(2)).result, {});

  for (const auth of [undefined, wrong, `${token}x`]) {
    const session = await arena.connectRaw();
    const [name, { code }] = await session.openSession(auth === undefined ? {} : { auth });
    assertEquals([name, code], ["end", 4401]);
  }
  await arena.end(token, wrong);
});

Deno.test("a token that is good does not open a session of somebody else's", async () => {
  const [ada, bob] = [mintToken(), mintToken()];
  const authenticate = bearerTokens({ [ada]: { id: "ada" }, [bob]: { id: "bob" } });
  await using arena = await openArena({
    server: { auth: { authenticate }, session: { window: 60_000 } },
    client: { token: ada },
  });
  const owner = await arena.connectRaw();
  await owner.openSession({}, bearer(ada));
  const thief = await arena.connectRaw();
  const hello = { token: owner.token, attempt: 9, resume: true };
  const [name, { code }] = await thief.openSession(hello, bearer(bob));
  assertEquals([name, code], ["end", 4403]);
  await owner.message({ id: 1, method: "ping" });
  assertEquals((await owner.readAnswer(1)).result, {});
  await owner.say("bye", 1);
  await arena.end(ada, bob, owner.token);
});

Deno.test("a session whose token was revoked is not resumed with it", async () => {
  const [healthy, revoked] = [mintToken(), mintToken()];
  const known = new Map([[healthy, "healthy"], [revoked, "guest"]]);
  await using arena = await openArena({
    server: {
      session: { window: 2_000 },
      auth: {
        authenticate: (_, credential) => {
          const id = known.get(credential?.token ?? "");
          if (id !== undefined) return { type: "accept", principal: { id } };
          return { type: "refuse", status: 401, reason: "The token is unknown" };
        },
      },
    },
    client: { token: healthy },
  });
  const owner = await arena.connectRaw();
  await owner.openSession({}, bearer(revoked));
  owner.close();
  await arena.until(({ detachedSessions }) => detachedSessions === 1);
  known.delete(revoked);
  const { status } = await knock(arena, {
    ...bearer(revoked),
    "Sec-WebSocket-Protocol": "bowline.v1",
  });
  assertEquals(status, 401);
  await arena.end(healthy, revoked, owner.token);
});
