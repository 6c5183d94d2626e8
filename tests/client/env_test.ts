import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { readEnvironment } from "../../client/env.ts";

function read(variables: Record<string, string>) {
  return readEnvironment((name) => variables[name]);
}

Deno.test("readEnvironment() of an empty environment enables everything and knows nothing", () => {
  assertEquals(read({}), {
    url: undefined,
    token: undefined,
    isEnabled: true,
    mode: "development",
  });
});

Deno.test("readEnvironment() reads URL and token, trimmed; empty counts as absent", () => {
  const { url, token } = read({ MCP_SERVER_URL: " ws://a/mcp ", MCP_API_KEY: "key" });
  assertEquals([url, token], ["ws://a/mcp", "key"]);
  const empty = read({ MCP_SERVER_URL: "", MCP_API_KEY: "  " });
  assertEquals([empty.url, empty.token], [undefined, undefined]);
});

Deno.test("readEnvironment() knows four ways to say no", () => {
  for (const no of ["false", "0", "no", "off", "FALSE", " Off "]) {
    assertEquals(read({ ENABLE_MCP_INTEGRATION: no }).isEnabled, false, no);
  }
  for (const yes of ["true", "1", "yes", "on", "", "anything"]) {
    assertEquals(read({ ENABLE_MCP_INTEGRATION: yes }).isEnabled, true, yes);
  }
});

const MODES: readonly [Record<string, string>, string][] = [
  [{ DENO_ENV: "production" }, "production"],
  [{ NODE_ENV: "production" }, "production"],
  [{ DENO_ENV: "development", NODE_ENV: "production" }, "development"],
  [{ DENO_ENV: "", NODE_ENV: "production" }, "production"],
  [{ NODE_ENV: "test" }, "development"],
  [{ NODE_ENV: "Production" }, "development"],
];

Deno.test("readEnvironment() is in production only if told so; DENO_ENV goes first", () => {
  for (const [variables, mode] of MODES) {
    assertEquals(read(variables).mode, mode, JSON.stringify(variables));
  }
});

Deno.test("readEnvironment() reads the runtime's environment by default", () => {
  using _env = stub(Deno.env, "get", (name: string) => `value of ${name}`);
  assertEquals(readEnvironment().url, "value of MCP_SERVER_URL");
  assertEquals(readEnvironment().token, "value of MCP_API_KEY");
});

Deno.test("readEnvironment() takes what may not be read for absent", () => {
  using _env = stub(Deno.env, "get", () => {
    throw new Deno.errors.NotCapable("Somebody was asked");
  });
  const state = { state: "prompt" } as Deno.PermissionStatus;
  using _permissions = stub(Deno.permissions, "querySync", () => state);
  assertEquals(readEnvironment().url, undefined);
});
