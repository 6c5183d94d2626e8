import type { Member } from "./member.ts";

/** The connections to one endpoint. */
export interface Group {
  /** Where they lead. */
  readonly url: string;
  /** What that is called in logs and errors: without credentials and query. */
  readonly name: string;
  /** Those for all requests. */
  readonly small: readonly Member[];
  /** The one for large requests, open only when there are any; there may be none at all. */
  readonly large: Member | undefined;
}

/** All connections of a group. */
export function membersOf({ small, large }: Group): readonly Member[] {
  return large === undefined ? small : [...small, large];
}
