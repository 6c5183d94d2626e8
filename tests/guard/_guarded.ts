import { createWebSocketHandler, type SessionListener } from "../../server/mod.ts";
import type { WebSocketHandler, WebSocketHandlerOptions } from "../../server/mod.ts";
import { type Guard, type GuardOptions, startGuard } from "../../guard/mod.ts";
import { echo } from "../server/_serving.ts";

/** A handler behind a guard. */
export interface Guarded extends AsyncDisposable {
  readonly handler: WebSocketHandler;
  readonly guard: Guard;
  readonly port: number;
  readonly url: string;
}

/** Serves an echo behind a guard, on a port of its own. */
export function serveGuarded(
  options: GuardOptions = {},
  handlerOptions: WebSocketHandlerOptions = {},
  onSession: SessionListener = echo,
): Guarded {
  const handler = createWebSocketHandler(onSession, handlerOptions);
  const guard = startGuard({ port: 0, ...options }, handler.fetch);
  const scheme = options.cert === undefined ? "ws" : "wss";
  return {
    handler,
    guard,
    port: guard.port,
    url: `${scheme}://127.0.0.1:${guard.port}/mcp`,
    async [Symbol.asyncDispose]() {
      await handler.close({ timeout: 0 });
      await guard.close();
    },
  };
}
