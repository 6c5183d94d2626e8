import { holdsFrames } from "./runtime.ts";
import { isLoopbackUrl } from "./url_policy.ts";

/** What fills a segment on loopback, whose packets hold 64 KiB. */
const LOOPBACK_SEGMENT = 64 * 1024;
/** What fills a segment on Ethernet, whose packets hold 1,500 bytes. */
const ETHERNET_SEGMENT = 1_448;
/** How frames are filled up. */
export type Padding = number | "auto" | false;

/**
 * The size that frames are filled up to, so that the kernel does not hold them
 * back: what fills a segment waits for no acknowledgement.
 *
 * @param url Where to; empty if the other side dialled.
 * @param padding What the application wants.
 * @returns The size in bytes; 0 where frames are left as they are.
 */
export function paddedSize(url: string, padding: Padding): number {
  if (padding !== "auto") return padding === false ? 0 : padding;
  if (url === "" || !holdsFrames()) return 0;
  return isLoopbackUrl(url) ? LOOPBACK_SEGMENT : ETHERNET_SEGMENT;
}
