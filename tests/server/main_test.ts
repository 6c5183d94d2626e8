import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MCPWebSocketClient } from "../../client/mod.ts";
import config from "../../deno.json" with { type: "json" };
import { SERVE_HELP } from "../../server/serve_help.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { denoArgs, isRunning, RunningCommand } from "../support/running_command.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";

const MAIN = "server/main.ts";
const NET = "--allow-net=127.0.0.1";
const SCRIPTED = denoArgs("tests/support/stdio_server.ts");
const TLS = new URL("../support/tls/", import.meta.url).pathname;
const MODULES = new URL("../support/modules/", import.meta.url).pathname;

function serve(args: readonly string[], permissions: readonly string[] = ["-A"]): RunningCommand {
  return new RunningCommand(MAIN, ["--port", "0", ...args], { permissions });
}

async function callSlow(url: string, stepTime: number): Promise<JsonSocket> {
  const socket = await JsonSocket.open(url);
  const params = { name: "slow", arguments: { steps: 1, stepTime }, _meta: { progressToken: 1 } };
  socket.ask("tools/call", params);
  // Answered after the call has begun.
  socket.ask("tools/list");
  await socket.next();
  return socket;
}

Deno.test("serve runs the demo with --allow-net=127.0.0.1 alone", async () => {
  await using server = serve([], [NET]);
  await using client = new MCPWebSocketClient(await server.url());
  await client.connect();
  assertEquals(client.serverInfo?.version, config.version);
  const { content } = await client.request("tools/call", {
    name: "add",
    arguments: { a: 1, b: 2 },
  });
  assertEquals(content[0]?.text, "3");
  assertEquals(server.stdout.length, 1);
});

Deno.test("serve runs a command with --allow-run for it alone, quoted and not", async () => {
  const permissions = [NET, `--allow-run=${Deno.execPath()}`];
  const forms = [
    ["--stdio", `${Deno.execPath()} ${SCRIPTED.map((word) => `'${word}'`).join(" ")}`],
    ["--", Deno.execPath(), ...SCRIPTED],
  ];
  for (const form of forms) {
    await using server = serve(form, permissions);
    await using socket = await JsonSocket.open(await server.url());
    const { result } = await socket.request("x/echo", {});
    await socket.request("x/log", { text: "hello" });
    await server.wrote(server.stderr, / INFO Child of connection \w+: hello$/);
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    assertEquals(await socket.closed, { code: 1012, reason: "Server is restarting" });
    assertEquals(isRunning(result.pid), false);
  }
});

Deno.test("serve keeps the process of a client whose connection drops, and its running call", async () => {
  await using server = serve(["--", Deno.execPath(), ...SCRIPTED]);
  await using peer = new SessionPeer(Number(new URL(await server.url()).port));
  await peer.open();
  const { result: { pid } } = await peer.request("x/echo", {});
  for (const ms of [300, 100]) {
    const id = peer.ask("x/later", { ms });
    // Answered after the call has begun.
    assertEquals((await peer.request("x/echo", {})).result.pid, pid);
    await peer.drop();
    await new Promise((resolve) => setTimeout(resolve, ms === 100 ? 300 : 0));
    assertEquals((await peer.open()).resumed, true);
    const answer = await peer.next();
    assertEquals([answer.id, answer.result.ms], [id, ms]);
  }
  assertEquals((await peer.request("x/echo", {})).result.pid, pid);
  assertEquals(isRunning(pid), true);
  await peer.bye();
  await until(() => !isRunning(pid));
});

Deno.test("serve hands the environment on to the command, as hosts do", async () => {
  await using server = new RunningCommand(MAIN, ["--port=0", "--", Deno.execPath(), ...SCRIPTED], {
    permissions: [NET, `--allow-run=${Deno.execPath()}`],
    env: { SCRIPTED: "yes" },
  });
  await using socket = await JsonSocket.open(await server.url());
  assertEquals((await socket.request("x/echo", {})).result.stop, "yes");
});

