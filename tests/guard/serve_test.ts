import { assert, assertEquals, assertMatch } from "@std/assert";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { parseServeArgs } from "../../server/serve_options.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { RunningCommand } from "../support/running_command.ts";

const MAIN = "server/main.ts";
const TLS = new URL("../support/tls/", import.meta.url).pathname;
const MODULES = new URL("../support/modules/", import.meta.url).pathname;

/** The guard refuses ambiguous heads by itself; Deno's own server says nothing in them. */
async function isGuarded(url: string): Promise<boolean> {
  using socket = await RawSocket.connect(Number(new URL(url).port));
  await socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  return (await socket.readHead()).status === 413;
}

Deno.test("parseServeArgs() reads --guard", () => {
  for (const [args, isGuarded] of [[[], false], [["--guard"], true]] as const) {
    const command = parseServeArgs(args);
    assert(command.type === "serve");
    assertEquals(command.options.isGuarded, isGuarded);
  }
});

for (const permissions of [["-A"], ["--allow-net=127.0.0.1"]]) {
  Deno.test(`serve --guard serves and stops with ${permissions}`, async () => {
    await using server = new RunningCommand(MAIN, ["--port", "0", "--guard"], { permissions });
    const url = await server.url();
    await using client = new MCPWebSocketClient(url);
    await client.connect();
    const call = { name: "add", arguments: { a: 1, b: 2 } };
    assertEquals((await client.request("tools/call", call)).content[0]?.text, "3");
    assertEquals(await isGuarded(url), true);
    await client.disconnect();
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
  });
}

Deno.test("serve stands no guard before its listener unless it is told to", async () => {
  await using server = new RunningCommand(MAIN, ["--port", "0"]);
  assertEquals(await isGuarded(await server.url()), false);
});

Deno.test("serve --guard encrypts with --cert and --key", async () => {
  const [cert, key] = [`${TLS}server_cert.pem`, `${TLS}server_key.pem`];
  await using server = new RunningCommand(
    MAIN,
    ["--port", "0", "--guard", "--cert", cert, "--key", key],
    { permissions: ["--allow-net=127.0.0.1", `--allow-read=${cert},${key}`] },
  );
  const url = new URL(await server.url());
  assertEquals(url.protocol, "wss:");
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(`${TLS}ca_cert.pem`)] });
  const response = await fetch(`https://127.0.0.1:${url.port}/healthz`, { client });
  assertEquals((await response.json()).status, "ok");
});

Deno.test("serve --guard refuses a module whose server has its own listener", async () => {
  const args = ["--port", "0", "--guard", "--module", `${MODULES}server.ts`];
  await using server = new RunningCommand(MAIN, args);
  assertEquals(await server.exit(), 1);
  assertMatch(server.stderr.join("\n"), /--guard or --metrics: its server has its own/);
});
