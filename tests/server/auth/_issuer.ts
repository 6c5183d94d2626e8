import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { JwtOptions } from "../../../server/auth/jwt.ts";
import type { JsonWebKeySet } from "../../../server/auth/jwks.ts";

/** Now, for tests in which time stands still: a whole second. */
export const NOW = 1_700_000_000_000;

export const ISSUER = "https://auth.example.com/";
export const AUDIENCE = "https://mcp.example.com/mcp";

/** Claims of a token that is good for a minute. */
export const CLAIMS: JWTPayload = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "ada",
  exp: NOW / 1_000 + 60,
};

/** Who signs tokens. */
export interface Issuer {
  readonly kid: string;
  readonly jwks: JsonWebKeySet;
  readonly sign: (claims?: JWTPayload, header?: Record<string, unknown>) => Promise<string>;
}

export async function createIssuer(kid = "key-1", alg = "ES256"): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...await exportJWK(publicKey), kid, alg, use: "sig" };
  return {
    kid,
    jwks: { keys: [jwk] },
    sign: (claims = CLAIMS, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(privateKey),
  };
}

/** Options of a server that trusts the issuer. */
export function optionsFor(jwks: JwtOptions["jwks"], change: Partial<JwtOptions> = {}): JwtOptions {
  return { issuer: ISSUER, audience: AUDIENCE, jwks, now: () => NOW, ...change };
}

/** Somewhere keys are fetched from. */
export interface KeyServer extends AsyncDisposable {
  readonly url: URL;
  /** How often it was asked. */
  readonly fetches: () => number;
  /** What it answers from now on. */
  answer: (request: Request) => Response | Promise<Response>;
}

export function serveKeys(answer: KeyServer["answer"]): KeyServer {
  let fetches = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    fetches++;
    return self.answer(request);
  });
  const self: KeyServer = {
    url: new URL(`http://127.0.0.1:${server.addr.port}/jwks.json`),
    fetches: () => fetches,
    answer,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return self;
}
