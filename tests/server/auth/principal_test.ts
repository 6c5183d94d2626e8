import { assertEquals } from "@std/assert";
import { authInfoOf, isPrincipal } from "../../../server/auth/principal.ts";

Deno.test("authInfoOf() has the shape both SDKs read", () => {
  const resource = new URL("https://mcp.example.com/mcp");
  const scopes = ["tools"];
  const info = authInfoOf(
    { id: "ada", scopes, expiresAt: 1_500, clientId: "app", claims: { sub: "ada", org: 1 } },
    "token-1",
    { resource },
  );
  assertEquals(info, {
    token: "token-1",
    clientId: "app",
    scopes: ["tools"],
    expiresAt: 1,
    resource,
    extra: { sub: "ada", org: 1, principal: "ada" },
  });
  assertEquals([info.scopes === scopes, info.resource === resource], [false, false]);
});

Deno.test("authInfoOf() does without what is not known", () => {
  const info = authInfoOf({ id: "ada" });
  assertEquals(info, { token: "", clientId: "ada", scopes: [], extra: { principal: "ada" } });
});

Deno.test("authInfoOf() prefers the token of the principal, and its id to a claim", () => {
  const info = authInfoOf({ id: "ada", token: "real", claims: { principal: "eve" } }, "ticket");
  assertEquals([info.token, info.extra], ["real", { principal: "ada" }]);
});

Deno.test("isPrincipal() tells principals from what callbacks return by mistake", () => {
  const good = [{ id: "a" }, { id: "a", scopes: [], expiresAt: 0, clientId: "", token: "" }];
  for (const value of good) assertEquals(isPrincipal(value), true);
  const bad: unknown[] = [
    undefined,
    null,
    true,
    "ada",
    {},
    { id: "" },
    { id: 1 },
    { id: "a", scopes: "tools" },
    { id: "a", scopes: [1] },
    { id: "a", expiresAt: "1" },
    { id: "a", expiresAt: NaN },
    { id: "a", clientId: 1 },
    { id: "a", token: 1 },
  ];
  for (const value of bad) assertEquals(isPrincipal(value), false, Deno.inspect(value));
});
