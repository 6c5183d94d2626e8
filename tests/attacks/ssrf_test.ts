import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { WebSocketClientOptions } from "../../client/options.ts";
import { WebSocketClientTransport } from "../../client/transport.ts";
import { UrlPolicyError, type UrlRule } from "../../client/url_policy.ts";
import type { UrlPolicyOptions } from "../../client/url_policy_options.ts";
import { setGlobal } from "../support/globals.ts";
import { playLegacy, ScriptedServer } from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

const PRODUCTION = { environment: "production" } as const;

/** The rule that refuses a URL, or the class of the error if it is none that can be used at all. */
type Refusal = UrlRule | "SyntaxError" | "TypeError";

/** Stands for the port at which the canary listens. */
const PORT = "PORT";

/** What an attacker may write to reach what is inside; by the rule that refuses it. */
const URLS: readonly (readonly [Refusal, ...string[]])[] = [
  // Loopback, plainly.
  ["address", "wss://127.0.0.1:PORT/", "wss://127.0.0.2:PORT/", "wss://127.255.255.254:PORT/"],
  ["address", "wss://[::1]:PORT/", "wss://[0:0:0:0:0:0:0:1]:PORT/", "wss://[0000::0001]:PORT/"],
  ["address", "wss://localhost:PORT/", "wss://inner.localhost:PORT/", "ws://localhost:PORT/"],
  ["address", "wss://0.0.0.0:PORT/", "wss://[::]:PORT/"],
  // The same in decimal, octal, hexadecimal, and short.
  ["spelling", "wss://2130706433:PORT/", "wss://017700000001:PORT/", "wss://0x7f000001:PORT/"],
  ["spelling", "wss://0177.0.0.1:PORT/", "wss://0x7f.0.0.1:PORT/", "wss://0x7F.0x0.0x0.0x1:PORT/"],
  ["spelling", "wss://127.1:PORT/", "wss://127.0.1:PORT/", "wss://0177.1:PORT/", "wss://0:PORT/"],
  ["spelling", "wss://00000177.0.0.01:PORT/", "wss://127.0.0.01:PORT/", "wss://0x7f.1:PORT/"],
  // IPv4 inside of IPv6.
  ["spelling", "wss://[::ffff:127.0.0.1]:PORT/", "wss://[::ffff:7f00:1]:PORT/"],
  ["spelling", "wss://[0:0:0:0:0:ffff:7f00:0001]:PORT/", "wss://[::ffff:169.254.169.254]/"],
  ["address", "wss://[::127.0.0.1]:PORT/", "wss://[64:ff9b::7f00:1]:PORT/"],
  ["address", "wss://[64:ff9b::169.254.169.254]/", "wss://[64:ff9b:1::a00:1]/"],
  ["address", "wss://[2002:7f00:1::]:PORT/", "wss://[2002:a9fe:a9fe::1]/"],
  ["address", "wss://[2001:0:a00:1::1]/", "wss://[::ffff:0:127.0.0.1]:PORT/"],
  // Zones, dots at the end, odd dots.
  ["SyntaxError", "wss://[fe80::1%25eth0]/", "wss://[::1%25lo]:PORT/", "wss://[fe80::1%lo]/"],
  ["spelling", "wss://127.0.0.1.:PORT/", "wss://127.0.0.1%2e:PORT/"],
  ["spelling", "wss://127。0。0。1:PORT/", "wss://127．0．0．1:PORT/", "wss://127｡1:PORT/"],
  ["address", "wss://localhost.:PORT/", "wss://LOCALHOST:PORT/"],
  // Letters and digits that are folded, and what is taken away.
  ["spelling", "wss://１２７.0.0.1:PORT/", "wss://①②⑦.⓪.⓪.①:PORT/", "wss://𝟏𝟐𝟕.0.0.1:PORT/"],
  [
    "spelling",
    "wss://ⓛocalhost:PORT/",
    "wss://ｌｏｃａｌｈｏｓｔ:PORT/",
    "wss://loca\u00adlhost:PORT/",
  ],
  ["spelling", "wss://local\u200bhost:PORT/", "wss://%6c%6f%63alhost:PORT/"],
  ["spelling", "wss://%31%32%37.0.0.1:PORT/", "wss://127.0.0.%31:PORT/"],
  [
    "international-name",
    "wss://examp\u0131e.com/",
    "wss://\u0430pple.com/",
    "wss://xn--80ak6aa92e.com/",
  ],
  // User information that looks like a host.
  ["TypeError", "wss://example.com@127.0.0.1:PORT/", "wss://example.com:443@localhost:PORT/"],
  ["TypeError", "wss://user:canary@example.com/", "wss://example.com%40@127.0.0.1:PORT/"],
  ["address", "wss://127.0.0.1:PORT/@example.com", "wss://127.0.0.1:PORT?@example.com"],
  ["TypeError", "wss://127.0.0.1:PORT#@example.com", "wss://example.com\\@127.0.0.1:PORT/#"],
  ["spelling", "wss:\\\\127.0.0.1:PORT\\", "wss:127.0.0.1:PORT/", "wss:/127.0.0.1:PORT/"],
  // Line breaks, tabs and controls.
  ["spelling", "wss://127.0\r\n.0.1:PORT/", "wss://loc\talhost:PORT/"],
  ["SyntaxError", "wss://127.0.0.1%0d%0a:PORT/", "wss://local%00host/", "wss://a b/", "wss://"],
  ["SyntaxError", "", "127.0.0.1", "wss://[::1/", "wss://256.0.0.1/", "wss://127.0.0.1:99999/"],
  // Other schemes.
  ["TypeError", "file:///etc/passwd", "gopher://127.0.0.1:PORT/", "javascript:alert(1)"],
  ["TypeError", "data:,x", "ftp://127.0.0.1:PORT/", "unix:/run/docker.sock", "blob:https://a/b"],
  ["TypeError", "http://127.0.0.1:PORT/", "https://localhost:PORT/"],
  ["encryption", "ws://example.com/", "WS://EXAMPLE.com:8080/"],
  // Where clouds keep what a machine may know.
  ["address", "wss://169.254.169.254/", "wss://[fd00:ec2::254]/", "wss://100.100.100.200/"],
  ["address", "wss://169.254.170.2/", "wss://169.254.0.1/", "wss://[fe80::1]/"],
  // Private, shared, multicast, reserved, documentation, benchmarks.
  [
    "address",
    "wss://10.0.0.1/",
    "wss://172.16.0.1/",
    "wss://172.31.255.255/",
    "wss://192.168.1.1/",
  ],
  ["address", "wss://[fc00::1]/", "wss://[fd12:3456::1]/", "wss://[fec0::1]/"],
  ["address", "wss://100.64.0.1/", "wss://100.127.255.254/"],
  ["address", "wss://224.0.0.1/", "wss://239.255.255.250/", "wss://[ff02::1]/"],
  ["address", "wss://255.255.255.255/", "wss://240.0.0.1/", "wss://0.1.2.3/"],
  ["address", "wss://192.0.2.1/", "wss://198.18.0.1/", "wss://[2001:db8::1]/"],
  // Ports at which other protocols are spoken.
  ["port", "wss://example.com:22/", "wss://example.com:25/", "wss://example.com:6667/"],
  ["port", "wss://example.com:0/"],
];

