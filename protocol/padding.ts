import { countBytes } from "./utf8.ts";

/** Frames up to this size, in bytes, are written in one piece, and never wait. */
const WHOLE = 1_024;
/** The largest frame that is padded, in bytes. */
export const MAX_PADDING: number = 64 * 1024;

const SPACES = " ".repeat(MAX_PADDING);

/**
 * Fills a frame up with spaces behind its text, which mean nothing there (RFC 8259, 2).
 *
 * @param text JSON.
 * @param size What it is filled up to, in bytes of UTF-8.
 * @returns The text as it is, if it is written in one piece or is as large already.
 */
export function pad(text: string, size: number): string {
  if (text.length >= size || text.length * 3 <= WHOLE) return text;
  const bytes = countBytes(text);
  return bytes <= WHOLE || bytes >= size ? text : text + SPACES.slice(0, size - bytes);
}
