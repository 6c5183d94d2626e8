/**
 * The client process of figures with many connections:
 * `deno run -A bench/crowd_clients.ts`.
 *
 * @module
 */

import { answerQuestions, cpuTime } from "./answers.ts";
import { type Contender, openFloor, openOurs } from "./contenders.ts";
import type { CrowdClientQuestion, CrowdSide } from "./crowd.ts";
import { measureLoad } from "./load.ts";

/** How many are dialled at a time: more than Deno's backlog takes are refused. */
const BATCH = 50;

const OPEN: Readonly<Record<CrowdSide, (url: string) => Promise<Contender>>> = {
  ours: (url) => openOurs(url),
  floor: openFloor,
};

/** The clients of one side, and what they have heard. */
class Crowd {
  readonly members: Contender[] = [];
  #heard = 0;
  #wanted = Infinity;
  #reached: () => void = () => {};

  /** Opens more clients until there are so many. */
  async grow(open: (url: string) => Promise<Contender>, url: string, count: number): Promise<void> {
    while (this.members.length < count) {
      const batch = Math.min(BATCH, count - this.members.length);
      const opened = await Promise.all(Array.from({ length: batch }, () => open(url)));
      for (const member of opened) member.hear(this.#hear);
      this.members.push(...opened);
    }
  }

  /** Resolves when they have heard so many notifications together, ever. */
  async heard(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = count;
    this.#reached = resolve;
    if (this.#heard < count) await promise;
  }

  readonly #hear = () => {
    if (++this.#heard >= this.#wanted) this.#reached();
  };
}

const crowds = { ours: new Crowd(), floor: new Crowd() };
await answerQuestions("ready", async (question: CrowdClientQuestion) => {
  switch (question.ask) {
    case "cpu":
      return cpuTime();
    case "open":
      return await crowds[question.side].grow(OPEN[question.side], question.url, question.count);
    case "heard":
      return await crowds[question.side].heard(question.count);
    case "load":
      return await measureLoad(crowds[question.side].members, question.seconds);
  }
});
