import { assertEquals } from "@std/assert";
import { type HostPolicy, isHost, isHostAllowed } from "../../server/host_check.ts";

/** Deno writes the header into the URL, unless the target of the request is absolute. */
function isAllowed(
  host: string | null,
  policy: HostPolicy = {},
  url = `http://${host}/mcp`,
): boolean {
  const headers = new Headers();
  if (host !== null) headers.set("Host", host);
  return isHostAllowed({ url, headers }, policy);
}

const BOUND: HostPolicy = { bound: { hostname: "127.0.0.1", port: 8787 } };

Deno.test("isHostAllowed() allows the names and addresses of this machine, on any port", () => {
  const hosts = [
    "localhost",
    "localhost:8787",
    "localhost:9000",
    "LocalHost:80",
    "localhost.",
    "localhost.:8787",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.1.2.3:8787",
    "[::1]",
    "[::1]:8787",
    "[0:0:0:0:0:0:0:1]:8787",
  ];
  for (const host of hosts) {
    assertEquals(isAllowed(host), true, host);
    assertEquals(isAllowed(host, BOUND), true, host);
  }
});

Deno.test("isHostAllowed() refuses what a page with a name of its own sends", () => {
  const hosts = [
    "evil.test",
    "evil.test:8787",
    "localhost.evil.test",
    "127.0.0.1.evil.test",
    "evil.test.",
    "xlocalhost",
    "app.localhost",
    "localhost-evil.test",
  ];
  for (const host of hosts) {
    for (const policy of [{}, BOUND]) assertEquals(isAllowed(host, policy), false, host);
  }
});

Deno.test("isHostAllowed() refuses what is no host, or one that no browser writes", () => {
  const hosts = [
    "",
    " ",
    ":8787",
    "localhost:",
    "localhost:0x50",
    "localhost:65536",
    "localhost:123456",
    "localhost:80:80",
    "user@localhost",
    "user:secret@localhost:8787",
    "localhost@evil.test",
    "localhost/",
    "localhost?",
    "localhost#",
    "localhost\\evil",
    "localhost,localhost",
    "localhost, evil.test",
    "local host",
    "localhost..",
    ".localhost",
    "*",
    "loc%61lhost",
    "ｌocalhost",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "127.1",
    "127.0.0.1.",
    "127.0.0.256",
    "::1",
    "[::1",
    "::1]",
    "[::1]x",
    "[::1%25lo]:80",
    "[::1%lo]",
    "[fe80::1%25eth0]:8787",
    "[]",
    "[:::1]",
    "[localhost]",
  ];
  const anything = { allowedHosts: () => true };
  for (const host of hosts) {
    const headers = new Headers();
    try {
      headers.set("Host", host);
    } catch {
      continue; // No header can hold it.
    }
    // Whatever the URL says: Deno puts the header there, readable or not.
    for (const url of [`http://${host}/mcp`, "http://localhost/mcp"]) {
      assertEquals(isHostAllowed({ url, headers }, anything), false, `${host} in ${url}`);
    }
  }
});

Deno.test("isHostAllowed() refuses a request without Host, but for HTTP/2", () => {
  assertEquals(isAllowed(null, {}, "http://localhost:8787/mcp"), false);
  assertEquals(isAllowed(null, {}, "https://localhost:8787/mcp"), true);
  assertEquals(isAllowed(null, {}, "https://evil.test/mcp"), false);
});

Deno.test("isHostAllowed() refuses a request whose target is somewhere else", () => {
  const table: [host: string, url: string, allowed: boolean][] = [
    ["localhost", "http://localhost/mcp", true],
    ["localhost:80", "http://localhost/mcp", true],
    ["localhost:443", "https://localhost/mcp", true],
    ["LOCALHOST", "http://localhost/mcp", true],
    ["localhost", "http://evil.test/mcp", false],
    ["evil.test", "http://localhost/mcp", false],
    ["localhost", "http://127.0.0.1/mcp", false],
    ["localhost:1", "http://localhost:2/mcp", false],
    ["localhost", "http://localhost./mcp", false],
    ["localhost", "http://user@localhost/mcp", false],
    ["localhost", "http://:secret@localhost/mcp", false],
    ["localhost", "no URL", false],
  ];
  for (const [host, url, allowed] of table) {
    assertEquals(isAllowed(host, {}, url), allowed, `${host} for ${url}`);
  }
});

