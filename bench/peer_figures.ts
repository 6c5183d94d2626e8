import { measureLatency, measureThroughput } from "./blocks.ts";
import { createContenders } from "./contenders.ts";
import { figureJob, type Group, type Scale, scaled } from "./jobs.ts";
import { echoParams } from "./messages.ts";
import { Peer, type Stack, STACKS } from "./peers.ts";
import type { Figure } from "./ratios.ts";

/**
 * The same echoes over other stacks, each with its own client and server in
 * Node; ours has both in Deno. Their parameters are those that make our frame
 * as large as the name says.
 *
 * @param node Where Node is.
 * @returns Their figures.
 */
export function peerFigures(node: string): Group {
  return (stage, scale) => {
    const { ours } = createContenders(stage);
    return (Object.keys(STACKS) as Stack[]).flatMap((name) => {
      const peer = stage.lazy(() => Peer.start(node, name));
      return figuresOf(STACKS[name], scale, peer, async (question) => {
        const { calls, inFlight, params } = question;
        const side = await ours();
        const call = () => side.request(params);
        return inFlight === 1
          ? await measureLatency(call, calls)
          : await measureThroughput(call, calls, inFlight);
      });
    }).map(figureJob);
  };
}

type Measure = Peer["measure"];

function figuresOf(
  stack: string,
  scale: Scale,
  peer: () => Promise<Peer>,
  measureOurs: Measure,
): Figure[] {
  const figure = (size: string, bytes: number, inFlight: number, calls: number): Figure => {
    const question = { calls: scaled(calls, scale), inFlight, params: echoParams(bytes) };
    return {
      name: inFlight === 1 ? `round trip p50, ${size}` : `requests, ${inFlight} in flight, ${size}`,
      unit: inFlight === 1 ? "ms" : "/s",
      over: "bowline.v1",
      against: `${stack} on Node`,
      goals: [],
      pairs: Math.ceil(scale.pairs / 3),
      warmUps: 5,
      ours: () => measureOurs(question),
      floor: async () => await (await peer()).measure(question),
    };
  };
  return [
    figure("100 B", 100, 1, 500),
    figure("10 KiB", 10_240, 1, 200),
    figure("100 B", 100, 64, 3_200),
    figure("10 KiB", 10_240, 64, 640),
  ];
}
