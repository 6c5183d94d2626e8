import type { MCPWebSocketClient } from "../../client/mod.ts";
import {
  callTool,
  type Era,
  factsOf,
  type Places,
  readHandshake,
  readJournal,
  rejection,
  type Step,
  type Steps,
  withClient,
} from "./_world.ts";

/** Two-, three- and four-byte characters, controls, line separators, half a pair. */
const TRICKY_TEXT = 'ä€𝄞👩🏽‍🚀 עברית \u0000\u2028\u2029"\\\n\ud800';

/** What a client does on a connection that holds. */
export function calls(era: Era): Steps {
  const step = (use: (client: MCPWebSocketClient) => Promise<unknown>): Step => ({ server }) =>
    withClient(server, { era }, use);
  return {
    [`${era}: opens`]: step(opens),
    [`${era}: lists tools`]: step(listsTools),
    [`${era}: text comes back as it was`]: step(echoesTrickyText),
    [`${era}: 200 KiB come back as they were`]: step(echoesLongText),
    [`${era}: 100 calls at once`]: step(callsAtOnce),
    [`${era}: 3 MiB at once`]: step(floods),
    [`${era}: progress`]: step(hearsProgress),
    [`${era}: cancelling reaches the server`]: step(cancels),
    [`${era}: a timeout reaches the server`]: step(timesOut),
    [`${era}: an error of the server`]: step(hearsError),
    [`${era}: closing twice, opening again`]: ({ server }) => closesTwice(server, era),
    [`${era}: closing settles what is in flight`]: ({ server }) => closesInFlight(server, era),
  };
}

/** What does not depend on the era. */
export const MORE_CALLS: Steps = {
  "the server asks the client": answersServer,
  "a token arrives": sendsToken,
};

async function opens(client: MCPWebSocketClient): Promise<unknown> {
  const { state, era, protocolVersion, serverInfo, isConnected } = client;
  await Promise.resolve();
  return { status: state.status, era, protocolVersion, server: serverInfo?.name, isConnected };
}

async function listsTools(client: MCPWebSocketClient): Promise<unknown> {
  const { tools } = await client.request("tools/list");
  return tools.map(({ name }) => name);
}

async function echoesTrickyText(client: MCPWebSocketClient): Promise<unknown> {
  return await callTool(client, "echo", { text: TRICKY_TEXT }) === TRICKY_TEXT;
}

async function echoesLongText(client: MCPWebSocketClient): Promise<unknown> {
  const text = "0123456789abcde\u00e9".repeat(200 * 64);
  const echo = await callTool(client, "echo", { text });
  return { length: echo.length, isSame: echo === text };
}

async function callsAtOnce(client: MCPWebSocketClient): Promise<unknown> {
  const texts = Array.from({ length: 100 }, (_, n) => `number ${n}`);
  const echoes = await Promise.all(texts.map((text) => callTool(client, "echo", { text })));
  return echoes.every((echo, n) => echo === texts[n]);
}

/** More than sockets like to hold. */
async function floods(client: MCPWebSocketClient): Promise<unknown> {
  const texts = Array.from({ length: 12 }, (_, n) => String(n % 10).repeat(256 * 1024));
  const echoes = await Promise.all(texts.map((text) => callTool(client, "echo", { text })));
  return echoes.every((echo, n) => echo === texts[n]);
}

async function hearsProgress(client: MCPWebSocketClient): Promise<unknown> {
  const progress: unknown[] = [];
  const result = await callTool(client, "count", { to: 3, pause: 20 }, {
    onProgress: (step) => progress.push([step.progress, step.total, step.message]),
  });
  return { progress, result };
}

async function cancels(client: MCPWebSocketClient): Promise<unknown> {
  const key = crypto.randomUUID();
  const controller = new AbortController();
  const call = rejection(callTool(client, "hold", { key }, { signal: controller.signal }));
  const before = await readJournal(client);
  controller.abort(new RangeError("Enough"));
  const error = await call;
  const after = await readJournal(client);
  return {
    hasStarted: before.started.includes(key),
    isReason: error === controller.signal.reason,
    wasAborted: [before.aborted.includes(key), after.aborted.includes(key)],
  };
}

async function timesOut(client: MCPWebSocketClient): Promise<unknown> {
  const key = crypto.randomUUID();
  const error = await rejection(callTool(client, "hold", { key }, { timeout: 50 }));
  const { aborted } = await readJournal(client);
  return { error: factsOf(error), wasAborted: aborted.includes(key) };
}

async function hearsError(client: MCPWebSocketClient): Promise<unknown> {
  return factsOf(await rejection(callTool(client, "no-such-tool")));
}

async function closesTwice(server: string, era: Era): Promise<unknown> {
  return await withClient(server, { era }, async (client) => {
    await Promise.all([client.disconnect(), client.disconnect()]);
    await client[Symbol.asyncDispose]();
    const closed = client.state.status;
    const refused = factsOf(await rejection(callTool(client, "echo", { text: "late" }))).name;
    await client.connect();
    return { closed, refused, again: await callTool(client, "echo", { text: "again" }) };
  });
}

async function closesInFlight(server: string, era: Era): Promise<unknown> {
  return await withClient(server, { era }, async (client) => {
    const call = rejection(callTool(client, "hold", { key: crypto.randomUUID() }));
    await readJournal(client);
    await client.disconnect();
    return factsOf(await call).name;
  });
}

async function answersServer({ server }: Places): Promise<unknown> {
  return await withClient(server, { era: "legacy" }, (client) => {
    client.handle("x/question", ({ question }) => ({ answer: `${question}? Yes.` }));
    return callTool(client, "ask", { question: "Ready" });
  });
}

/** As a header where the runtime can send one, else as a subprotocol. */
async function sendsToken({ server }: Places): Promise<unknown> {
  return await withClient(server, { token: "c2VjcmV0" }, readHandshake);
}
