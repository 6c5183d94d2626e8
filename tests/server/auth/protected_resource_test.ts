import {
  discoverOAuthProtectedResourceMetadata as discoverV1,
  selectResourceURL as selectV1,
} from "@modelcontextprotocol/sdk/client/auth.js";
import {
  discoverOAuthProtectedResourceMetadata as discoverV2,
  selectResourceURL as selectV2,
} from "@modelcontextprotocol/client";
import { assertEquals, assertThrows } from "@std/assert";
import {
  ProtectedResource,
  type ProtectedResourceOptions,
} from "../../../server/auth/protected_resource.ts";
import { snapshotRequest } from "../../../server/request.ts";

const OPTIONS: ProtectedResourceOptions = {
  resource: "https://mcp.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
};

Deno.test("ProtectedResource says where tokens come from", () => {
  const resource = new ProtectedResource({
    ...OPTIONS,
    scopes: ["tools"],
    name: "Demo",
    documentation: "https://docs.example.com",
  });
  assertEquals(resource.path, "/.well-known/oauth-protected-resource/mcp");
  assertEquals(resource.url, `https://mcp.example.com${resource.path}`);
  assertEquals(resource.resource.href, "https://mcp.example.com/mcp");
  assertEquals(resource.toJSON(), {
    resource: "https://mcp.example.com/mcp",
    authorization_servers: ["https://auth.example.com"],
    bearer_methods_supported: ["header"],
    scopes_supported: ["tools"],
    resource_name: "Demo",
    resource_documentation: "https://docs.example.com/",
  });
  assertEquals(Object.keys(new ProtectedResource(OPTIONS).toJSON()), [
    "resource",
    "authorization_servers",
    "bearer_methods_supported",
  ]);
});

Deno.test("ProtectedResource puts its path before that of the resource", () => {
  const table: [resource: string | URL, path: string][] = [
    ["https://a.example", "/.well-known/oauth-protected-resource"],
    ["https://a.example/", "/.well-known/oauth-protected-resource"],
    ["https://a.example/x/mcp/", "/.well-known/oauth-protected-resource/x/mcp"],
    [new URL("http://127.0.0.1:8787/mcp"), "/.well-known/oauth-protected-resource/mcp"],
  ];
  for (const [resource, path] of table) {
    assertEquals(new ProtectedResource({ ...OPTIONS, resource }).path, path);
  }
});

Deno.test("ProtectedResource keeps addresses as they were written", () => {
  const { resource, authorization_servers } = new ProtectedResource({
    resource: "https://A.example",
    authorizationServers: ["https://auth.example.com", new URL("https://b.example")],
  }).toJSON();
  assertEquals([resource, authorization_servers], [
    "https://A.example",
    ["https://auth.example.com", "https://b.example/"],
  ]);
});

Deno.test("ProtectedResource answers requests for its document alone", async () => {
  const resource = new ProtectedResource(OPTIONS);
  const { path } = resource;
  const table: [method: string, status: number, text: string][] = [
    ["GET", 200, JSON.stringify(resource)],
    ["HEAD", 200, ""],
    ["OPTIONS", 204, ""],
    ["POST", 405, "This document is read with GET\n"],
  ];
  for (const [method, status, text] of table) {
    const response = resource.respond({ method, path });
    assertEquals([response?.status, await response?.text()], [status, text], method);
  }
  assertEquals(resource.respond({ method: "GET", path: "/mcp" }), undefined);
  assertEquals(resource.respond({ method: "GET", path: `${path}/x` }), undefined);
  assertEquals(resource.respond({ method: "GET", path: undefined }), undefined);
});

Deno.test("ProtectedResource is found by the OAuth of both SDKs", async () => {
  const describe = (url: string) =>
    new ProtectedResource({ ...OPTIONS, resource: new URL("/mcp", url), scopes: ["tools"] });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const response = describe(request.url).respond(snapshotRequest(request));
    return response ?? new Response(null, { status: 404 });
  });
  const url = `http://127.0.0.1:${server.addr.port}/mcp`;
  const resource = describe(url);
  // deno-lint-ignore no-explicit-any -- either SDK's provider; it validates nothing.
  const provider: any = {};
  for (const [discover, select] of [[discoverV1, selectV1], [discoverV2, selectV2]] as const) {
    for (const options of [{}, { resourceMetadataUrl: resource.url }]) {
      const metadata = await discover(url, options);
      assertEquals(metadata.authorization_servers, ["https://auth.example.com"]);
      assertEquals(metadata.scopes_supported, ["tools"]);
      assertEquals((await select(url, provider, metadata))?.href, url);
    }
  }
});

Deno.test("new ProtectedResource() refuses what clients could not use, and quotes nothing", () => {
  const wrong: Partial<ProtectedResourceOptions>[] = [
    { resource: "wss://a.example/mcp" },
    { resource: "/mcp" },
    { resource: "https://a.example/mcp#x" },
    { resource: "https://user:secret@a.example/mcp" },
    { resource: "https://a.example/mcp?x=secret" },
    { authorizationServers: [] },
    { authorizationServers: ["https://a.example", "secret"] },
    { documentation: "secret" },
  ];
  for (const change of wrong) {
    const error = assertThrows(() => new ProtectedResource({ ...OPTIONS, ...change }), TypeError);
    assertEquals(error.message.includes("secret"), false);
  }
});