Deno.test("serve --auth asks for the token in the environment, and hands it on to nobody", async () => {
  const token = "a-token-of-24-characters";
  const permissions = [NET, `--allow-run=${Deno.execPath()}`, "--allow-env=MCP_API_KEY"];
  const args = ["--port=0", "--auth", "--verbose", "--", Deno.execPath(), ...SCRIPTED];
  await using server = new RunningCommand(MAIN, args, {
    permissions,
    env: { MCP_API_KEY: token },
  });
  const url = await server.url();
  const refused = await JsonSocket.open(url).catch((error) => error);
  assertStringIncludes(String(refused), "401");
  const headers = { Authorization: `Bearer ${token}` };
  await using socket = await JsonSocket.open(url, { headers });
  assertEquals((await socket.request("x/environment", { name: "MCP_API_KEY" })).result, {});
  for (const line of [...server.stdout, ...server.stderr]) assert(!line.includes(token), line);
});

Deno.test("serve --allow-host is reached under that name, and under no other", async () => {
  await using server = serve(["--allow-host", "mcp.example.com"]);
  const { port } = new URL(await server.url());
  for (const [host, status] of [["mcp.example.com", 426], ["evil.example", 403]] as const) {
    const { socket, head } = await RawSocket.request(Number(port), { "Host": host });
    assertEquals(head.status, status, host);
    socket.close();
  }
});

Deno.test("serve loads modules with --allow-read alone", async () => {
  const table: [string, string, string][] = [
    ["factory.ts", "any", "/mcp"],
    ["server.ts", "tools/list", "/own"],
  ];
  for (const [file, method, path] of table) {
    await using server = serve(["--module", MODULES + file], [NET, "--allow-read"]);
    const url = await server.url();
    assertEquals(new URL(url).pathname, path);
    await using socket = await JsonSocket.open(url);
    assert("result" in await socket.request(method));
  }
});

Deno.test("serve encrypts with --cert and --key", async () => {
  const [cert, key] = [`${TLS}server_cert.pem`, `${TLS}server_key.pem`];
  await using server = serve(
    ["--cert", cert, "--key", key],
    [NET, `--allow-read=${cert},${key}`],
  );
  const url = await server.url();
  assertMatch(url, /^wss:\/\/127\.0\.0\.1:\d+\/mcp$/);
  const caCerts = [await Deno.readTextFile(`${TLS}ca_cert.pem`)];
  using client = Deno.createHttpClient({ caCerts });
  await using socket = await JsonSocket.open(url, { client });
  assert("result" in await socket.request("tools/list"));
  await socket.close();
});

Deno.test("serve lets a running request finish after SIGTERM, takes no new client, exits with 0", async () => {
  await using server = serve([]);
  const url = await server.url();
  await using socket = await callSlow(url, 500);
  server.kill("SIGTERM");
  const progress = await socket.next();
  assertEquals(progress.params.progress, 1);
  assertEquals((await socket.next()).result.content[0].text, "Done after 1 steps");
  assertEquals(await socket.closed, { code: 1012, reason: "Server is restarting" });
  assertEquals(await server.exit(), 0);
});

Deno.test("serve closes with 1001 after SIGINT, and at once after a second signal", async () => {
  await using patient = serve([]);
  await using socket = await JsonSocket.open(await patient.url());
  patient.kill("SIGINT");
  assertEquals(await socket.closed, { code: 1001, reason: "Server is shutting down" });
  assertEquals(await patient.exit(), 0);

  await using hasty = serve([]);
  await using busy = await callSlow(await hasty.url(), 60_000);
  hasty.kill("SIGINT");
  // The first signal was heard when no new client is taken any more.
  const url = await hasty.url();
  const isTaken = () => JsonSocket.open(url).then((other) => other.close(), () => undefined);
  while (await isTaken() !== undefined);
  hasty.kill("SIGTERM");
  assertEquals(await hasty.exit(), 1);
  await busy.closed;
});

