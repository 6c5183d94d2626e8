/** The sizes of messages that are tried, in bytes: around every border of what stalls. */
export const SIZES: readonly number[] = [
  1,
  100,
  1_000,
  1_024,
  1_025,
  1_447,
  2_000,
  4_096,
  10_000,
  16 * 1_024,
  40_000,
  65_535,
  65_536,
  70_000,
  100_000,
  131_072,
  131_073,
  200_000,
];
/** Sizes for patterns that take their time. */
export const FEW_SIZES: readonly number[] = [100, 1_025, 40_000];

/** What makes the frame of a request so large, if its id has three digits; the least is a bare one. */
export function fill(method: string, bytes: number): { data: string } {
  const bare = JSON.stringify({ jsonrpc: "2.0", id: 100, method, params: { data: "" } });
  return { data: "x".repeat(Math.max(0, bytes - bare.length)) };
}
