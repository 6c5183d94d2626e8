/**
 * The MCP server that the scenario talks to, in a process of its own so that
 * it can be killed. Listens on the port of its first argument and prints it;
 * SIGTERM ends it in good order, and so does the end of its standard input.
 */

import { delay } from "@std/async";
import { MCPRpcError } from "../../protocol/mod.ts";
import { type HandlerContext, MCPWebSocketServer } from "../../server/mod.ts";

/** The arguments of a tool. */
type Arguments = Readonly<Record<string, unknown>>;

/** A tool: what it says about itself, and what it does. */
interface StageTool {
  readonly readOnly: boolean;
  call(args: Arguments, context: HandlerContext): unknown;
}

const started: string[] = [];
const aborted: string[] = [];
const notes: unknown[] = [];

const TOOLS: Readonly<Record<string, StageTool>> = {
  /** Gives back its text. */
  echo: { readOnly: true, call: ({ text }) => text },
  /** Counts, and tells how far it has come. */
  count: { readOnly: true, call: count },
  /** Holds until it is aborted. */
  hold: { readOnly: false, call: ({ key }, { signal }) => hold(String(key), signal) },
  /** Holds in one process, and tells the process in any other. */
  look: {
    readOnly: true,
    call: ({ key, pid }, { signal }) => pid === Deno.pid ? hold(String(key), signal) : "elsewhere",
  },
  /** Asks the client before it answers. */
  ask: {
    readOnly: false,
    call: async ({ question }, { session }) => {
      const { answer } = await session.request<{ answer: string }>("x/question", { question });
      return `The client says ${answer}`;
    },
  },
};

async function count({ to, pause }: Arguments, context: HandlerContext): Promise<string> {
  for (let n = 1; n <= Number(to); n++) {
    await delay(Number(pause), { signal: context.signal });
    context.progress(n, Number(to), `${n} of ${to}`);
  }
  return `Counted to ${to}`;
}

function hold(key: string, signal: AbortSignal): Promise<never> {
  started.push(key);
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => {
      aborted.push(key);
      reject(signal.reason);
    }, { once: true });
  });
}

const server = new MCPWebSocketServer({ name: "stage", version: "1.0.0" });
server.handle("tools/list", () => ({
  tools: Object.entries(TOOLS).map(([name, { readOnly }]) => ({
    name,
    inputSchema: { type: "object" },
    annotations: { readOnlyHint: readOnly },
  })),
}));
server.handle("tools/call", async ({ name, arguments: args = {} }, context) => {
  const tool = TOOLS[name];
  if (tool === undefined) throw new MCPRpcError(-32602, `Unknown tool: "${name}"`);
  return { content: [{ type: "text", text: String(await tool.call(args, context)) }] };
});
server.handle("x/journal", () => ({ pid: Deno.pid, started, aborted, notes }));
server.onNotification("x/note", ({ n }) => void notes.push(n));
server.handle("x/handshake", (_params, { session }) => {
  const headers = session.transport.request?.headers;
  return {
    authorization: headers?.get("authorization"),
    custom: headers?.get("x-custom"),
    protocols: headers?.get("sec-websocket-protocol"),
  };
});

const address = await server.start({ port: Number(Deno.args[0] ?? 0) });
Deno.addSignalListener("SIGTERM", async () => {
  await server.stop({ code: 1012, reason: "Restarting" });
  Deno.exit();
});
await Deno.stdout.write(new TextEncoder().encode(`${address.port}\n`));
for await (const _ of Deno.stdin.readable);
Deno.exit();
