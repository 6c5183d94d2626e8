/** The head of the server's answer. */
export interface ResponseHead {
  /** Whether the connection is a WebSocket from now on. */
  readonly isUpgraded: boolean;
  /** What the client gets. */
  readonly text: string;
}

/** What the refusals of the guard are called. */
const STATUS_TEXTS: ReadonlyMap<number, string> = new Map([
  [400, "Bad Request"],
  [408, "Request Timeout"],
  [413, "Content Too Large"],
  [431, "Request Header Fields Too Large"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
]);
/** When to come back, in seconds. */
const RETRY_AFTER = 5;

/**
 * Reads the head of the server's answer.
 *
 * @param text The head, a character for each byte, without the empty line.
 * @param isUpgrade Whether the request asked for a WebSocket.
 * @returns What it means.
 */
export function readResponseHead(text: string, isUpgrade: boolean): ResponseHead {
  const isUpgraded = isUpgrade && /^HTTP\/1\.1 101 /.test(text);
  // The guard has asked for "close"; some clients take an answer that repeats it for no upgrade.
  const told = isUpgraded ? text.replace(/\r\nconnection: close(?=\r\n|$)/i, "") : text;
  return { isUpgraded, text: `${told}\r\n\r\n` };
}

/**
 * An answer of the guard's own, after which it hangs up.
 *
 * @param status The HTTP status.
 * @param reason Why, in words fit for the client.
 * @returns The whole answer.
 */
export function refusalText(status: number, reason: string): string {
  const body = `${reason}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXTS.get(status) ?? "Refused"}`,
    "Content-Type: text/plain",
    `Content-Length: ${body.length}`,
    "Connection: close",
    ...(status >= 500 ? [`Retry-After: ${RETRY_AFTER}`] : []),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
