import { bearerTokens } from "../../../server/auth/bearer.ts";
import type { AuthOptions } from "../../../server/auth/gate.ts";
import type { SessionListener } from "../../../server/handler.ts";
import type { WebSocketHandlerOptions } from "../../../server/options.ts";
import type { WebSocketServerTransport } from "../../../server/transport.ts";
import { serve, type Serving } from "../_serving.ts";

export const ADA = "ada-token-0123456789";
export const BOB = "bob-token-0123456789";

/** Lets Ada and Bob in. */
export const authenticate: AuthOptions["authenticate"] = bearerTokens({
  [ADA]: { id: "ada", scopes: ["tools"] },
  [BOB]: { id: "bob" },
});

/** Headers that show a token. */
export const showing = (token: string) => ({ "Authorization": `Bearer ${token}` });

/** Answers every request with whose it is. */
export const tellOwner: SessionListener = (session: WebSocketServerTransport) => {
  session.onmessage = (message, extra) => {
    if (!("method" in message) || !("id" in message)) return;
    const result = { principal: session.principal?.id, client: extra?.authInfo?.clientId };
    return session.send({ jsonrpc: "2.0", id: message.id, result });
  };
  return session.start();
};

/** Serves Ada and Bob alone. */
export function serveKnown(
  auth: Partial<AuthOptions> = {},
  options: WebSocketHandlerOptions = {},
): Serving {
  return serve(tellOwner, { auth: { authenticate, ...auth }, ...options });
}

/** The status of an answer to a plain GET or an upgrade. */
export async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(url.replace("ws:", "http:"), { headers });
  await response.body?.cancel();
  return response.status;
}
