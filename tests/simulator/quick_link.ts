import { HIGH_WATER, Link } from "../../protocol/link.ts";

/** A link that looks at its socket every time, as little is sent in a simulation. */
export class QuickLink extends Link {
  override get isCongested(): boolean {
    return this.bufferedAmount > HIGH_WATER;
  }
}