/** Names, and what they turn out to be. */
const NAMES: readonly (readonly [string, ...string[]])[] = [
  ["localhost.localdomain", "127.0.0.1"],
  ["127.0.0.1.nip.example", "127.0.0.1"],
  ["loopback.example.com", "::1"],
  ["metadata.example.com", "169.254.169.254"],
  ["intranet.example.com", "10.1.2.3"],
  ["router.example.com", "192.168.0.1"],
  ["container.example.com", "172.17.0.1"],
  ["carrier.example.com", "100.64.0.9"],
  ["mapped.example.com", "::ffff:10.0.0.1"],
  ["translated.example.com", "64:ff9b::a9fe:a9fe"],
  ["tunnelled.example.com", "2002:a00:1::1"],
  ["local.example.com", "fe80::1"],
  ["unique.example.com", "fd00::1"],
  ["nothing.example.com", "0.0.0.0"],
  ["many.example.com", "93.184.215.14", "2606:2800:21f::1", "127.0.0.1"],
  ["odd.example.com", "not an address"],
];

/** Listens where nobody must come, and counts who does; and the sockets that are opened at all. */
class Canary implements AsyncDisposable {
  connections = 0;
  sockets = 0;
  readonly #listener: Deno.Listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #listening: Promise<void> = this.#listen();
  readonly #global: Disposable;

