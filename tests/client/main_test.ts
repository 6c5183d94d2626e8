import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
// @ts-types="@modelcontextprotocol/sdk/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { BRIDGE_HELP } from "../../client/bridge_options.ts";
import config from "../../deno.json" with { type: "json" };
import { createWebSocketHandler } from "../../server/mod.ts";
import { ClientV1 } from "../e2e/support/sdk_v1.ts";
import { denoArgs, RunningCommand } from "../support/running_command.ts";
import { until } from "../support/until.ts";

const MAIN = "client/main.ts";

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The headers of each client. */
  readonly clients: Headers[];
}

/** Answers every request with its method, to those who may come in. */
function serve(isAllowed: (headers: Headers) => boolean = () => true): Server {
  const clients: Headers[] = [];
  const handler = createWebSocketHandler(async (session) => {
    session.onmessage = (message) => {
      if (!("method" in message) || !("id" in message) || message.id === undefined) return;
      session.post({ jsonrpc: "2.0", id: message.id, result: { method: message.method } });
    };
    await session.start();
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request, info) => {
    clients.push(new Headers(request.headers));
    if (isAllowed(request.headers)) return handler.fetch(request, info);
    return new Response("Who are you?", { status: 401 });
  });
  const { port } = server.addr;
  return {
    port,
    url: `ws://127.0.0.1:${port}/mcp`,
    clients,
    async [Symbol.asyncDispose]() {
      await handler.close({ timeout: 0 });
      await server.shutdown();
    },
  };
}

async function roundTrip(bridge: RunningCommand): Promise<void> {
  await bridge.write('{"jsonrpc":"2.0","id":"a","method":"x/any"}');
  await until(() => bridge.stdout.length === 1);
  assertEquals(bridge.stdout, ['{"jsonrpc":"2.0","id":"a","result":{"method":"x/any"}}']);
}

Deno.test("bridge runs with --allow-net for its server alone, and ends with its host", async () => {
  await using server = serve();
  await using bridge = new RunningCommand(MAIN, ["bridge", server.url], {
    permissions: [`--allow-net=127.0.0.1:${server.port}`],
    // It may not be read, and is not asked for.
    env: { MCP_API_KEY: "secret" },
  });
  await roundTrip(bridge);
  assertEquals(server.clients[0]?.has("authorization"), false);
  await bridge.endInput();
  assertEquals(await bridge.exit(), 0);
  assertEquals([bridge.stdout.length, bridge.stderr], [1, []]);
});

Deno.test("bridge sends MCP_API_KEY and headers", async () => {
  await using server = serve();
  const args = ["bridge", "--header", "X-Team: a b", server.url];
  await using bridge = new RunningCommand(MAIN, args, {
    permissions: [`--allow-net=127.0.0.1:${server.port}`, "--allow-env=MCP_API_KEY"],
    env: { MCP_API_KEY: " secret \n" },
  });
  await roundTrip(bridge);
  assertEquals(server.clients[0]?.get("authorization"), "Bearer secret");
  assertEquals(server.clients[0]?.get("x-team"), "a b");
});

Deno.test("bridge exits with 1 and the reason when it gives up", async () => {
  await using server = serve(() => false);
  const permissions = [`--allow-net=127.0.0.1:${server.port}`];
  await using bridge = new RunningCommand(MAIN, ["bridge", server.url], { permissions });
  assertEquals(await bridge.exit(), 1);
  assertEquals(bridge.stdout, []);
  const last = bridge.stderr.at(-1) ?? "";
  assertMatch(last, /^bridge: .*status code: 401.* Set MCP_API_KEY, and run with --allow-env/);
});

