import { serveStdio } from "@modelcontextprotocol/server/stdio";
import {
  createWebSocketHandler,
  type WebSocketHandlerOptions,
  type WebSocketServerTransport,
  withSession,
} from "../../../server/mod.ts";
import { createOwnServer } from "./own_server.ts";
import { type Scene, tap } from "./scene.ts";
import { createV1Server } from "./sdk_v1_server.ts";
import { createV2Server } from "./sdk_v2_server.ts";

/** What a server is made with. */
export type ServerKind = "own" | "v1" | "v2";

/** A server that listens. */
export interface Served extends AsyncDisposable {
  /** Where. */
  readonly url: string;
}

/** Serves a scene on the loopback interface. */
export async function serve(kind: ServerKind, scene: Scene, port = 0): Promise<Served> {
  if (kind !== "own") return serveSessions((session) => connectSdk(kind, session, scene), port);
  const server = createOwnServer(scene);
  const { url } = await server.start({ port });
  return { url, [Symbol.asyncDispose]: () => server.stop() };
}

/** Serves every connection with a function. */
export function serveSessions(
  onSession: (session: WebSocketServerTransport) => unknown,
  port = 0,
  handlerOptions: WebSocketHandlerOptions = {},
): Served {
  const handler = createWebSocketHandler(onSession, handlerOptions);
  const options = { port, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, handler.fetch);
  return {
    url: `ws://127.0.0.1:${server.addr.port}/mcp`,
    async [Symbol.asyncDispose]() {
      // Nobody is given the time to move.
      await handler.close({ timeout: 0 });
      await server.shutdown();
    },
  };
}

/** Connects a server of an SDK to a connection. */
async function connectSdk(
  kind: "v1" | "v2",
  session: WebSocketServerTransport,
  scene: Scene,
): Promise<void> {
  const transport = tap(session, scene.journal);
  if (kind === "v1") return await createV1Server(scene).connect(transport);
  serveStdio(withSession(() => createV2Server(scene), session), { transport });
}
