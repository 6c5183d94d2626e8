import { extractWWWAuthenticateParams as extractV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { extractWWWAuthenticateParams as extractV2 } from "@modelcontextprotocol/client";
import { assertEquals } from "@std/assert";
import { type Challenge, wwwAuthenticate } from "../../../server/auth/challenge.ts";

function responseWith(challenge: Challenge): Response {
  const headers = { "WWW-Authenticate": wwwAuthenticate(challenge) };
  return new Response(null, { status: 401, headers });
}

Deno.test("wwwAuthenticate() asks for a token", () => {
  assertEquals(wwwAuthenticate(), 'Bearer realm="mcp"');
  assertEquals(
    wwwAuthenticate({
      realm: "demo",
      error: "invalid_token",
      description: "The token has expired",
      scopes: ["tools", "prompts"],
      resourceMetadata: "https://a.example/.well-known/oauth-protected-resource/mcp",
    }),
    'Bearer realm="demo", error="invalid_token", scope="tools prompts", ' +
      'resource_metadata="https://a.example/.well-known/oauth-protected-resource/mcp", ' +
      'error_description="The token has expired"',
  );
});

Deno.test("wwwAuthenticate() lets nobody write between its lines", () => {
  const description = 'a", scope="admin\r\nX: y\\ ü\u0000';
  const header = wwwAuthenticate({ description, scopes: ['x" y'] });
  assertEquals(
    header,
    'Bearer realm="mcp", scope="x y", error_description="a, scope=adminX: y "',
  );
});

Deno.test("wwwAuthenticate() is understood by both SDKs", () => {
  const url = "https://a.example/.well-known/oauth-protected-resource/mcp";
  const challenge: Challenge = {
    error: "insufficient_scope",
    description: "resource_metadata=https://evil.example scope=admin error=x",
    scopes: ["tools", "prompts"],
    resourceMetadata: url,
  };
  for (const extract of [extractV1, extractV2]) {
    const { resourceMetadataUrl, scope, error } = extract(responseWith(challenge));
    assertEquals([resourceMetadataUrl?.href, scope, error], [
      url,
      "tools prompts",
      "insufficient_scope",
    ]);
    const bare = extract(responseWith({}));
    assertEquals([bare.resourceMetadataUrl, bare.scope, bare.error], [
      undefined,
      undefined,
      undefined,
    ]);
  }
});
