import { assertEquals, assertThrows } from "@std/assert";
import { MCPError } from "../../protocol/errors.ts";
import { Listener } from "../../server/listener.ts";
import { Reporter } from "../../server/reporter.ts";
import { JsonSocket } from "../support/json_socket.ts";
import { RawSocket, UPGRADE_HEADERS } from "../support/raw_socket.ts";
import { until } from "./_serving.ts";

const HERE = { hostname: "127.0.0.1", port: 0, cert: undefined, key: undefined };

/** Sends an upgrade that is never answered. */
async function botchUpgrade(port: number): Promise<void> {
  using socket = await RawSocket.connect(port);
  const lines = Object.entries(UPGRADE_HEADERS).map(([name, value]) => `${name}: ${value}`);
  await socket.write(["GET / HTTP/1.1", ...lines, "", ""].join("\r\n"));
}

Deno.test("Listener throws when it cannot listen", async () => {
  const reporter = new Reporter(undefined, undefined);
  const listener = new Listener(() => new Response(), HERE, reporter);
  const { port } = listener;
  assertThrows(
    () => new Listener(() => new Response(), { ...HERE, port }, reporter),
    MCPError,
    `Cannot listen on 127.0.0.1:${port}`,
  );
  await listener.close();
});

// Deno never completes an upgrade whose response it did not get.
Deno.test("Listener listens again on its port after Deno has stopped listening", {
  sanitizeOps: false,
}, async () => {
  const lines: string[] = [];
  const log = (text: string) => lines.push(text);
  const reporter = new Reporter({ debug: log, info: log, warn: log, error: log }, undefined);
  // An upgrade whose response is not returned makes Deno's server end.
  const listener = new Listener(
    (request) => {
      if (request.headers.has("Upgrade")) Deno.upgradeWebSocket(request);
      return new Response("ok");
    },
    HERE,
    reporter,
  );
  const origin = `127.0.0.1:${listener.port}`;
  await botchUpgrade(listener.port);
  await until(() => lines.length === 2);
  assertEquals(lines, [
    "Listening ended by itself",
    `Listening again on port ${listener.port}`,
  ]);
  assertEquals(await (await fetch(`http://${origin}/`)).text(), "ok");
  await listener.close();
});

// Deno never completes an upgrade whose response it did not get.
Deno.test("Listener goes on trying while its port is taken, until it is closed", {
  sanitizeOps: false,
}, async () => {
  const errors: Error[] = [];
  const reporter = new Reporter(undefined, (error) => errors.push(error));
  const listener = new Listener(
    (request) => {
      if (request.headers.has("Upgrade")) Deno.upgradeWebSocket(request);
      return new Response("ok");
    },
    HERE,
    reporter,
  );
  const { port } = listener;
  await botchUpgrade(port);
  let squatter: Deno.Listener | undefined;
  await until(() => {
    try {
      squatter ??= Deno.listen({ hostname: "127.0.0.1", port });
    } catch {
      // Not free yet.
    }
    return errors.length > 0;
  });
  assertEquals(errors[0] instanceof MCPError, true);
  squatter?.close();
  await listener.close();
});

Deno.test("Listener.close() may be called twice", async () => {
  const listener = new Listener(() => new Response(), HERE, new Reporter(undefined, undefined));
  await Promise.all([listener.close(), listener.close()]);
  await listener.closed;
});

Deno.test({
  name: "Listener survives running out of file descriptors",
  ignore: Deno.build.os === "windows",
  async fn() {
    const script = new URL("./_crowded_server.ts", import.meta.url).pathname;
    const command = new Deno.Command("sh", {
      args: ["-c", `ulimit -n 64 && exec "$0" run -A "$1"`, Deno.execPath(), script],
      stdout: "piped",
    });
    await using child = command.spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let seen = "";
    const read = async (pattern: RegExp) => {
      while (!pattern.test(seen)) {
        const { value, done } = await output.read();
        if (done) throw new Error(`The server has ended: ${seen}`);
        seen += value;
      }
      return pattern.exec(seen)?.[1] ?? "";
    };
    const port = Number(await read(/port (\d+)/));
    const veteran = await JsonSocket.open(`ws://127.0.0.1:${port}/mcp`);
    const crowd: Deno.TcpConn[] = [];
    for (let i = 0; i < 80; i++) {
      try {
        crowd.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      } catch {
        break;
      }
    }
    await read(/(Listening failed)/);
    assertEquals((await veteran.request("ping")).result, {});
    for (const connection of crowd) connection.close();
    await read(/(Listening again on port)/);
    let newcomer: JsonSocket | undefined;
    while (newcomer === undefined) {
      newcomer = await JsonSocket.open(`ws://127.0.0.1:${port}/mcp`).catch(() => undefined);
    }
    assertEquals((await newcomer.request("ping")).result, {});
    await newcomer.close();
    await veteran.close();
    child.kill("SIGKILL");
    await output.cancel();
  },
});
