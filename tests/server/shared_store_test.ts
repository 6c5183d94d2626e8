import { assertEquals } from "@std/assert";
import type { SessionStore } from "../../server/mod.ts";
import { AsyncStore } from "../support/async_store.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { SessionPeer } from "../support/session_peer.ts";
import { until } from "../support/until.ts";
import { collectSessions, echo, note, serve } from "./_serving.ts";

Deno.test("SessionStore: a claim on one server fences the connection on the other", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using here = serve(onSession, { session: { store } });
  await using there = serve(echo, { session: { store } });
  await using peer = new SessionPeer(here.port);
  await peer.open();
  let closes = 0;
  sessions[0]!.onclose = () => closes++;
  await using moved = new SessionPeer(there.port);
  await moved.dial();
  moved.hello({ session: peer.session, token: peer.token, attempt: 2, resume: true });
  const { resumed, reason } = await moved.control("welcome");
  assertEquals([resumed, reason], [false, "The session is not here"]);
  assertEquals((await peer.closed).code, 4409);
  assertEquals([(await sessions[0]!.closed).code, closes], [4409, 1]);
  assertEquals([store.size, here.handler.sessions.size], [0, 0]);
  moved.renew();
  moved.hello();
  await moved.control("welcome");
  assertEquals((await moved.request("a")).result, {});
  assertEquals(store.size, 1);
});

Deno.test("SessionStore: a resume on the same server is no loss, although everybody hears of it", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  for (let i = 0; i < 5; i++) assertEquals((await peer.open()).resumed, true);
  assertEquals((await peer.request("a")).result, {});
  assertEquals(sessions.length, 1);
});

Deno.test("SessionStore holds what the client has not acknowledged", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  peer.acks = false;
  await peer.open();
  for (let i = 0; i < 3; i++) sessions[0]!.post(note(i));
  const [texts] = [...store.texts.values()];
  const numbers = () => texts!.map((text) => JSON.parse(text).params.i);
  assertEquals(numbers(), [0, 1, 2]);
  await until(() => peer.waiting === 3);
  peer.say("ack", 2);
  await until(() => texts!.length === 1);
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  sessions[0]!.post(note(3));
  assertEquals(numbers(), [2, 3]);
  assertEquals((await peer.open()).resumed, true);
  await until(() => texts!.length === 1);
  peer.ack();
  await until(() => texts!.length === 0);
});

Deno.test("SessionStore: the later of two hellos wins, whichever answer comes first", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  const { closed: first } = peer;
  await peer.dial();
  peer.hello();
  await using third = new SessionPeer(serving.port);
  Object.assign(third, { session: peer.session, token: peer.token });
  await third.dial();
  third.hello({ attempt: 1 });
  while (store.held.length > 0) {
    store.held.pop()!();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals((await peer.control("welcome")).resumed, true);
  assertEquals((await first).code, 4409);
  assertEquals((await third.control("end")).code, 4409);
  assertEquals((await peer.request("a")).result, {});
  assertEquals(sessions.length, 1);
  assertEquals(store.calls, ["claim 1: created", "claim 2: resumed", "claim 1: stale"]);
});

Deno.test("SessionStore: a session for a client that has left meanwhile is ended again", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  await peer.drop();
  await peer.dial();
  peer.hello();
  // A third one, which leaves before its turn, is not even asked about.
  await using third = new SessionPeer(serving.port);
  Object.assign(third, { session: peer.session, token: peer.token, attempt: 2 });
  await third.dial();
  third.hello();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await third.drop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.isHolding = false;
  store.held[0]!();
  assertEquals((await peer.control("welcome")).resumed, false);
  await until(() => sessions.length === 1);
  assertEquals(store.calls, ["claim 1: created", "end 1", "claim 2: created"]);
  assertEquals(store.size, 1);
});

