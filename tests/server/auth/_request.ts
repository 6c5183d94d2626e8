import type { RequestSnapshot } from "../../../server/request.ts";

/** An upgrade request with these headers and this query. */
export function requestWith(
  headers: Readonly<Record<string, string>> = {},
  query = "",
): RequestSnapshot {
  return {
    method: "GET",
    url: `http://127.0.0.1:8787/mcp${query}`,
    path: "/mcp",
    headers: new Headers(headers),
    remoteAddress: "127.0.0.1",
  };
}
