/** A request head that may be forwarded. */
export interface RequestHead {
  /** Says that it may. */
  readonly type: "forward";
  /** Whether it asks for a WebSocket. */
  readonly isUpgrade: boolean;
  /** The request line and the headers, without those that only concern one hop. */
  readonly lines: readonly string[];
}

/** A request that is answered at the door. */
export interface HeadRefusal {
  /** Says that it is. */
  readonly type: "refuse";
  /** The HTTP status. */
  readonly status: number;
  /** Why, in words fit for the client. */
  readonly reason: string;
}

/** The header in which the guard tells the server, by number, whose connection it is. */
export const TICKET_HEADER = "Bowline-Guard";

/** RFC 9110, 5.6.2 and RFC 9112, 3. */
const REQUEST_LINE_REGEXP = /^[!#$%&'*+.^_`|~\w-]+ [\x21-\x7e\x80-\xff]+ HTTP\/1\.[01]$/;
/** No space before the colon, no folding, no control characters (RFC 9112, 5). */
const HEADER_REGEXP = /^([!#$%&'*+.^_`|~\w-]+):([\t\x20-\x7e\x80-\xff]*)$/;
/** Deno's server refuses what has more. */
const MAX_HEADERS = 100;
/** Replaced by what the guard says itself. */
const OWN_HEADERS: readonly string[] = ["connection", "keep-alive", TICKET_HEADER.toLowerCase()];

/**
 * Reads the head of a request, as strictly as the RFC allows: what two readers
 * could understand in two ways is refused, so that guard and server agree
 * where every request ends.
 *
 * @param text The head, a character for each byte, without the empty line.
 * @returns The head, or why it is refused.
 */
export function readRequestHead(text: string): RequestHead | HeadRefusal {
  const [line = "", ...fields] = text.split("\r\n");
  if (!REQUEST_LINE_REGEXP.test(line)) return refuse(400, "The request line cannot be read");
  if (fields.length > MAX_HEADERS) return refuse(431, "There are too many headers");
  let isUpgrade = false;
  const lines = [line];
  for (const field of fields) {
    const [, name = "", value = ""] = HEADER_REGEXP.exec(field) ?? [];
    const header = name.toLowerCase();
    if (name === "") return refuse(400, "A header cannot be read");
    if (hasBody(header, value)) return refuse(413, "No request with a body is taken");
    if (header === "upgrade") isUpgrade ||= /(?:^|,)\s*websocket\s*(?:,|$)/i.test(value);
    if (!OWN_HEADERS.includes(header)) lines.push(field);
  }
  return { type: "forward", isUpgrade, lines };
}

/**
 * What the server gets. It is told that the connection ends with its answer,
 * so that nobody can put a second request behind the first; for a WebSocket
 * this means nothing.
 *
 * @param head The head that came.
 * @param ticket Whose connection it is.
 * @returns The head to forward.
 */
export function forwardedHead({ lines, isUpgrade }: RequestHead, ticket: string): string {
  const connection = isUpgrade ? "Upgrade, close" : "close";
  const own = [`Connection: ${connection}`, `${TICKET_HEADER}: ${ticket}`];
  return [...lines, ...own, "", ""].join("\r\n");
}

/** `Content-Length: 0` is what some clients say of a request without a body. */
function hasBody(header: string, value: string): boolean {
  return header === "transfer-encoding" || (header === "content-length" && value.trim() !== "0");
}

function refuse(status: number, reason: string): HeadRefusal {
  return { type: "refuse", status, reason };
}