  constructor() {
    const opened = () => this.sockets++;
    this.#global = setGlobal(
      "WebSocket",
      class extends WebSocket {
        constructor(...args: ConstructorParameters<typeof WebSocket>) {
          opened();
          super(...args);
        }
      },
    );
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#global[Symbol.dispose]();
    this.#listener.close();
    await this.#listening;
  }

  async #listen(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        this.connections++;
        connection.close();
      }
    } catch (error) {
      assertInstanceOf(error, Deno.errors.BadResource);
    }
  }
}

/** Dials, and tells how that fails: when, with what, and whether the token was asked for. */
async function attack(url: string, options: WebSocketClientOptions): Promise<Error> {
  let asked = 0;
  const token = () => {
    asked++;
    return "canary-token";
  };
  const thrown = await assertRejects(async () => {
    await using transport = new WebSocketClientTransport(url, { ...options, token });
    await transport.start();
  }, Error);
  assertEquals(asked, 0, url);
  assert(!thrown.message.includes("canary"), thrown.message);
  return thrown;
}

Deno.test("WebSocketClientTransport in production refuses every spelling of a place inside, before any socket", async () => {
  await using canary = new Canary();
  let count = 0;
  for (const [refusal, ...urls] of URLS) {
    for (const written of urls) {
      const url = written.replaceAll(PORT, String(canary.port));
      const error = await attack(url, { urlPolicy: PRODUCTION });
      const found = error instanceof UrlPolicyError ? error.rule : error.name;
      assertEquals(found, refusal, JSON.stringify(url));
      count++;
    }
  }
  assert(count >= 100, `${count} spellings`);
  assertEquals([canary.sockets, canary.connections], [0, 0]);
});

Deno.test("WebSocketClientTransport in production refuses names that lead inside, before any socket", async () => {
  await using canary = new Canary();
  const looked: string[] = [];
  for (const [name, ...addresses] of NAMES) {
    const resolveName = (name: string, port: number) => {
      looked.push(`${name}:${port}`);
      return Promise.resolve(addresses);
    };
    const url = `wss://${name}:${canary.port}/mcp`;
    const error = await attack(url, { urlPolicy: { ...PRODUCTION, resolveName } });
    assertInstanceOf(error, UrlPolicyError);
    assertEquals([error.rule, error.retryable], ["address", false], name);
  }
  assertEquals(looked, NAMES.map(([name]) => `${name}:${canary.port}`));
  assertEquals([canary.sockets, canary.connections], [0, 0]);
});

Deno.test("WebSocketClientTransport refuses a host that is not in the list, whatever it resolves to", async () => {
  await using canary = new Canary();
  const resolveName = () => Promise.resolve(["93.184.215.14"]);
  const urlPolicy = { ...PRODUCTION, allowedHosts: ["*.example.com"], resolveName };
  for (const host of ["example.org", "example.com", "example.com.evil.org", "notexample.com"]) {
    const error = await attack(`wss://${host}/`, { urlPolicy });
    assertInstanceOf(error, UrlPolicyError);
    assertEquals(error.rule, "allowed-hosts", host);
  }
  assertEquals([canary.sockets, canary.connections], [0, 0]);
});

Deno.test("WebSocketClientTransport in development still refuses where clouds keep credentials", async () => {
  await using canary = new Canary();
  const urlPolicy = { environment: "development" } as const;
  for (const url of ["ws://169.254.169.254/latest/", "ws://2852039166/", "ws://[fd00:ec2::254]/"]) {
    assertInstanceOf(await attack(url, { urlPolicy }), UrlPolicyError, url);
  }
  assertEquals([canary.sockets, canary.connections], [0, 0]);
});

/** What is allowed on purpose. */
const ALLOWED: readonly (readonly [string, UrlPolicyOptions])[] = [
  ["127.0.0.1", { environment: "development" }],
  ["localhost", { environment: "development" }],
  ["2130706433", { environment: "development" }],
  ["127.0.0.1", { ...PRODUCTION, allowedAddresses: ["loopback"] }],
  ["localhost", { ...PRODUCTION, allowedAddresses: ["loopback"] }],
  ["127.0.0.1", { ...PRODUCTION, allowedAddresses: ["127.0.0.1/32"] }],
  ["localhost", { ...PRODUCTION, allowedAddresses: ["127.0.0.0/8", "::1/128"] }],
  [
    "127.0.0.1",
    { ...PRODUCTION, allowedAddresses: ["loopback"], allowedHosts: ["example.com", "127.0.0.1"] },
  ],
];

