import {
  type Loss,
  type MCPWebSocketClient,
  type MCPWebSocketClientOptions,
  WebSocketClientTransport,
} from "../../client/mod.ts";
import {
  callTool,
  type Era,
  factsOf,
  IMPATIENT,
  type Places,
  readJournal,
  rejection,
  signalServer,
  type Steps,
  withClient,
} from "./_world.ts";

/** What a client does when its connection is lost. */
export function losses(era: Era, protocol: string): Steps {
  const options = { era, protocols: [protocol] };
  return {
    [`${era}, ${protocol}: the server is killed and comes back`]: (places) =>
      survivesKill(places, options),
    [`${era}, ${protocol}: the server restarts in good order`]: (places) =>
      survivesRestart(places, options),
  };
}

/** What does not depend on the era. */
export const MORE_LOSSES: Steps = {
  "the server freezes and thaws": survivesFreeze,
  "closing while the server is frozen": closesFrozen,
  "refused when it comes back": refusedOnReturn,
  "the network goes and comes back": survivesOffline,
};

/** One client object, before, while and after its server's process is another. */
async function survivesKill(
  places: Places,
  options: MCPWebSocketClientOptions,
): Promise<unknown> {
  return await withClient(places.server, options, async (client) => {
    const losses = recordLosses(client);
    await client.request("tools/list");
    const { pid } = await readJournal(client);
    const unsafe = rejection(callTool(client, "hold", { key: "unsafe" }));
    const safe = callTool(client, "look", { key: "safe", pid });
    const { started } = await readJournal(client);
    await signalServer(places, "SIGKILL");
    const queued = await callTool(client, "echo", { text: "after" });
    return {
      started: started.slice(-2),
      losses: losses.map(({ cause }) => cause),
      unsafe: factsOf(await unsafe),
      safe: await safe,
      queued,
      isOther: (await readJournal(client)).pid !== pid,
      status: client.state.status,
    };
  });
}

/** What is in flight is answered before the server goes. */
async function survivesRestart(
  places: Places,
  options: MCPWebSocketClientOptions,
): Promise<unknown> {
  return await withClient(places.server, options, async (client) => {
    const losses = recordLosses(client);
    const { pid } = await readJournal(client);
    const running = callTool(client, "count", { to: 1, pause: 200 });
    await readJournal(client);
    await signalServer(places, "SIGTERM");
    return {
      running: await running,
      queued: await callTool(client, "echo", { text: "after" }),
      losses: losses.map(({ cause, code, reason }) => ({ cause, code, reason })),
      isOther: (await readJournal(client)).pid !== pid,
      status: client.state.status,
    };
  });
}

/** Nothing is closed, nothing answers: only the heartbeat can tell. */
async function survivesFreeze(places: Places): Promise<unknown> {
  const options: MCPWebSocketClientOptions = {
    era: "legacy",
    heartbeat: { interval: 50, timeout: 50, maxMissed: 2 },
    connectTimeout: 500,
  };
  return await withClient(places.server, options, async (client) => {
    const losses = recordLosses(client);
    await signalServer(places, "SIGSTOP");
    try {
      await new Promise((resolve) => client.addEventListener("lost", resolve, { once: true }));
    } finally {
      await signalServer(places, "SIGCONT");
    }
    const echo = await callTool(client, "echo", { text: "thawed" });
    return { losses: losses.map(({ cause }) => cause), echo };
  });
}

/** A closing handshake that nobody answers takes runtimes half a minute; nobody waits for it. */
async function closesFrozen(places: Places): Promise<unknown> {
  return await withClient(places.server, {}, async (client) => {
    await signalServer(places, "SIGSTOP");
    const startedAt = Date.now();
    try {
      await client.disconnect();
    } finally {
      await signalServer(places, "SIGCONT");
    }
    return { status: client.state.status, isQuick: Date.now() - startedAt < 2_000 };
  });
}

/** The endpoint opens once, hangs up, and refuses from then on. */
async function refusedOnReturn({ hostile }: Places): Promise<unknown> {
  const url = `${hostile}/once/${crypto.randomUUID()}`;
  const options: MCPWebSocketClientOptions = {
    reconnect: { ...IMPATIENT.reconnect, attempts: 3, immediate: ["internal"] },
  };
  const transport = new WebSocketClientTransport(url, options);
  let closes = 0;
  const closed = new Promise<void>((resolve) => {
    transport.onclose = () => {
      closes++;
      resolve();
    };
  });
  await transport.start();
  await transport.send({ jsonrpc: "2.0", method: "x/hang-up" });
  await closed;
  const { state } = transport;
  return {
    status: state.status,
    error: factsOf(state.status === "failed" ? state.error : undefined).name,
    closes,
  };
}

/** Set where the network can be switched off: browsers alone hear of it. */
interface NetworkSwitch {
  readonly setOffline?: (isOffline: boolean) => Promise<void>;
}

/**
 * A lost connection is not dialled without a network, and at once when there
 * is one again. It is lost before, as Chromium holds back frames without one.
 */
async function survivesOffline({ hostile }: Places): Promise<unknown> {
  const { setOffline } = globalThis as NetworkSwitch;
  if (setOffline === undefined) return "Nobody tells";
  const transport = new WebSocketClientTransport(`${hostile}/hang-up/1013`);
  const states: string[] = [];
  const entered = new Map<string, () => void>();
  const enter = (status: string) => new Promise<void>((resolve) => entered.set(status, resolve));
  await transport.start();
  transport.addEventListener("statechange", ({ detail }) => {
    states.push(detail.state.status);
    entered.get(detail.state.status)?.();
  });
  const lost = enter("reconnecting");
  await transport.send({ jsonrpc: "2.0", method: "x/hang-up" });
  await lost;
  const offline = enter("offline");
  await setOffline(true);
  await offline;
  const connected = enter("connected");
  await setOffline(false);
  await connected;
  await transport.close();
  return states;
}

function recordLosses(client: MCPWebSocketClient): Loss[] {
  const losses: Loss[] = [];
  client.addEventListener("lost", ({ detail }) => losses.push(detail.loss));
  return losses;
}
