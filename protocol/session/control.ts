import { isObject } from "../jsonrpc.ts";
import { clamp, RANGES, type SessionLimits } from "./limits.ts";

/** Who runs an end, for logs. */
export interface EndName {
  /** Its name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
}

/** The first frame of the end that dialled. */
export interface Hello {
  /** A label for logs and metrics: a ULID, not a secret. */
  readonly session: string;
  /** The secret that the session is known by: 256 bits, base64url. */
  readonly token: string;
  /** Rises with every hello of the session; a late one is told by it. */
  readonly attempt: number;
  /** Whether a session that the other end knows is expected. */
  readonly resume: boolean;
  /** How many messages of the other end were handed to the application. */
  readonly received: number;
  /** What this end takes. */
  readonly limits: SessionLimits;
  /** Encodings that this end reads in binary frames. */
  readonly accept: readonly string[];
  /** Whether every turn in which something was read has to be answered. */
  readonly promptAck: boolean;
  /** A token, where none could be sent with the upgrade request. A secret. */
  readonly auth?: string | undefined;
  /** Who runs this end. */
  readonly client?: EndName | undefined;
}

/** The answer to a hello. */
export interface Welcome {
  /** Whether the session goes on; without, it is a new one or none. */
  readonly resumed: boolean;
  /** How many messages of the other end were handed to the application. */
  readonly received: number;
  /** How long the session outlives its connection, in milliseconds. */
  readonly windowMs: number;
  /** What this end takes. */
  readonly limits: SessionLimits;
  /** Silence after which this end expects to be pinged, in milliseconds. */
  readonly pingMs: number;
  /** Encodings that this end reads in binary frames. */
  readonly accept: readonly string[];
  /** Who runs this end. */
  readonly server?: EndName | undefined;
  /** Why the session does not go on. */
  readonly reason?: string | undefined;
}

/** Asks the other end to move. */
export interface Goaway {
  /** How long this connection goes on, in milliseconds. */
  readonly afterMs: number;
  /** Why, for people. */
  readonly reason: string;
  /** Whether the session can be resumed elsewhere. */
  readonly sessions: "kept" | "lost";
  /** Where to move to. */
  readonly url?: string | undefined;
}

/** The last word on a connection, in place of a close code, which may be lost. */
export interface End {
  /** A close code. */
  readonly code: number;
  /** Why, for people. */
  readonly reason: string;
  /** When to come back at the earliest, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A frame that steers the session. */
export type ControlFrame =
  | { readonly type: "hello"; readonly hello: Hello }
  | { readonly type: "welcome"; readonly welcome: Welcome }
  | { readonly type: "goaway"; readonly goaway: Goaway }
  | { readonly type: "end"; readonly end: End }
  | { readonly type: "ack"; readonly count: number }
  | { readonly type: "ping" | "pong"; readonly mark: unknown; readonly count: number }
  | { readonly type: "bye"; readonly count: number }
  | { readonly type: "drop" };

/** The largest control frame that is read, in UTF-16 units. */
const MAX_UNITS = 16 * 1024;
/** The largest `t` of a ping, serialised, in UTF-16 units. */
const MAX_MARK = 256;
/** 256 bits in base64url, without padding. */
const TOKEN_REGEXP = /^[A-Za-z0-9_-]{43}$/;
/** What a credential may be. */
const AUTH_REGEXP = /^[\x21-\x7e]{1,8192}$/;
/** What the label of a session may be. */
const LABEL_REGEXP = /^[\x21-\x7e]{1,128}$/;
/** What a name or a version may be. */
const NAME_REGEXP = /^[^\p{Cc}\u2028\u2029]{1,128}$/u;
/** The longest reason that is kept, in UTF-16 units. */
const MAX_REASON = 512;

/** How each control frame is read, by its name. */
const READERS: ReadonlyMap<unknown, (frame: readonly unknown[]) => ControlFrame | undefined> =
  new Map<unknown, (frame: readonly unknown[]) => ControlFrame | undefined>([
    ["hello", ([, content]) => isObject(content) ? readHello(content) : undefined],
    ["welcome", ([, content]) => isObject(content) ? readWelcome(content) : undefined],
    ["goaway", ([, content]) => isObject(content) ? readGoaway(content) : undefined],
    ["end", ([, content]) => isObject(content) ? readEnd(content) : undefined],
    ["ack", ([, count]) => isCount(count) ? { type: "ack", count } : undefined],
    ["bye", ([, count]) => isCount(count) ? { type: "bye", count } : undefined],
    ["ping", (frame) => readPing("ping", frame)],
    ["pong", (frame) => readPing("pong", frame)],
    ["drop", () => ({ type: "drop" })],
  ]);

/**
 * Reads a control frame.
 *
 * @param text The frame, which starts with `[`.
 * @returns What it says, or `undefined` if it breaks the protocol.
 */
export function parseControl(text: string): ControlFrame | undefined {
  if (text.length > MAX_UNITS) return undefined;
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Array.isArray(frame) ? READERS.get(frame[0])?.(frame) : undefined;
}

/** The text of a hello. */
export function helloFrame(hello: Hello): string {
  return JSON.stringify(["hello", hello]);
}

/** The text of a welcome. */
export function welcomeFrame(welcome: Welcome): string {
  return JSON.stringify(["welcome", { ...welcome, reason: readReason(welcome.reason) }]);
}

/** The text of a goaway. */
export function goawayFrame(goaway: Goaway): string {
  return JSON.stringify(["goaway", { ...goaway, reason: goaway.reason.slice(0, MAX_REASON) }]);
}

/** The text of an end. */
export function endFrame(end: End): string {
  return JSON.stringify(["end", { ...end, reason: end.reason.slice(0, MAX_REASON) }]);
}

/** The text of an acknowledgement. */
export function ackFrame(count: number): string {
  return `["ack",${count}]`;
}

/** The text of a goodbye. */
export function byeFrame(count: number): string {
  return `["bye",${count}]`;
}

/** The text of a ping or its answer. */
export function pingFrame(type: "ping" | "pong", mark: unknown, count: number): string {
  return JSON.stringify([type, mark, count]);
}

/** Gives up the message that is in pieces. */
export const DROP_FRAME = '["drop"]';

type Content = Readonly<Record<string, unknown>>;

function readHello(content: Content): ControlFrame | undefined {
  const { session, token, attempt, resume, received = 0, limits, accept, promptAck, auth } =
    content;
  const isSound = typeof session === "string" && LABEL_REGEXP.test(session) &&
    typeof token === "string" && TOKEN_REGEXP.test(token) &&
    isCount(attempt) && attempt > 0 && isCount(received) &&
    (auth === undefined || isCredential(auth));
  if (!isSound) return undefined;
  const hello: Hello = {
    session,
    token,
    attempt,
    resume: resume === true,
    received,
    limits: readLimits(limits),
    accept: readList(accept),
    promptAck: promptAck === true,
    ...(auth === undefined ? {} : { auth }),
    client: readName(content.client),
  };
  return { type: "hello", hello };
}

function isCredential(value: unknown): value is string {
  return typeof value === "string" && AUTH_REGEXP.test(value);
}

function readWelcome(content: Content): ControlFrame | undefined {
  const { resumed, received = 0, windowMs, limits, pingMs, accept, reason } = content;
  if (typeof resumed !== "boolean" || !isCount(received)) return undefined;
  const welcome: Welcome = {
    resumed,
    received,
    windowMs: clamp(windowMs, RANGES.windowMs),
    limits: readLimits(limits),
    pingMs: clamp(pingMs, RANGES.pingMs),
    accept: readList(accept),
    server: readName(content.server),
    reason: readReason(reason),
  };
  return { type: "welcome", welcome };
}

function readGoaway({ afterMs, reason, sessions, url }: Content): ControlFrame {
  const goaway: Goaway = {
    afterMs: clamp(afterMs, RANGES.afterMs),
    reason: readReason(reason) ?? "",
    sessions: sessions === "kept" ? "kept" : "lost",
    url: typeof url === "string" ? url : undefined,
  };
  return { type: "goaway", goaway };
}

function readEnd({ code, reason, retryAfterMs }: Content): ControlFrame | undefined {
  if (!isCount(code) || code < 1_000 || code > 4_999) return undefined;
  const end: End = {
    code,
    reason: readReason(reason) ?? "",
    retryAfterMs: clamp(retryAfterMs, RANGES.retryAfterMs),
  };
  return { type: "end", end };
}

function readPing(type: "ping" | "pong", frame: readonly unknown[]): ControlFrame | undefined {
  const [, mark = null, count] = frame;
  if (!isCount(count) || JSON.stringify(mark).length > MAX_MARK) return undefined;
  return { type, mark, count };
}

function readLimits(value: unknown): SessionLimits {
  const { messageBytes, bufferBytes, bufferMessages } = isObject(value) ? value : {};
  return {
    messageBytes: clamp(messageBytes, RANGES.messageBytes),
    bufferBytes: clamp(bufferBytes, RANGES.bufferBytes),
    bufferMessages: clamp(bufferMessages, RANGES.bufferMessages),
  };
}

function readName(value: unknown): EndName | undefined {
  if (!isObject(value)) return undefined;
  const { name, version } = value;
  const isSound = typeof name === "string" && NAME_REGEXP.test(name) &&
    typeof version === "string" && NAME_REGEXP.test(version);
  return isSound ? { name, version } : undefined;
}

function readList(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function readReason(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, MAX_REASON) : undefined;
}

/** RFC 8259, 6: what both ends count exactly. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
