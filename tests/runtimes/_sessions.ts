import type { MCPWebSocketClient } from "../../client/mod.ts";
import {
  callTool,
  cutConnections,
  factsOf,
  type Places,
  readJournal,
  rejection,
  type Steps,
  withClient,
} from "./_world.ts";

/** What a client does that keeps a session with its server. */
export const SESSIONS: Steps = {
  "a session goes on when its connection is cut": survivesCuts,
  "a session goes on when its connection is cut within large messages": survivesCutPieces,
  "a notification is confirmed": confirms,
  "a notification is not confirmed by a plain server": doesNotConfirm,
  "a health check in a session": checksHealth,
};

/** The tool may not be repeated: its progress would count twice. */
async function survivesCuts(places: Places): Promise<unknown> {
  return await withClient(places.frail, {}, async (client) => {
    const { pid } = await readJournal(client);
    const progress: number[] = [];
    const counted = callTool(client, "count", { to: 6, pause: 50 }, {
      onProgress: (step) => progress.push(step.progress),
    });
    for (let cut = 0; cut < 3; cut++) {
      const resumed = hear(client, "resumed");
      await cutConnections(places);
      await resumed;
    }
    return {
      counted: await counted,
      progress,
      isSame: (await readJournal(client)).pid === pid,
      ...tally(client),
    };
  });
}

async function survivesCutPieces(places: Places): Promise<unknown> {
  return await withClient(places.frail, {}, async (client) => {
    const texts = Array.from({ length: 8 }, (_, n) => String(n).repeat(512 * 1024));
    const resumed = hear(client, "resumed");
    const echoes = texts.map((text) => callTool(client, "echo", { text }));
    await cutConnections(places);
    await resumed;
    const isSame = (await Promise.all(echoes)).every((echo, n) => echo === texts[n]);
    return { isSame, ...tally(client) };
  });
}

async function confirms(places: Places): Promise<unknown> {
  return await withClient(places.frail, {}, async (client) => {
    await client.notify("x/note", { n: 1 }, { delivered: true });
    const resumed = hear(client, "resumed");
    await cutConnections(places);
    await client.notify("x/note", { n: 2 }, { delivered: true });
    await resumed;
    return (await readJournal(client)).notes.slice(-2);
  });
}

async function doesNotConfirm({ server }: Places): Promise<unknown> {
  return await withClient(server, { protocols: ["mcp"] }, async (client) => {
    const error = await rejection(client.notify("x/note", { n: 3 }, { delivered: true }));
    const { notes } = await readJournal(client);
    return { error: factsOf(error), wasSent: notes.includes(3) };
  });
}

async function checksHealth({ server }: Places): Promise<unknown> {
  return await withClient(server, {}, async (client) => {
    const { status, probe } = await client.healthCheck();
    return { status, wasAnswered: probe !== undefined };
  });
}

/** Resolves when the client has told of an event. */
function hear(client: MCPWebSocketClient, type: "resumed"): Promise<void> {
  return new Promise((resolve) => client.addEventListener(type, () => resolve(), { once: true }));
}

function tally(client: MCPWebSocketClient): object {
  const { sessionsLost, losses, resumes } = client.getStats();
  return { sessionsLost, isResumed: losses > 0 && losses === resumes };
}
