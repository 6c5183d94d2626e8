import { assertEquals, assertThrows } from "@std/assert";
import { bearerTokens } from "../../../server/auth/bearer.ts";
import type { Credential } from "../../../server/auth/credential.ts";
import type { AuthDecision, Authenticate } from "../../../server/auth/decision.ts";
import { requestWith } from "./_request.ts";

const ADA = "token-of-ada-0123456789";
const EVE = "token-of-eve/with=more!";
const context = { signal: new AbortController().signal };

function ask(authenticate: Authenticate, credential?: Credential): unknown {
  return authenticate(requestWith(), credential, context);
}

function show(token: string): Credential {
  return { token, source: "header" };
}

function idOf(decision: unknown): string | undefined {
  const { type, ...rest } = decision as AuthDecision;
  return type === "accept" ? (rest as { principal: { id: string } }).principal.id : type;
}

Deno.test("bearerTokens() lets in whoever knows a token, at once", () => {
  const table = bearerTokens({ [ADA]: { id: "ada", scopes: ["tools"] }, [EVE]: { id: "eve" } });
  assertEquals(ask(table, show(ADA)), {
    type: "accept",
    principal: { id: "ada", scopes: ["tools"] },
  });
  assertEquals(idOf(ask(table, show(EVE))), "eve");
  const list = bearerTokens([
    { token: ADA, principal: { id: "ada" } },
    { token: EVE, principal: { id: "ada" } },
  ]);
  assertEquals([ADA, EVE].map((token) => idOf(ask(list, show(token)))), ["ada", "ada"]);
});

Deno.test("bearerTokens() refuses every other token, and asks for one", () => {
  const authenticate = bearerTokens({ [ADA]: { id: "ada" } });
  const refused = { type: "refuse", status: 401, reason: "The token is unknown" };
  const wrong = [ADA.slice(1), ADA.slice(0, -1), `${ADA} `, ADA.toUpperCase(), "x", "__proto__"];
  for (const token of wrong) assertEquals(ask(authenticate, show(token)), refused);
  assertEquals(ask(authenticate), { type: "challenge" });
});

Deno.test("bearerTokens() takes a token from the subprotocols as it is, or decoded", () => {
  const authenticate = bearerTokens({ [EVE]: { id: "eve" }, [ADA]: { id: "ada" } });
  const source = "subprotocol";
  const cases: [Credential, string][] = [
    [{ token: btoa(EVE), decoded: EVE, source }, "eve"],
    [{ token: ADA, decoded: "nonsense", source }, "ada"],
    [{ token: btoa("x"), decoded: "x", source }, "refuse"],
  ];
  for (const [credential, expected] of cases) {
    assertEquals(idOf(ask(authenticate, credential)), expected);
  }
});

Deno.test("bearerTokens() names no token in its errors", () => {
  const principal = { id: "ada" };
  const wrong: [tokens: Parameters<typeof bearerTokens>[0], message: string][] = [
    [{}, "there are none"],
    [[], "there are none"],
    [{ "short-secret": principal }, "entry 0 is not"],
    [{ [ADA]: principal, "secret with blanks in it": principal }, "entry 1 is not"],
    [[{ token: ADA, principal }, { token: ADA, principal }], "one is given twice"],
    [{ [ADA]: { id: "" } }, "entry 0 has none"],
    [[{ token: 1 as unknown as string, principal }], "entry 0 is not"],
  ];
  for (const [tokens, message] of wrong) {
    const error = assertThrows(() => bearerTokens(tokens), TypeError, message);
    assertEquals(/secret|token-of/.test(Deno.inspect(error.message)), false);
  }
});

Deno.test("bearerTokens() takes about as long for a token that is nearly right", () => {
  const entries = Array.from({ length: 3_000 }, (_, i) => `${ADA}-${i}`.padEnd(40, "x"));
  const authenticate = bearerTokens(entries.map((token) => ({ token, principal: { id: token } })));
  const measure = (token: string) => {
    const credential = show(token);
    const times = Array.from({ length: 40 }, () => {
      const start = performance.now();
      ask(authenticate, credential);
      return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[10] ?? 0;
  };
  const [first = "", last = ""] = [entries[0], entries.at(-1)];
  measure(first);
  const times = [first, last, `${first.slice(0, -1)}y`, "wrong".padEnd(40, "z")].map(measure);
  // Stopping at what was found would make the first many times as fast as the last.
  assertEquals(Math.max(...times) < 5 * Math.min(...times), true, `${times}`);
});
