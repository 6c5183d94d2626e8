import type { WebSocketServerTransport } from "../../../server/mod.ts";

/** Answers every request with its own method. */
export default async function serve(session: WebSocketServerTransport): Promise<void> {
  session.onmessage = (message) => {
    if (!("method" in message) || !("id" in message) || message.id === undefined) return;
    session.post({ jsonrpc: "2.0", id: message.id, result: { method: message.method } });
  };
  await session.start();
}
