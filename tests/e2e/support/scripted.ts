import type { JsonRpcMessage, RequestId, WebSocketServerTransport } from "../../../server/mod.ts";
import type { Journal } from "./scene.ts";
import type { SessionOptions } from "../../../server/mod.ts";
import { type Served, serveSessions } from "./serving.ts";

/** Answers a request of a scripted server; without a result there is no answer. */
export type Answer = (
  params: Record<string, unknown>,
  session: WebSocketServerTransport,
  id: RequestId,
) => Record<string, unknown> | void;

/** Answers to methods. */
export type Script = { readonly [method: string]: Answer };

/**
 * A server that answers as it is told, and stays silent otherwise. Connections,
 * methods and answers are written to the journal.
 */
export function serveScript(
  script: Script,
  journal: Journal,
  port = 0,
  session: SessionOptions = {},
): Served {
  return serveSessions(
    (session) => {
      journal.write("opened");
      session.onmessage = (message) => answer(message, script, journal, session);
      return session.start();
    },
    port,
    { session },
  );
}

function answer(
  message: JsonRpcMessage,
  script: Script,
  journal: Journal,
  session: WebSocketServerTransport,
): void {
  if (!("method" in message)) return journal.write(`answer ${JSON.stringify(message)}`);
  const { method, params = {} } = message;
  const id = "id" in message ? message.id : undefined;
  journal.write(`got ${method}`);
  // Who does not answer a ping is dead: silence is for everything else.
  const result = method === "ping" ? {} : script[method]?.(params, session, id ?? "");
  if (result !== undefined && id !== undefined) session.post({ jsonrpc: "2.0", id, result });
}

/** Answers `initialize` like a server of the given revision. */
export function initializing(
  capabilities: Record<string, unknown> = { tools: {} },
  protocolVersion = "2025-11-25",
): Answer {
  return () => ({
    protocolVersion,
    capabilities,
    serverInfo: { name: "scripted", version: "1.0.0" },
  });
}
