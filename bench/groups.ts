import { compressionFigures } from "./compression_figures.ts";
import { broadcastFigures, loadFigures } from "./crowd_figures.ts";
import { floorFigures } from "./figures.ts";
import { growthFigures } from "./growth_figures.ts";
import { idleFigures } from "./idle_figures.ts";
import type { Group } from "./jobs.ts";
import { largeFigures } from "./large_figures.ts";
import { peerFigures } from "./peer_figures.ts";
import { sdkFigures } from "./sdk_figures.ts";
import { sessionFigures } from "./session_figures.ts";
import { suites } from "./suites.ts";
import { wireFigures } from "./wire_figures.ts";

/**
 * All that is measured, in the order of the table.
 *
 * @param node Where Node is; without it the other stacks are left out.
 * @returns The groups.
 */
export function listGroups(node: string | undefined): Group[] {
  return [
    floorFigures,
    sessionFigures,
    wireFigures,
    compressionFigures,
    largeFigures,
    sdkFigures,
    ...node === undefined ? [] : [peerFigures(node)],
    broadcastFigures,
    loadFigures,
    growthFigures,
    idleFigures,
    suites,
  ];
}