Deno.test("bridge in production dials no place inside, unless it is allowed to", async () => {
  await using server = serve();
  const permissions = [`--allow-net=127.0.0.1:${server.port}`, "--allow-env=DENO_ENV"];
  const options = { permissions, env: { DENO_ENV: "production" } };
  await using refused = new RunningCommand(MAIN, ["bridge", server.url], options);
  assertEquals(await refused.exit(), 1);
  const last = refused.stderr.at(-1) ?? "";
  assertMatch(last, /^bridge: Cannot connect to .*: loopback addresses are not in/);
  assertEquals(server.clients.length, 0);

  const args = ["bridge", "--allow-address", "loopback", server.url];
  await using allowed = new RunningCommand(MAIN, args, options);
  await roundTrip(allowed);
  await allowed.endInput();
  assertEquals(await allowed.exit(), 0);
});

Deno.test("bridge logs every failed dial, and goes on until it is ended", async () => {
  await using bridge = new RunningCommand(MAIN, ["bridge", "ws://127.0.0.1:1/mcp"]);
  await until(() =>
    bridge.stderr.filter((line) => / ERROR .*Cannot connect/.test(line)).length > 1
  );
  bridge.kill("SIGTERM");
  assertEquals(await bridge.exit(), 0);
  assertEquals(bridge.stdout, []);
});

Deno.test("bridge tells what it does when asked to", async () => {
  await using server = serve();
  await using bridge = new RunningCommand(MAIN, ["bridge", "--verbose", server.url]);
  await bridge.wrote(bridge.stderr, / INFO .*connecting -> connected/);
  await roundTrip(bridge);
});

Deno.test("cli prints help and version, and exits with 0", async () => {
  await using help = new RunningCommand(MAIN, ["--help"], { permissions: [] });
  assertEquals(await help.exit(), 0);
  for (const command of ["bridge", "doctor"]) {
    assertStringIncludes(help.stdout.join("\n"), `  ${command} `);
  }
  await using bridgeHelp = new RunningCommand(MAIN, ["bridge", "--help"], { permissions: [] });
  assertEquals(await bridgeHelp.exit(), 0);
  assertEquals(bridgeHelp.stdout.join("\n"), BRIDGE_HELP);
  await using version = new RunningCommand(MAIN, ["--version"], { permissions: [] });
  assertEquals(await version.exit(), 0);
  assertEquals(version.stdout, [config.version]);
});

Deno.test("cli refuses wrong arguments with one line and status 2", async () => {
  const table: [string[], string][] = [
    [[], "cli: A command is missing. Try --help"],
    [["nope"], 'cli: Unknown command "nope". Try --help'],
    [["bridge"], "bridge: A URL is missing. Try --help"],
  ];
  for (const [args, line] of table) {
    await using command = new RunningCommand(MAIN, args, { permissions: [] });
    assertEquals(await command.exit(), 2);
    assertEquals([command.stdout, command.stderr], [[], [line]]);
  }
});

Deno.test("bridge carries a stdio host of the official SDK over a kill and restart of the server", {
  // When it closes, the SDK leaves a timer of two seconds behind.
  sanitizeOps: false,
  sanitizeResources: false,
}, async () => {
  const demo = (port: string) => new RunningCommand("server/main.ts", ["--port", port]);
  await using first = demo("0");
  const url = await first.url();
  const { port } = new URL(url);
  const transport = new StdioClientTransport({
    command: Deno.execPath(),
    args: [...denoArgs(MAIN, [`--allow-net=127.0.0.1:${port}`]), "bridge", url],
    stderr: "pipe",
  });
  // Nobody reads the log here, and a full pipe would block it.
  transport.stderr?.on("data", () => {});
  const host = new ClientV1({ name: "host", version: "1.0.0" });
  await host.connect(transport);
  const names = async () => (await host.listTools()).tools.map(({ name }) => name);
  assertEquals(await names(), ["echo", "add", "slow"]);

  first.kill("SIGKILL");
  await first.exit();
  const listing = names();
  await using second = demo(port);
  await second.url();
  assertEquals(await listing, ["echo", "add", "slow"]);
  const { content } = await host.callTool({ name: "echo", arguments: { text: "still here" } });
  assertEquals(content, [{ type: "text", text: "still here" }]);
  await host.close();
  assert(transport.pid === null);
});
