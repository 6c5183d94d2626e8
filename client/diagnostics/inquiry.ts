import { endpointName } from "./words.ts";

/** What a server answers to a plain request. */
export interface HttpAnswer {
  /** The status. */
  readonly status: number;
  /** Where it says to go instead, without the query. */
  readonly location: string | undefined;
  /** When to come back, in seconds. */
  readonly retryAfter: number | undefined;
}

/** What to ask with. */
export interface InquiryOptions {
  /** The headers of the dial. */
  readonly headers: Headers;
  /** A `Deno.HttpClient`, where there is one. */
  readonly httpClient: unknown;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** RFC 9110, 10.2.3; the date that it may be, too, is left to the reader. */
const SECONDS_REGEXP = /^\d{1,6}$/;

/**
 * Asks for the endpoint like a web page: WebSockets tell little about why an
 * upgrade was refused, and most runtimes not even the status.
 *
 * @param url The WebSocket URL.
 * @param options What to ask with.
 * @returns The answer; `undefined` if there is none, or it may not be seen.
 */
export async function inquire(
  url: string,
  options: InquiryOptions,
): Promise<HttpAnswer | undefined> {
  const { headers, httpClient, signal } = options;
  const init = { headers: new Headers(headers), redirect: "manual", signal } as const;
  // No connection is to stay behind; browsers ignore it.
  init.headers.set("connection", "close");
  // The DOM's types know no client.
  const request = httpClient === undefined ? init : { ...init, client: httpClient };
  try {
    const response = await fetch(url.replace(/^ws/, "http"), request);
    await response.body?.cancel();
    // What a browser hides has status 0.
    return response.status === 0 ? undefined : readAnswer(response, url);
  } catch {
    return undefined;
  }
}

function readAnswer({ status, headers }: Response, url: string): HttpAnswer {
  const location = URL.parse(headers.get("location") ?? "", url.replace(/^ws/, "http"));
  const retryAfter = headers.get("retry-after") ?? "";
  return {
    status,
    location: headers.has("location") && location !== null
      ? endpointName(location).replace(/^http/, "ws")
      : undefined,
    retryAfter: SECONDS_REGEXP.test(retryAfter) ? Number(retryAfter) : undefined,
  };
}