Deno.test("isHostAllowed() allows the address that the server listens on", () => {
  const table: [bound: string, port: number, host: string, allowed: boolean][] = [
    ["192.168.1.5", 8787, "192.168.1.5:8787", true],
    ["192.168.1.5", 8787, "192.168.1.5:8788", false],
    ["192.168.1.5", 8787, "192.168.1.5", false],
    ["192.168.1.5", 8787, "192.168.1.6:8787", false],
    ["192.168.1.5", 80, "192.168.1.5", true],
    ["192.168.1.5", 443, "192.168.1.5", true],
    ["box.lan", 8787, "BOX.lan:8787", true],
    ["box.lan", 8787, "box.lan.:8787", true],
    ["box.lan", 8787, "other.lan:8787", false],
    ["2001:db8::5", 8787, "[2001:db8::5]:8787", true],
    ["[2001:db8::5]", 8787, "[2001:DB8:0:0:0:0:0:5]:8787", true],
    ["2001:db8::5", 8787, "[2001:db8::6]:8787", false],
  ];
  for (const [hostname, port, host, allowed] of table) {
    assertEquals(isAllowed(host, { bound: { hostname, port } }), allowed, `${host} at ${hostname}`);
  }
});

Deno.test("isHostAllowed() allows any address in numbers where the server listens everywhere", () => {
  const everywhere: HostPolicy[] = [
    {},
    { bound: { hostname: "0.0.0.0", port: 8787 } },
    { bound: { hostname: "::", port: 8787 } },
    { bound: { hostname: "[::]", port: 8787 } },
  ];
  for (const policy of everywhere) {
    assertEquals(isAllowed("192.168.1.5:8787", policy), true);
    assertEquals(isAllowed("[2001:db8::5]", policy), true);
    assertEquals(isAllowed("[::ffff:7f00:1]:8787", policy), true);
    assertEquals(isAllowed("mcp.example.com", policy), false);
  }
});

Deno.test("isHostAllowed() takes entries for any port, or for one", () => {
  const policy: HostPolicy = {
    ...BOUND,
    allowedHosts: ["mcp.example.com", "Other.example.com:8443", "[2001:db8::5]", "no host"],
  };
  const table: [host: string, allowed: boolean][] = [
    ["mcp.example.com", true],
    ["MCP.example.com.:1234", true],
    ["sub.mcp.example.com", false],
    ["example.com", false],
    ["other.example.com:8443", true],
    ["other.example.com", false],
    ["other.example.com:8444", false],
    ["[2001:db8:0::5]:8787", true],
    ["[2001:db8::6]", false],
    ["localhost:8787", true],
  ];
  for (const [host, allowed] of table) assertEquals(isAllowed(host, policy), allowed, host);
});

Deno.test("isHostAllowed() asks a function about one well-formed host, and wants true", () => {
  const asked: string[] = [];
  const allowedHosts = (host: string) => {
    asked.push(host);
    return host.endsWith(".example.com");
  };
  assertEquals(isAllowed("A.Example.com.", { allowedHosts }), true);
  assertEquals(isAllowed("b.example.org:80", { allowedHosts }), false);
  assertEquals(isAllowed("no host", { allowedHosts }), false);
  assertEquals(asked, ["a.example.com", "b.example.org:80"]);
  const promise = (() => Promise.resolve(true)) as unknown as () => boolean;
  assertEquals(isAllowed("c.example.com", { allowedHosts: promise }), false);
});

Deno.test("isHost() tells what can be listed", () => {
  const hosts = ["a.example", "a.example:1", "127.0.0.1", "[::1]:80", "xn--bcher-kva.example"];
  for (const host of hosts) assertEquals(isHost(host), true, host);
  for (
    const host of ["", "https://a.example", "a.example/", "*.example", "::1", "bücher.example"]
  ) {
    assertEquals(isHost(host), false, host);
  }
});

Deno.test("isHostAllowed() refuses over a real connection what Deno lets through", async () => {
  const answers: boolean[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { url, headers } = request;
    answers.push(isHostAllowed({ url, headers }, { bound: server.addr }));
    return new Response();
  });
  const { port } = server.addr;
  const requests: [line: string, host: string | undefined, allowed: boolean][] = [
    ["GET /mcp HTTP/1.1", `localhost:${port}`, true],
    ["GET /mcp HTTP/1.1", `127.0.0.1:${port}`, true],
    [`GET http://localhost:${port}/mcp HTTP/1.1`, `localhost:${port}`, true],
    [`GET http://localhost:${port}/mcp HTTP/1.1`, "evil.test", false],
    ["GET http://evil.test/mcp HTTP/1.1", "localhost", false],
    ["GET /mcp HTTP/1.1", "evil.test", false],
    ["GET /mcp HTTP/1.1", "a b<script>", false],
    ["GET /mcp HTTP/1.1", "u:p@localhost", false],
    ["GET /mcp HTTP/1.1", "", false],
    ["GET /mcp HTTP/1.1", undefined, false],
    ["GET /mcp HTTP/1.0", undefined, false],
  ];
  for (const [line, host] of requests) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const headers = [...(host === undefined ? [] : [`Host: ${host}`]), "Connection: close"];
    await connection.write(new TextEncoder().encode([line, ...headers, "", ""].join("\r\n")));
    while (await connection.read(new Uint8Array(1024)) !== null);
  }
  assertEquals(answers, requests.map(([, , allowed]) => allowed));
});