Deno.test("serve leaves no process behind, whichever way it ends", async () => {
  for (const signals of [["SIGTERM"], ["SIGINT", "SIGINT"]] as Deno.Signal[][]) {
    await using server = serve(["--", Deno.execPath(), ...SCRIPTED]);
    await using socket = await JsonSocket.open(await server.url());
    const { result } = await socket.request("x/stubborn", {});
    for (const signal of signals) {
      server.kill(signal);
      await socket.closed;
    }
    await server.exit();
    await until(() => !isRunning(result.pid));
  }
});

Deno.test("serve prints its help and version, and exits with 0", async () => {
  await using help = new RunningCommand(MAIN, ["--help"], { permissions: [] });
  assertEquals(await help.exit(), 0);
  assertEquals(help.stdout.join("\n"), SERVE_HELP);
  await using version = new RunningCommand(MAIN, ["--version"], { permissions: [] });
  assertEquals(await version.exit(), 0);
  assertEquals(version.stdout, [config.version]);
});

Deno.test("serve refuses wrong arguments with one line and status 2", async () => {
  const table: [string[], string][] = [
    [["--nope"], "serve: Unknown option '--nope'. Try --help"],
    [
      ["--host", "0.0.0.0"],
      "serve: This host lets everybody who can reach it use the server: " +
      "add --auth to ask for a token, --allow-strangers if they may, or leave --host out. Try --help",
    ],
  ];
  for (const [args, line] of table) {
    await using server = new RunningCommand(MAIN, args, { permissions: [] });
    assertEquals(await server.exit(), 2);
    assertEquals([server.stdout, server.stderr], [[], [line]]);
  }
});

Deno.test("serve opens itself to strangers when it is told to", async () => {
  await using server = serve(["--host", "0.0.0.0", "--allow-strangers"], ["--allow-net=0.0.0.0"]);
  const { port } = new URL(await server.url());
  await using socket = await JsonSocket.open(`ws://127.0.0.1:${port}/mcp`);
  assert("result" in await socket.request("tools/list"));
});

Deno.test("serve lets in the web pages it was told, and no others", async () => {
  const origin = "https://app.example.com";
  await using server = serve(["--allow-origin", "https://a.example", "--allow-origin", origin]);
  const url = await server.url();
  await using _ = await JsonSocket.open(url, { headers: { origin } });
  const stranger = JsonSocket.open(url, { headers: { origin: "https://evil.example" } });
  assertStringIncludes(String(await stranger.catch((error) => error)), "403");
});

Deno.test("serve tells in one line why it cannot start, with status 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const table: [string[], string[], RegExp][] = [
    [["--port", `${port}`], ["-A"], new RegExp(`Cannot listen on 127.0.0.1:${port}: .*in use`)],
    [["--auth"], ["-A"], /--auth needs a token in the environment: set MCP_API_KEY$/],
    [["--port", "0"], [], /Cannot listen on 127.0.0.1:0: Requires net access/],
    [["--", "npx"], [NET], /Cannot run "npx" without permission: add --allow-run=npx$/],
    [["--cert", "/nope", "--key", "/nope"], ["-A"], /Cannot read the file of --cert: No such/],
    [["--module", "/nope.ts"], ["-A"], /Cannot load module "file:\/\/\/nope\.ts": /],
  ];
  for (const [args, permissions, pattern] of table) {
    await using server = new RunningCommand(MAIN, args, { permissions });
    assertEquals(await server.exit(), 1);
    assertEquals(server.stdout, []);
    assertEquals(server.stderr.length, 1);
    assertMatch(server.stderr[0] ?? "", pattern);
    assertMatch(server.stderr[0] ?? "", /^serve: /);
  }
});

Deno.test("serve --verbose tells why a request was refused", async () => {
  await using server = serve(["--verbose"]);
  const url = (await server.url()).replace("/mcp", "/nope");
  await JsonSocket.open(url).catch(() => {});
  await server.wrote(server.stderr, / DEBUG Request from 127\.0\.0\.1 refused with 404/);
});
