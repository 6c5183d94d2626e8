import { assertEquals, assertThrows } from "@std/assert";
import { MCPError } from "../../protocol/errors.ts";
import { resolveStartOptions, serverAddress } from "../../server/address.ts";

Deno.test("resolveStartOptions() listens on this machine by default", () => {
  assertEquals(resolveStartOptions({}), {
    hostname: "127.0.0.1",
    port: 8787,
    cert: undefined,
    key: undefined,
  });
});

Deno.test("resolveStartOptions() takes loopback addresses, also in brackets", () => {
  for (const hostname of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) {
    assertEquals(resolveStartOptions({ hostname }).hostname, hostname);
  }
  assertEquals(resolveStartOptions({ hostname: "[::1]" }).hostname, "::1");
});

Deno.test("resolveStartOptions() opens to the network only when told so", () => {
  for (const hostname of ["0.0.0.0", "::", "192.168.0.5", "example.com", "localhost.example"]) {
    const error = assertThrows(
      () => resolveStartOptions({ hostname }),
      MCPError,
      `Cannot listen on "${hostname}" as everybody who can reach it could call this server: set "auth" or "allowStrangers", or listen on "127.0.0.1"`,
    );
    assertEquals(error.kind, "policy");
    assertEquals(resolveStartOptions({ hostname, allowStrangers: true }).hostname, hostname);
    assertEquals(resolveStartOptions({ hostname }, true).hostname, hostname);
  }
});

Deno.test("resolveStartOptions() wants certificate and key together", () => {
  const message = 'Cannot start server: "cert" and "key" need each other';
  assertThrows(() => resolveStartOptions({ cert: "c" }), TypeError, message);
  assertThrows(() => resolveStartOptions({ key: "k" }), TypeError, message);
});

Deno.test("serverAddress() writes URLs that clients can use", () => {
  const plain = { hostname: "127.0.0.1", port: 0, cert: undefined, key: undefined };
  assertEquals(serverAddress(plain, 1234, "/mcp"), {
    hostname: "127.0.0.1",
    port: 1234,
    url: "ws://127.0.0.1:1234/mcp",
  });
  const encrypted = { hostname: "::1", port: 0, cert: "c", key: "k" };
  assertEquals(serverAddress(encrypted, 1234, "/").url, "wss://[::1]:1234/");
});