Deno.test("WebSocketClientTransport connects where it is allowed to", async () => {
  await using server = new ScriptedServer((visit) => playLegacy(visit));
  for (const [host, urlPolicy] of ALLOWED) {
    await using transport = new WebSocketClientTransport(`ws://${host}:${server.port}/mcp`, {
      urlPolicy,
    });
    await transport.start();
    assertEquals(transport.state.status, "connected", host);
  }
  assertEquals(server.visits, ALLOWED.length);
});

Deno.test("WebSocketClientTransport looks the name up before every dial: one that moves inside is left", async () => {
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    if (visit.number > 1) await visit.end();
  });
  const answers = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.7"]];
  let asked = 0;
  await using transport = new WebSocketClientTransport(`ws://localhost:${server.port}/mcp`, {
    urlPolicy: {
      ...PRODUCTION,
      allowedAddresses: ["loopback"],
      resolveName: () => Promise.resolve(answers.shift()),
    },
    token: () => `token-${++asked}`,
    reconnect: { minDelay: 1, maxDelay: 1, immediate: [] },
  });
  await transport.start();
  await until(() => server.visits === 2 && transport.state.status === "connected");
  await transport.close();
  const error = await assertRejects(() => transport.start(), UrlPolicyError);
  assertEquals(
    error.message,
    `Cannot connect to "localhost:${server.port}": it resolves to ` +
      '"10.0.0.7": private addresses are not in "allowedAddresses"',
  );
  assertEquals([server.visits, asked], [2, 2]);
});

Deno.test("WebSocketClientTransport gives up at once when the name of a lost connection moved inside", async () => {
  const lose = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (visit) => {
    await visit.accept();
    await lose.promise;
  });
  let address = "127.0.0.1";
  await using transport = new WebSocketClientTransport(`ws://localhost:${server.port}/mcp`, {
    urlPolicy: { resolveName: () => Promise.resolve([address]) },
    reconnect: { minDelay: 1, maxDelay: 1, immediate: [] },
  });
  await transport.start();
  address = "169.254.169.254";
  lose.resolve();
  await until(() => transport.state.status === "failed");
  const { state } = transport;
  assert(state.status === "failed");
  assertInstanceOf(state.error, UrlPolicyError);
  assertEquals(server.visits, 1);
});

Deno.test("WebSocketClientTransport follows a goaway inside neither to another origin nor with a token", async () => {
  await using canary = new Canary();
  const seen: (string | undefined)[] = [];
  await using server = new SessionServer(async (visit) => {
    await visit.open();
    seen.push(visit.visit.header("authorization"));
    if (visit.number === 1) {
      const url = `ws://169.254.169.254:${canary.port}/`;
      await visit.say("goaway", { afterMs: 100, reason: "moving", sessions: "lost", url });
    }
    await visit.end();
  });
  await using transport = new WebSocketClientTransport(server.url, { token: () => "fresh" });
  let moves = 0;
  transport.addEventListener("moved", () => moves++);
  await transport.start();
  await until(() => moves === 1);
  assertEquals(seen, ["Bearer fresh", "Bearer fresh"]);
  assertEquals(canary.connections, 0);
  await transport.close();
});

Deno.test("a redirect is a dial that failed: nobody follows it, and the token goes nowhere", async () => {
  await using canary = new Canary();
  for (const status of [301, 302, 303, 307, 308]) {
    await using server = new ScriptedServer(async (visit) => {
      await visit.readRequest();
      await visit.write(
        `HTTP/1.1 ${status} Moved\r\nLocation: ws://127.0.0.1:${canary.port}/mcp\r\n` +
          "Content-Length: 0\r\nConnection: close\r\n\r\n",
      );
    });
    await using transport = new WebSocketClientTransport(server.url, { token: "canary-token" });
    const error = await assertRejects(() => transport.start(), Error, `status code: ${status}`);
    assert(!error.message.includes("canary"), error.message);
    assertEquals(server.visits, 1);
  }
  assertEquals([canary.sockets, canary.connections], [5, 0]);
});
