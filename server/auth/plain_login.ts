import type { Clock, Timer } from "../../protocol/clock.ts";
import { CLOSE_CODES } from "../../protocol/close_codes.ts";
import { isPromiseLike } from "../../protocol/guard.ts";
import { HeldFrames } from "../../protocol/held_frames.ts";
import { isRequest, type JsonRpcMessage, type JsonRpcRequest } from "../../protocol/jsonrpc.ts";
import type { CloseInfo, Link, LinkEvents } from "../../protocol/link.ts";
import { PlainReader } from "../../protocol/plain.ts";
import type { Visitor } from "../visitor.ts";
import { AUTHENTICATE } from "../../protocol/mcp.ts";
import { authenticationAnswer } from "./authenticate.ts";
import type { Denied } from "./gate.ts";

/** What a {@linkcode PlainLogin} needs. */
export interface PlainLoginOptions {
  /** Judges a token. */
  readonly judge: (token: unknown) => Visitor | Denied | Promise<Visitor | Denied>;
  /** The client is known; it gets what came in meanwhile. */
  readonly done: (visitor: Visitor, frames: readonly string[]) => void;
  /** The connection has ended, or is about to. */
  readonly gone: () => void;
  /** The client was sent away. */
  readonly refused: (info: CloseInfo) => void;
  /** Where time comes from. */
  readonly clock: Clock;
}

/** Time to say who one is, in milliseconds. */
const LOGIN_TIMEOUT = 10_000;
/** Tokens that may be wrong on one connection. */
const MAX_ATTEMPTS = 3;
/** Other requests that are answered before that. */
const MAX_OTHERS = 16;
/** What an unknown client may send at once, in bytes. */
const MAX_BYTES = 64 * 1024;

/**
 * A connection in plain MCP whose client could show nothing with its upgrade
 * request: it has to begin with a request `authenticate`, and is served nothing before.
 */
export class PlainLogin implements LinkEvents {
  readonly #link: Link;
  readonly #options: PlainLoginOptions;
  readonly #held = new HeldFrames(MAX_BYTES);
  readonly #reader: PlainReader;
  readonly #timer: Timer;
  #attempts = 0;
  #others = 0;
  #isJudging = false;
  #isOver = false;

  /**
   * @param link The connection, open; it is listened to from now on.
   * @param options Who decides.
   */
  constructor(link: Link, options: PlainLoginOptions) {
    this.#link = link;
    this.#options = options;
    this.#reader = new PlainReader(
      {
        message: (message) => this.#hear(message),
        fault: (_error, reply) => link.send(JSON.stringify(reply)),
        violation: (code, reason) => this.#refuse(code, reason),
      },
      "server",
      MAX_BYTES,
    );
    this.#timer = options.clock.after(
      LOGIN_TIMEOUT,
      () => this.#refuse(CLOSE_CODES.UNAUTHENTICATED, "No credential came in time"),
    );
    link.redirect(this);
  }

  /** See {@linkcode LinkEvents}. */
  frame(data: unknown): void {
    if (this.#isOver) return;
    if (!this.#isJudging) return this.#reader.read(data);
    if (this.#held.hold(data)) return;
    this.#refuse(CLOSE_CODES.PROTOCOL_ERROR, "Too much came before the client was known");
  }

  /** See {@linkcode LinkEvents}. */
  closed(): void {
    this.#end();
    this.#options.gone();
  }

  #hear(message: JsonRpcMessage): void {
    if (!isRequest(message)) return;
    if (message.method === AUTHENTICATE) return this.#judge(message);
    if (++this.#others > MAX_OTHERS) {
      return this.#refuse(CLOSE_CODES.UNAUTHENTICATED, "The first request must be authenticate");
    }
    this.#answer(message, "Authentication is required: the first request must be authenticate");
  }

  #judge(request: JsonRpcRequest): void {
    this.#isJudging = true;
    const conclude = (outcome: Visitor | Denied) => this.#conclude(request, outcome);
    const outcome = this.#options.judge(request.params?.token);
    if (isPromiseLike(outcome)) outcome.then(conclude);
    else conclude(outcome);
  }

  #conclude(request: JsonRpcRequest, outcome: Visitor | Denied): void {
    if (this.#isOver) return;
    this.#isJudging = false;
    if ("place" in outcome) {
      this.#answer(request);
      return this.#options.done(outcome, this.#end());
    }
    this.#answer(request, outcome.reason);
    if (++this.#attempts === MAX_ATTEMPTS) return this.#refuse(outcome.code, outcome.reason);
    for (const data of this.#held.release()) this.frame(data);
  }

  #answer({ id }: JsonRpcRequest, fault?: string): void {
    this.#link.send(JSON.stringify(authenticationAnswer(id, fault)));
  }

  #refuse(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#link.close(code, reason);
    this.#options.refused({ code, reason });
  }

  #end(): string[] {
    this.#isOver = true;
    this.#timer.clear();
    return this.#held.release();
  }
}