Deno.test("SessionStore: a resume by a client that has left meanwhile costs nothing", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  await peer.drop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.isHolding = false;
  store.held[0]!();
  assertEquals((await peer.open()).resumed, true);
  assertEquals(await peer.bye(), 0);
  await until(() => store.size === 0);
  assertEquals(store.calls.at(-1), "end 3 on purpose");
});

Deno.test("SessionStore: a session that another server had is not kept for who has left", async () => {
  const store = new AsyncStore();
  await using here = serve(echo, { session: { store } });
  await using there = serve(echo, { session: { store } });
  await using peer = new SessionPeer(here.port);
  await peer.open();
  await using moved = new SessionPeer(there.port);
  store.isHolding = true;
  await moved.dial();
  moved.hello({ token: peer.token, attempt: 2, resume: true });
  await until(() => store.held.length === 1);
  await moved.drop();
  await new Promise((resolve) => setTimeout(resolve, 20));
  store.held[0]!();
  await until(() => store.size === 0);
});

Deno.test("SessionStore: who waits for an answer for too long is sent away for a while", async () => {
  const clock = new ManualClock();
  const store = new AsyncStore();
  await using serving = serve(echo, { clock, session: { store } });
  await using peer = new SessionPeer(serving.port);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  clock.advance(10_000);
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason], [1013, "The server could not open the session in time"]);
  await peer.closed;
  store.held[0]!();
  await until(() => store.size === 0);
  assertEquals(serving.handler.sessions.size, 0);
});

Deno.test("SessionStore: close() is no obstacle to a claim that is under way", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  assertEquals(store.watchers, 1);
  const closing = serving.handler.close();
  const { code, reason } = await peer.control("end");
  assertEquals([code, reason], [1001, "Server is shutting down"]);
  await closing;
  store.held[0]!();
  await until(() => store.size === 0);
  assertEquals([sessions.length, store.watchers], [0, 0]);
});

Deno.test("SessionStore: a session that closes while it is resumed has ended for the client", async () => {
  const store = new AsyncStore();
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, { session: { store } });
  await using peer = new SessionPeer(serving.port);
  await peer.open();
  await peer.drop();
  await until(() => !sessions[0]!.isAttached);
  store.isHolding = true;
  await peer.dial();
  peer.hello();
  await until(() => store.held.length === 1);
  await sessions[0]!.disconnect("Bye");
  store.held[0]!();
  const { resumed, reason } = await peer.control("welcome");
  assertEquals([resumed, reason], [false, "The session is not here"]);
  await until(() => store.size === 0);
});

Deno.test("SessionStore: one that fails costs only the client that asks", async () => {
  const errors: string[] = [];
  let fault: "throw" | "reject" | undefined;
  const fail = () => {
    if (fault === "throw") throw new Error("thrown");
    return fault === "reject" ? Promise.reject(new Error("rejected")) : undefined;
  };
  const inner = new AsyncStore();
  const store: SessionStore = {
    claim: (claim) => fail() ?? inner.claim(claim),
    end: (key, generation, onPurpose) => fail() ?? inner.end(key, generation, onPurpose),
    append: fail,
    trim: fail,
  };
  const { sessions, onSession } = collectSessions();
  await using serving = serve(onSession, {
    session: { store },
    onError: ({ message }) => errors.push(message),
  });
  await using peer = new SessionPeer(serving.port);
  for (const [index, kind, told] of [[0, "throw", "thrown"], [1, "reject", "rejected"]] as const) {
    fault = undefined;
    peer.renew();
    await peer.open();
    fault = kind;
    errors.length = 0;
    // Its answer is appended and trimmed, or not.
    assertEquals((await peer.request("a")).result, {});
    await until(() => errors.length === 2);
    await using other = new SessionPeer(serving.port);
    await other.dial();
    other.hello();
    assertEquals((await other.control("end")).code, 1011);
    await other.closed;
    await peer.bye();
    await sessions[index]!.closed;
    await until(() => errors.length === 4);
    assertEquals(errors, Array(4).fill(told));
  }
});
