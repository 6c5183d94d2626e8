import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPWebSocketClient } from "../../client/mod.ts";
import { MCPError } from "../../protocol/errors.ts";
import { parseServeArgs } from "../../server/serve_options.ts";
import { createService, type Service } from "../../server/service.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { type RecordedLog, recordLog } from "../support/recorded_log.ts";
import { denoArgs, isRunning } from "../support/running_command.ts";
import { until } from "../support/until.ts";

const pathOf = (name: string) => new URL(`../support/modules/${name}`, import.meta.url).pathname;
const SCRIPTED = [Deno.execPath(), ...denoArgs("tests/support/stdio_server.ts")];

/** As `server/main.ts` does it. */
async function create(args: readonly string[], log: RecordedLog = recordLog()): Promise<Service> {
  const command = parseServeArgs(args);
  assert(command.type === "serve");
  return await createService(command.target, command.options, log.logger, "1.2.3");
}

Deno.test("createService() serves the demo", async () => {
  const service = await create(["--path", "/demo", "--max-connections", "1"]);
  const { url } = await service.start({ port: 0 });
  assertEquals(new URL(url).pathname, "/demo");
  await using client = new MCPWebSocketClient(url);
  await client.connect();
  assertEquals(client.serverInfo?.version, "1.2.3");
  await assertRejects(() => JsonSocket.open(url), Error, "503");
  await client.disconnect();
  await service.stop({});
});

Deno.test("createService() serves a command, and kills what it has started", async () => {
  const service = await create(["--", ...SCRIPTED]);
  const { url } = await service.start({ port: 0 });
  await using socket = await JsonSocket.open(url);
  const { result } = await socket.request("x/stubborn", {});
  service.kill?.();
  await until(() => !isRunning(result.pid));
  assertEquals((await socket.closed).code, 1011);
  await service.stop({});
});

Deno.test("createService() serves a module's function", async () => {
  const service = await create(["--module", pathOf("factory.ts"), "--path", "/x"]);
  const { url } = await service.start({ port: 0 });
  await using socket = await JsonSocket.open(url);
  assertEquals((await socket.request("any")).result, { method: "any" });
  await service.stop({ code: 1012 });
  assertEquals((await socket.closed).code, 1012);
});

Deno.test("createService() serves a module's server, whose own options hold", async () => {
  const service = await create(["--module", pathOf("server.ts")]);
  const { url } = await service.start({ port: 0 });
  assertEquals(new URL(url).pathname, "/own");
  await using client = new MCPWebSocketClient(url);
  await client.connect();
  assertEquals(client.serverInfo?.name, "module");
  await client.disconnect();
  await service.stop({});
});

Deno.test("createService() refuses modules that it cannot serve", async () => {
  const table: [string[], string][] = [
    [[pathOf("neither.ts")], "its default export must be a function or an MCPWebSocketServer"],
    [[pathOf("missing.ts")], "Cannot load module"],
    [["data:text/javascript,throw 1"], "Cannot load module"],
    [[pathOf("server.ts"), "--path", "/x"], "its server has its own"],
    [[pathOf("server.ts"), "--metrics"], "its server has its own"],
  ];
  for (const [args, message] of table) {
    await assertRejects(() => create(["--module", ...args]), MCPError, message);
  }
});

Deno.test("createService() answers health checks, and metrics if it is told to", async () => {
  const table: [string[], here: number, forwarded: number][] = [
    [[], 404, 404],
    [["--metrics"], 200, 403],
    [["--public-metrics"], 200, 200],
  ];
  for (const [args, here, forwarded] of table) {
    const service = await create(args);
    const { port } = await service.start({ port: 0 });
    const statusOf = async (path: string, headers: HeadersInit = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    assertEquals([await statusOf("/healthz"), await statusOf("/readyz")], [200, 200]);
    assertEquals(await statusOf("/metrics"), here);
    assertEquals(await statusOf("/metrics", { "X-Forwarded-For": "203.0.113.7" }), forwarded);
    assertEquals(await statusOf("/healthz", { "Origin": "https://evil.example" }), 403);
    await service.stop({});
  }
});

Deno.test("createService() tells why it cannot listen", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const service = await create([]);
  await assertRejects(
    () => service.start({ port }),
    MCPError,
    `Cannot listen on 127.0.0.1:${port}`,
  );
  await service.stop({});
});
