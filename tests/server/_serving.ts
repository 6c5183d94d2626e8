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
      await handler.close({ timeout: 0 });
      await server.shutdown();
    },
  };
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
