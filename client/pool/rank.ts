/** How well a connection would serve a request; less is better. */
export const RANKS = { HEALTHY: 0, DEGRADED: 1, UNUSABLE: 2 } as const;

/** One of {@linkcode RANKS}. */
export type Rank = (typeof RANKS)[keyof typeof RANKS];
