import { assert, assertEquals, assertRejects } from "@std/assert";
import { MCPWebSocketClient } from "../../client/client.ts";
import type { TokenVia, WebSocketClientOptions } from "../../client/options.ts";
import { recordLog } from "../support/recorded_log.ts";
import {
  LEGACY_RESULT,
  playLegacy,
  ScriptedServer,
  type Visit,
} from "../support/scripted_server.ts";
import { SessionServer } from "../support/session_server.ts";
import { until } from "../support/until.ts";

const CANARY = "canary/7f3a+0b9c";
/** What the canary looks like in a subprotocol and in a URL. */
const DISGUISES = [btoa(CANARY), btoa(CANARY).replaceAll("=", ""), encodeURIComponent(CANARY)];
const VIAS: readonly TokenVia[] = ["auto", "header", "subprotocol", "message", "ticket"];

/** Everything that a program can be shown of a value. */
function show(value: unknown): string {
  const all = Number.MAX_SAFE_INTEGER;
  const text = Deno.inspect(value, { depth: 20, showHidden: true, strAbbreviateSize: all });
  return `${text} ${JSON.stringify(value)} ${String(value)}`;
}

/** A client, and all that it tells to whoever wants to know. */
class Confidant implements AsyncDisposable {
  readonly told: string[] = [];
  readonly client: MCPWebSocketClient;
  readonly #lines: readonly string[];

  constructor(url: string, options: WebSocketClientOptions) {
    const { logger, lines } = recordLog();
    this.#lines = lines;
    const note = (value: unknown) => void this.told.push(show(value));
    this.client = new MCPWebSocketClient(url, {
      reconnect: { attempts: 2, minDelay: 1, maxDelay: 1, immediate: [] },
      hooks: { onDial: note, onMessage: note },
      logger,
      connectTimeout: 2_000,
      probeTimeout: 2_000,
      ...options,
    });
    const types = [
      "error",
      "lost",
      "statechange",
      "recovered",
      "sessionlost",
      "heartbeat",
    ] as const;
    for (const type of types) this.client.addEventListener(type, ({ detail }) => note(detail));
  }

  /** Does something that may fail, and hears how. */
  async try(act: () => Promise<unknown>): Promise<void> {
    await act().catch((error) => this.told.push(show(error), String(error?.stack)));
  }

  /** Fails if it told the secret, in whatever form. */
  async check(where: string): Promise<void> {
    const { client } = this;
    const report = await client.healthCheck({ timeout: 500 });
    const { transport, state } = client;
    const texts = [
      ...this.told,
      ...this.#lines,
      ...[client, transport, state, client.getStats(), report].map(show),
    ];
    for (const secret of [CANARY, ...DISGUISES]) {
      for (const text of texts) assert(!text.includes(secret), `${where}: ${text}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.disconnect();
  }
}

/** What a server may do with a token; it hears it and repeats it nowhere. */
const SERVERS: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
  "lets in": (visit) => playLegacy(visit),
  "answers 401": (visit) => visit.refuse(401),
  "answers 403": (visit) => visit.refuse(403),
  "closes with 4401": async (visit) => {
    await visit.accept();
    await visit.close(4401, "expired");
  },
  "hangs up": async (visit) => {
    await visit.readRequest();
  },
  "echoes the subprotocol": async (visit) => {
    await visit.readRequest();
    const offered = visit.header("sec-websocket-protocol")?.split(", ") ?? [];
    const echo = offered.find((entry) => entry.startsWith("mcp.auth."));
    if (echo === undefined) return await visit.refuse(404);
    await visit.accept(echo);
    await visit.end();
  },
  "repeats what it hears": async (visit) => {
    await visit.accept();
    for (;;) {
      const heard = await visit.next();
      const { id, method } = heard;
      // MCP opens with any answer; only what is asked in private is repeated.
      if (method === "initialize") await visit.answer(heard, LEGACY_RESULT);
      else if (id !== undefined) {
        const message = JSON.stringify(heard);
        await visit.send({ id, error: { code: -32_001, message, data: heard } });
      }
    }
  },
};

for (const tokenVia of VIAS) {
  Deno.test(`tokenVia: "${tokenVia}" leaves the token in nothing that is told`, async () => {
    for (const [name, script] of Object.entries(SERVERS)) {
      await using server = new ScriptedServer(script);
      const options: WebSocketClientOptions = { token: () => CANARY, tokenVia };
      await using it = new Confidant(server.url, options);
      await it.try(() => it.client.connect());
      if (it.client.isConnected) await it.try(() => it.client.authenticate());
      await it.check(name);
      assert(server.visits > 0, name);
    }
  });

  Deno.test(`tokenVia: "${tokenVia}" tells no token that was never sent`, async () => {
    const failed = new Error("no network");
    const providers: readonly (() => Promise<string>)[] = [
      () => Promise.resolve(`${CANARY}\nx`),
      () => Promise.resolve(`${CANARY}\u2713`),
      () => Promise.reject(failed),
    ];
    for (const token of providers) {
      await using server = new ScriptedServer((visit) => visit.end());
      await using it = new Confidant(server.url, { token, tokenVia });
      await it.try(() => it.client.connect());
      await it.check("malformed");
      assert(it.told.some((text) => text.includes("Cannot gather credentials")));
      assertEquals(server.visits, 0);
    }
  });

  Deno.test(`tokenVia: "${tokenVia}" tells no token where nobody listens, or the policy refuses`, async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const resolveName = () => Promise.resolve(["169.254.169.254"]);
    for (const host of ["127.0.0.1", "localhost"]) {
      await using it = new Confidant(`ws://${host}:${port}/?secret=${encodeURIComponent(CANARY)}`, {
        token: () => CANARY,
        tokenVia,
        urlPolicy: { resolveName },
      });
      await it.try(() => it.client.connect());
      await it.check(host);
    }
  });
}

Deno.test("a session tells no token, whether it is opened, refused or renewed", async () => {
  await using server = new SessionServer(async (visit) => {
    if (visit.number > 1) {
      await visit.greet();
      await visit.say("end", { code: 4401, reason: "expired" });
      return await visit.visit.end();
    }
    await visit.open();
    await visit.play((message) => message.method === "tools/call" ? visit.close(4401) : undefined);
  });
  await using it = new Confidant(server.url, { token: () => CANARY, tokenVia: "message" });
  await it.client.connect();
  await it.client.authenticate();
  await it.check("open");
  await assertRejects(() => it.client.request("tools/call", { name: "expire" }));
  await until(() => it.client.state.status === "failed");
  await it.check("refused");
});
