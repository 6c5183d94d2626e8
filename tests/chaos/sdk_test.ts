// deno-lint-ignore-file no-console -- figures are part of what this test tells
import { assert, assertEquals } from "@std/assert";
import type { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";
import { withSession } from "../../server/mod.ts";
import { type ClientKind, connectClient } from "../e2e/support/clients.ts";
import { createScene, text } from "../e2e/support/scene.ts";
import type { McpServerV1 } from "../e2e/support/sdk_v1.ts";
import { createV1Server } from "../e2e/support/sdk_v1_server.ts";
import { createV2Server } from "../e2e/support/sdk_v2_server.ts";
import { type Served, serveSessions } from "../e2e/support/serving.ts";
import { ChaosLink } from "../support/chaos_link.ts";
import { ExactlyOnce } from "./support/exactly_once.ts";
import { payload } from "./support/payload.ts";
import { stormyPlan } from "./support/storm.ts";

/** For each client. */
const CALLS = 600;
const CUTS = 30;
/** Calls of each client that are in flight at the same time. */
const LANES = 30;
const STEPS = [1, 2, 3];

const SCHEMA = { n: z.number(), text: z.string() };

type Work = (n: number, sent: string) => ReturnType<typeof text>;

/** Serves a tool that tells how far it has come. */
function serve(kind: "v1" | "v2", work: Work, failed: (error: Error) => void): Served {
  return serveSessions((session) => {
    if (kind === "v1") return createV1(work, failed).connect(session);
    const factory = withSession(() => createV2(work, failed), session);
    return void serveStdio(factory, { transport: session });
  });
}

function createV1(work: Work, failed: (error: Error) => void): McpServerV1 {
  const server = createV1Server(createScene());
  server.server.onerror = failed;
  server.registerTool("work", { inputSchema: SCHEMA }, async ({ n, text }, extra) => {
    const result = work(n, text);
    for (const progress of STEPS) {
      const params = { progressToken: extra._meta?.progressToken ?? "", progress };
      await extra.sendNotification({ method: "notifications/progress", params });
    }
    return result;
  });
  return server;
}

function createV2(work: Work, failed: (error: Error) => void): McpServer {
  const server = createV2Server(createScene());
  server.server.onerror = failed;
  const inputSchema = z.object(SCHEMA);
  server.registerTool("work", { inputSchema }, async ({ n, text }, { mcpReq }) => {
    const result = work(n, text);
    for (const progress of STEPS) {
      const params = { progressToken: mcpReq._meta?.progressToken ?? "", progress };
      await mcpReq.notify({ method: "notifications/progress", params });
    }
    return result;
  });
  return server;
}

function testPair(server: "v1" | "v2", client: ClientKind): void {
  Deno.test(`client "${client}" and SDK server "${server}" do not notice that their link is cut`, async () => {
    const errors: string[] = [];
    const handled = new ExactlyOnce(100_000);
    const work: Work = (n, sent) => {
      handled.note(n);
      return text(sent === payload(n) ? payload(n + 1) : "Not the request");
    };
    await using served = serve(server, work, ({ message }) => errors.push(`Server: ${message}`));
    let isCalm = false;
    const plan = stormyPlan(2);
    await using link = ChaosLink.open(Number(new URL(served.url).port), {
      plan: (index) => index === 0 || isCalm ? {} : plan(index),
    });
    let closed = 0;
    await using connected = await connectClient(client, link.url(), {
      onclose: () => closed++,
      // Dials that fail are told, but are nobody's concern.
      onerror: ({ message }) => {
        if (!/^(Connection lost|Cannot connect)/.test(message)) errors.push(message);
      },
    });

    let next = 0;
    const call = async () => {
      const n = next++;
      const seen: number[] = [];
      const onProgress = (progress: number) => seen.push(progress);
      const answer = await connected.call("work", { n, text: payload(n) }, { onProgress });
      if (answer !== payload(n + 1)) errors.push(`Not the answer to ${n}`);
      if (seen.join() !== STEPS.join()) errors.push(`Progress of ${n}: ${seen}`);
      if (n % 20 === 0 && await connected.call("ask") !== "Ada") errors.push(`Not asked: ${n}`);
    };
    link.cut();
    await Promise.all(Array.from({ length: LANES }, async () => {
      while (next < CALLS || link.stats.cuts < CUTS) await call();
    }));
    isCalm = true;

    console.log({ calls: next, cuts: link.stats.cuts });
    assertEquals([errors, closed, handled.wrong(next)], [[], 0, []]);
    assert(link.stats.cuts >= CUTS);
  });
}

testPair("v1", "v1");
testPair("v1", "v2");
testPair("v2", "v1");
testPair("v2", "v2, auto");
