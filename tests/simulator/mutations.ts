import type { Edit } from "./mutant.ts";

/** A rule that is left out, or done wrongly. */
export interface Mutation {
  /** What is wrong. */
  readonly name: string;
  readonly edits: readonly Edit[];
  /**
   * Seeds within which it has to be noticed.
   *
   * @default {200}
   */
  readonly seeds?: number | undefined;
}

const ACKNOWLEDGER = "protocol/session/acknowledger.ts";
const FRAMES = "protocol/session/frames.ts";
const LEDGER = "protocol/session/ledger.ts";
const RECEIVER = "protocol/session/receiver.ts";
const SENDER = "protocol/session/sender.ts";
const SESSION_END = "protocol/session/session_end.ts";
const CLIENT_SESSION = "client/client_session.ts";
const SESSION_CONNECTION = "client/session_connection.ts";
const INBOUND_IDS = "client/inbound_ids.ts";
const CONVERSATION = "client/conversation.ts";
const RECEPTION = "server/reception.ts";
const HOST = "server/session_host.ts";
const CHANNEL = "server/session_channel.ts";
const STORE = "server/session_store.ts";

/** What the simulator has to notice. */
export const MUTATIONS: readonly Mutation[] = [
  ...mutate(ACKNOWLEDGER, {
    "an ack tells one message too many": [
      "return this.#told = this.#delivered;",
      "return (this.#told = this.#delivered) + 1;",
    ],
    "an ack tells one message too few": [
      "return this.#told = this.#delivered;",
      "return Math.max((this.#told = this.#delivered) - 1, 0);",
    ],
  }),
  ...mutate(CLIENT_SESSION, {
    "the client says it has received one message more": [
      "received: this.#end.received,",
      "received: this.#end.received + 1,",
    ],
    "the client says it has received one message less": [
      "received: this.#end.received,",
      "received: Math.max(this.#end.received - 1, 0),",
    ],
    "the client repeats an attempt's number": ["this.#attempt++;", "this.#attempt ||= 1;"],
    "the client sends on every connection before it is welcomed": [
      "if (this.#attempt > 1) return;",
      "",
    ],
    "the client goes on with a session that the server does not know": [
      'if (!resumed && isGone) return events?.unknown(reason ?? "no reason given");',
      "",
    ],
    "the client takes a refusal for a new session before it was ever welcomed": [
      "this.#welcome !== undefined || (this.#attempt > 1 && reason !== undefined);",
      "this.#welcome !== undefined;",
    ],
    "the client always says that it wants a new session": [
      "resume: this.#welcome !== undefined,",
      "resume: false,",
    ],
  }),
  {
    name: "the client still reads an older connection",
    edits: [
      {
        file: CLIENT_SESSION,
        find: "if (wire !== this.#wire) return;\n    if (!this.#isOpen)",
        replace: "if (!this.#isOpen)",
      },
      { file: CLIENT_SESSION, find: "before?.left();", replace: "" },
    ],
  },
  ...mutate(SESSION_CONNECTION, {
    "everything rides behind the first hello": [
      "isSafeToRepeat(message.method, message.params, NO_TOOLS) &&",
      "",
    ],
    "the client does not wait for the welcome": [
      "this.#session.isBusy;",
      "false;",
    ],
  }),
  ...mutate(CHANNEL, {
    "the server says it has received one message more": [
      "const { received } = this.#end;",
      "const received = this.#end.received + 1;",
    ],
    "the server says it has received one message less": [
      "const { received } = this.#end;",
      "const received = Math.max(this.#end.received - 1, 0);",
    ],
    "the server does not close the connection that a newer one replaces": [
      'link?.abandon(CLOSE_CODES.REPLACED, "A newer connection has taken the session over");',
      "",
    ],
    "the server sends again before it says welcome": [
      "link.send(welcomeFrame({ resumed, received, ...welcomeTerms(settings, server) }));",
      "this.#options.clock.after(0, () => " +
      "link.send(welcomeFrame({ resumed, received, ...welcomeTerms(settings, server) })));",
    ],
    "a session without a client never ends": [
      "this.#expiry = clock.after(settings.windowMs, () => {",
      "this.#expiry = clock.after(1e9, () => {",
    ],
    "a session that goes on is still to end": [
      "this.#expiry?.clear();",
      "",
    ],
    "the server goes on pinging a connection that is gone": [
      "this.#liveness?.stop();",
      "",
    ],
  }),
  {
    name: "the server still reads an older connection",
    edits: [
      {
        file: CHANNEL,
        find:
          'link?.abandon(CLOSE_CODES.REPLACED, "A newer connection has taken the session over");',
        replace: "",
      },
      {
        file: CHANNEL,
        find: "if (link !== this.#link) return;\n    this.#liveness",
        replace: "this.#liveness",
      },
    ],
  },
  ...mutate(STORE, {
    "a stale hello is accepted": [
      'if (attempt <= entry.attempt) return { type: "stale" };',
      "",
    ],
    "an unknown token creates a session although it is to resume one": [
      'if (resume) return { type: "unknown" };',
      "",
    ],
    "a known session is unknown to who does not ask to resume it": [
      "if (entry.principal !== principal)",
      'if (!arguments[1].resume) return { type: "unknown" };\n  if (entry.principal !== principal)',
    ],
  }),
  {
    name: "a stale hello opens a session again that is over",
    edits: [{
      file: STORE,
      find: "if (tombstone !== undefined && attempt <= tombstone.attempt) return",
      replace: "if (false) return",
    }],
    // Few hellos are so late.
    seeds: 4_000,
  },
  ...mutate(RECEPTION, {
    "hello may not be repeated on a connection": [
      "if (this.#hellos > 1) return this.#violate",
      "if (this.#hellos > 0) return this.#violate",
    ],
    "what comes behind a hello is lost": [
      "if (this.#isJudging) return this.#hold(data);",
      "if (this.#isJudging) return;",
    ],
    "a connection without a hello stays": [
      "this.#timer = clock.after(RECEPTION_TIMEOUT, () => this.#expire());",
      "",
    ],
  }),
  ...mutate(HOST, {
    "what came behind a hello is not handed on": [
      "for (const frame of reception.release()) channel.receive(link, frame);",
      "reception.release();",
    ],
    "a session that another server has lives on here": [
      "if (live !== undefined && live.generation < generation) live.channel.lose();",
      "",
    ],
  }),
  ...mutate(LEDGER, {
    "an empty buffer does not admit a larger message": [
      "return this.#wide === undefined;",
      "return false;",
    ],
    "two messages that are larger than the window are on their way": [
      "return this.#wide === undefined;",
      "return true;",
    ],
    "the window does not bound the messages": [
      "if (this.#sent.size >= window.bufferMessages) return false;",
      "",
    ],
    "the window admits one message more": [
      "if (this.#sent.size >= window.bufferMessages) return false;",
      "if (this.#sent.size > window.bufferMessages) return false;",
    ],
    "the window does not bound the bytes": [
      "return this.#narrowBytes + bytes <= window.bufferBytes;",
      "return true;",
    ],
    "what passes a message in pieces is not bounded": [
      "return this.#narrowBytes + bytes + kept <= window.bufferBytes;",
      "return true;",
    ],
    "numbers go on over connections": [
      "this.#waiting.prepend(this.#sent.drain());",
      "this.#acknowledged += this.#sent.size;\n    this.#waiting.prepend(this.#sent.drain());",
    ],
    "what was sent is sent again behind what waited": [
      "this.#waiting.prepend(this.#sent.drain());",
      "for (const message of this.#sent.drain()) this.#waiting.push(message);",
    ],
    "what was sent is not sent again": [
      "this.#waiting.prepend(this.#sent.drain());",
      "this.#sent.drain();",
    ],
    "a session's end tells nobody whose message waits": [
      "const messages = [...this.#sent.drain(), ...this.#waiting.drain()];",
      "const messages = this.#sent.drain();",
    ],
    "an ack confirms one message more": [
      "if (message.settled !== undefined) known.push(message);",
      "if (message.settled !== undefined) known.push(this.#sent.first ?? message);",
    ],
  }),
  ...mutate(RECEIVER, {
    "messages that share a frame are not counted": [
      "this.#take(frame.slice(start, end));",
      "this.#events.message(frame.slice(start, end));",
    ],
    "a message in pieces is not counted": [
      "this.#take(this.#assembler.take());",
      "this.#events.message(this.#assembler.take());",
    ],
    "messages that are held are counted": [
      "held.push(message);",
      "held.push(message);\n    this.#acknowledger.deliver(0);",
    ],
    "messages that are held stay when the connection goes": [
      "this.#held?.clear();",
      "",
    ],
    "pieces stay when the connection goes": [
      "this.#wires++;\n    this.#assembler.reset();",
      "this.#wires++;",
    ],
    "a message in pieces that is given up stays": [
      "drop(): void {\n    this.#assembler.reset();",
      "drop(): void {",
    ],
  }),
  ...mutate(SENDER, {
    "a message in pieces is counted at its first piece": [
      "this.#open = { message, cutter: new PieceCutter(message.text, message.bytes) };",
      "this.#open = { message, cutter: new PieceCutter(message.text, message.bytes) };\n" +
      "    this.#ledger.complete(message);\n    this.#ledger.complete = new Proxy(" +
      "this.#ledger.complete, { apply: (f, t, a) => a[0] !== message && Reflect.apply(f, t, a) });",
    ],
    "an interrupted message goes on where it was": [
      "      this.#ledger.putBack(this.#open.message);\n      this.#open = undefined;\n",
      "",
    ],
    "an interrupted message is forgotten": [
      "this.#ledger.putBack(this.#open.message);",
      "",
    ],
    "the peer's count is not taken on a resume": [
      "this.#ledger.acknowledge(received);\n    if (wires",
      "if (wires",
    ],
    "a notification overtakes": [
      'if (lane === "notification") return false;',
      "",
    ],
    "a response overtakes a notification": [
      'return lane !== "response" || open.lane !== "notification";',
      "return true;",
    ],
    "a cancel overtakes its request": [
      'if (lane === "cancel") return open.lane !== "request" || open.id !== id;',
      "",
    ],
    "a message overtakes what waits": [
      "return this.#ledger.waiting === 0 && this.#open",
      "return this.#open",
    ],
    "a message gets between pieces unchecked": [
      "this.#open === undefined && !wire.isCongested &&",
      "!wire.isCongested &&",
    ],
    "the peer is not told of a message in pieces that is given up": [
      "if (this.#wire !== undefined && cutter.hasBegun) this.#write(this.#wire, DROP_FRAME);",
      "",
    ],
    "a request that is taken back does not settle": [
      'for (const message of withdrawn) message.settled?.(new Error("The request was cancelled"));',
      "",
    ],
    "nobody looks at a full socket again": [
      "this.#pacer.wait();",
      "",
    ],
    "an ack does not let more messages out": [
      'if (outcome === "advanced") this.#pump();',
      "",
    ],
    "who waits for room is not told": [
      "this.#room.resolve();",
      "",
    ],
  }),
  ...mutate(FRAMES, {
    "a character is cut in two": [
      ": fitBytes(this.#text, start, room);",
      ": { read: Math.ceil(fitBytes(this.#text, start, room).read / 2), written: 1 };",
    ],
    "the last piece says that more follows": [
      'return (this.isDone ? "=" : "+") + this.#text.slice(start, start + read);',
      'return (this.isDone && start === 0 ? "=" : "+") + this.#text.slice(start, start + read);',
    ],
  }),
  ...mutate(SESSION_END, {
    "few messages are never acknowledged": [
      "this.#ackTimer ??= this.#options.clock.after(ACK_DELAY, () => {",
      "this.#ackTimer ??= this.#options.clock.after(1e9, () => {",
    ],
    "nothing is answered promptly": [
      "if (this.#promptAck && this.#written === written) this.#awaitTurn(wire);",
      "",
    ],
    "a wish for prompt answers is forgotten on a resume": [
      "this.#promptAck = promptAck;",
      "this.#promptAck = promptAck && !this.#receiver.delivered;",
    ],
  }),
  ...mutate(INBOUND_IDS, {
    "answers to requests that were cancelled before the session was lost go out": [
      "this.#lost.add(ours);",
      "",
    ],
    "answers to requests of a lost session go out": [
      "return this.#lost.delete(id) ? undefined : response;",
      "return response;",
    ],
    "ids of a lost session are shown again": [
      "const isTaken = this.#lost.has(request.id) || other.has(request.id);",
      "const isTaken = false;",
    ],
    "progress on requests of a lost session goes out": [
      "return this.#lost.has(token) ? undefined : notification;",
      "return notification;",
    ],
    "a renamed request is answered by its new name": [
      "return original === id ? response : { ...response, id: original };",
      "return response;",
    ],
  }),
  ...mutate(CONVERSATION, {
    "what must not be repeated is": [
      "return this.#options.resend?.(request, isSafe) ?? isSafe;",
      "return true;",
    ],
    "what may be repeated is forgotten": [
      "if (entry.side !== side || (mayRepeat && this.#mayRepeat(entry))) continue;",
      "if (entry.side !== side) continue;\n      " +
      "if (this.#mayRepeat(entry)) { this.#inFlight.take(id); continue; }",
    ],
  }),
];

function mutate(
  file: string,
  changes: Readonly<Record<string, readonly [find: string, replace: string]>>,
): Mutation[] {
  return Object.entries(changes).map(([name, [find, replace]]) => ({
    name,
    edits: [{ file, find, replace }],
  }));
}
