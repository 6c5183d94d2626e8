/**
 * A stdio MCP server that does what its clients ask for, good or bad. Its
 * requests have the same ids in every process: if anything crossed, it would show.
 *
 * @module
 */

import { parseMessage } from "../../protocol/jsonrpc.ts";
import type { JsonRpcMessage, JsonRpcParams, JsonRpcRequest } from "../../protocol/jsonrpc.ts";
import { LineSplitter, readLines } from "../../protocol/line_splitter.ts";

const encoder = new TextEncoder();
const answers = new Map<unknown, (result: unknown) => void>();
let isStubborn = false;
let isDeaf = false;
let asked = 0;

function writeLine(line: string): void {
  let rest = encoder.encode(`${line}\n`);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

function write(message: object): void {
  writeLine(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

const METHODS: Record<string, (params: JsonRpcParams, request: JsonRpcRequest) => unknown> = {
  "initialize": ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: "scripted", version: "1.0.0" },
  }),
  "tools/list": () => ({ tools: [{ name: "any", inputSchema: { type: "object" } }] }),
  "x/echo": (params, { id }) => ({ params, id, pid: Deno.pid, stop: Deno.env.get("SCRIPTED") }),
  "x/environment": ({ name }) => ({ value: Deno.env.get(String(name)) }),
  async "x/work"({ steps, tag, _meta }) {
    const { progressToken } = _meta as { progressToken: unknown };
    for (let progress = 1; progress <= Number(steps); progress++) {
      const params = { progressToken, progress, message: String(tag) };
      write({ method: "notifications/progress", params });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return { tag };
  },
  async "x/ask"({ tag }) {
    const id = `ask-${++asked}`;
    const answer = new Promise((resolve) => answers.set(id, resolve));
    const content = { type: "text", text: tag };
    const params = { messages: [{ role: "user", content }], maxTokens: 1 };
    write({ id, method: "sampling/createMessage", params });
    return { tag, answer: await answer };
  },
  "x/hang": () => new Promise(() => {}),
  "x/later": async ({ ms }) => {
    await new Promise((resolve) => setTimeout(resolve, Number(ms)));
    return { ms };
  },
  "x/log": ({ text }) => {
    Deno.stderr.writeSync(encoder.encode(`${text}\n`));
    return {};
  },
  "x/garbage": ({ size }) => {
    writeLine("Server is ready!");
    writeLine(`"${"x".repeat(Number(size))}"`);
    writeLine("");
    writeLine('{"jsonrpc":"2.0","id":1.5,"result":{}}');
    return {};
  },
  "x/flood": async ({ count, size }) => {
    const text = "x".repeat(Number(size));
    for (let n = 1; n <= Number(count); n++) {
      write({ method: "x/flood", params: { n, text } });
      if (n % 100 === 0) Deno.stderr.writeSync(encoder.encode(`flood ${n}\n`));
      await Promise.resolve();
    }
    return {};
  },
  "x/stubborn": () => {
    isStubborn = true;
    Deno.addSignalListener("SIGTERM", () => {});
    setInterval(() => {}, 1_000);
    return { pid: Deno.pid };
  },
  "x/deaf": () => {
    isDeaf = true;
    return {};
  },
  "x/exit": ({ code, last }) => {
    if (last !== undefined) write({ method: "x/last", params: { last } });
    Deno.exit(Number(code));
  },
};

async function answer(request: JsonRpcRequest): Promise<void> {
  const { id, method, params = {} } = request;
  const handler = METHODS[method];
  if (handler === undefined) return write({ id, error: { code: -32601, message: method } });
  write({ id, result: await handler(params, request) });
}

function receive(message: JsonRpcMessage): void {
  if (!("method" in message)) {
    const { id } = message;
    answers.get(id)?.("result" in message ? message.result : message.error);
  } else if ("id" in message && message.id !== undefined) answer(message);
  else if (message.method === "notifications/cancelled") {
    write({ method: "x/cancelled", params: message.params });
  }
}

if (import.meta.main) {
  const splitter = new LineSplitter(64 * 1024 * 1024, () => {});
  for await (const line of readLines(Deno.stdin.readable.getReader(), splitter)) {
    receive(parseMessage(line));
    if (isDeaf) await new Promise(() => setInterval(() => {}, 1_000));
  }
  if (!isStubborn) Deno.exit(0);
}
