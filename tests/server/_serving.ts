import type { JsonRpcMessage } from "../../protocol/jsonrpc.ts";
import type { Clock } from "../../protocol/clock.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { createWebSocketHandler, type WebSocketHandlerOptions } from "../../server/mod.ts";
import type { SessionListener, WebSocketHandler } from "../../server/mod.ts";
import type { WebSocketServerTransport } from "../../server/mod.ts";

/** A handler behind a listener, on a port of its own. */
export interface Serving extends AsyncDisposable {
  readonly handler: WebSocketHandler;
  readonly port: number;
  readonly url: string;
  /** Whether the listener still listens; Deno stops it when an upgrade is botched. */
  readonly isListening: () => Promise<boolean>;
}

export function serve(
  onSession: SessionListener = echo,
  options: WebSocketHandlerOptions = {},
): Serving {
  const handler = createWebSocketHandler(onSession, options);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    handler.fetch,
  );
  const { port } = server.addr;
  return {
    handler,
    port,
    url: `ws://127.0.0.1:${port}/mcp`,
    async isListening() {
      const response = await fetch(`http://127.0.0.1:${port}/nowhere`);
      await response.body?.cancel();
      return response.status === 404;
    },
    async [Symbol.asyncDispose]() {
      await passTime(options.clock, handler.close({ timeout: 0 }));
      await server.shutdown();
    },
  };
}

/** Waits; where time stands still, it is moved until what is waited for has come. */
export async function passTime(clock: Clock | undefined, awaited: Promise<unknown>): Promise<void> {
  let isDone = false;
  const done = awaited.finally(() => isDone = true);
  while (clock instanceof ManualClock && !isDone) {
    clock.advance(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
}

/** The notification number `i` of a test. */
export function note(i: number): JsonRpcMessage {
  return { jsonrpc: "2.0", method: "note", params: { i } };
}

/** Sessions of a handler, as they were opened; each echoes. */
export function collectSessions(): {
  sessions: WebSocketServerTransport[];
  onSession: SessionListener;
} {
  const sessions: WebSocketServerTransport[] = [];
  const onSession = (session: WebSocketServerTransport) => {
    sessions.push(session);
    return echo(session);
  };
  return { sessions, onSession };
}

/** Answers every request with its own parameters. */
export async function echo(session: WebSocketServerTransport): Promise<void> {
  session.onmessage = (message) => {
    if (!("method" in message) || !("id" in message) || message.id === undefined) return;
    session.post({ jsonrpc: "2.0", id: message.id, result: message.params ?? {} });
  };
  await session.start();
}

/** Resolves as soon as the condition holds; for what has no event. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
