import { type ClientConn, hangUp } from "./client_conn.ts";
import type { EndCause } from "./end_cause.ts";
import { HeadBuffer, latin1 } from "./head_buffer.ts";
import { Intake } from "./intake.ts";
import type { GuardSettings } from "./options.ts";
import { Outlet } from "./outlet.ts";
import { forwardedHead, readRequestHead, type RequestHead } from "./request_head.ts";
import { readResponseHead, refusalText, type ResponseHead } from "./response_head.ts";
import { Tunnel } from "./tunnel.ts";

/** What a connection needs of its guard. */
export interface ConnectionHost {
  /** The bounds. */
  readonly settings: GuardSettings;
  /** Connects to the server. */
  dial(): Promise<Deno.Conn>;
  /** Gives out a ticket for the client. */
  issueTicket(): string;
  /** Makes it worthless. */
  revokeTicket(ticket: string): void;
  /** Told once, when the connection has become a WebSocket. */
  opened(): void;
  /** Told by how much the bytes of unfinished messages have changed. */
  held(change: number): void;
}

/** A head, and what came after it. */
interface Read<Head> {
  readonly head: Head;
  readonly rest: Uint8Array;
}

/** How long a client may take to leave after it was told to, in milliseconds. */
const LINGER_TIMEOUT = 2_000;
/** The longest head of an answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * One client, from `accept` to its end. It waits for nothing that
 * {@linkcode GuardedConnection.check} does not end.
 */
export class GuardedConnection {
  readonly #client: ClientConn;
  readonly #host: ConnectionHost;
  readonly #fromClient = new Intake();
  readonly #fromServer = new Intake();
  readonly #toClient: Outlet;
  #server: Deno.Conn | undefined;
  #ticket: string | undefined;
  #tunnel: Tunnel | undefined;
  #phase: "head" | "answer" | "open" | "leaving" | "closed" = "head";
  /** When the phase must be over, in milliseconds; what is open has other rules. */
  #deadline: number;
  #cause: EndCause = "done";
  #hasSpoken = false;
  #isAnswered = false;
  #farewell: Promise<void> | undefined;

  /**
   * @param client The client.
   * @param host The guard.
   */
  constructor(client: ClientConn, host: ConnectionHost) {
    const { clock, headerTimeout } = host.settings;
    this.#client = client;
    this.#host = host;
    this.#toClient = new Outlet(client, clock);
    this.#deadline = clock.now() + headerTimeout;
  }

  /** Bytes that have come of a message that has not ended. */
  get heldBytes(): number {
    return this.#tunnel?.heldBytes ?? 0;
  }

  /**
   * Serves the client; never rejects.
   *
   * @returns Why it has ended, once nothing of it is left.
   */
  async run(): Promise<EndCause> {
    try {
      await this.#serve();
    } catch {
      // One of the two has left without a word, or was cut off.
    }
    await this.#drain();
    this.kill(this.#cause);
    await this.#client.finished;
    return this.#cause;
  }

  /**
   * Ends both sides at once. Doing so twice is fine.
   *
   * @param cause Why.
   */
  kill(cause: EndCause): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#cause = cause;
    if (this.#ticket !== undefined) this.#host.revokeTicket(this.#ticket);
    this.#tunnel?.release();
    this.#client.close();
    hangUp(this.#server);
  }

  /**
   * Ends what has taken too long; to be called again and again.
   *
   * @param now The current time, in milliseconds.
   */
  check(now: number): void {
    if (this.#phase === "open") {
      const cause = this.#tunnel?.overdue(now);
      if (cause !== undefined) this.kill(cause);
    } else if (now > this.#deadline) this.#timeUp();
  }

  #timeUp(): void {
    switch (this.#phase) {
      case "head":
        // Who has said nothing gets no answer: it may be a browser's spare connection.
        if (this.#hasSpoken) this.#refuse(408, "The request took too long", "headerTimeout");
        else this.kill("headerTimeout");
        return;
      case "answer":
        if (this.#isAnswered) return this.kill("answerTimeout");
        this.#refuse(504, "The server took too long", "answerTimeout");
        hangUp(this.#server);
        return;
      case "leaving":
        return this.kill(this.#cause);
      case "open":
      case "closed":
    }
  }

  async #serve(): Promise<void> {
    const request = await this.#readRequest();
    const server = request && await this.#forward(request.head);
    const answer = server && await this.#readAnswer(server, request.head.isUpgrade);
    if (answer === undefined || server === undefined) return;
    this.#isAnswered = true;
    await this.#toClient.write(latin1(answer.head.text));
    if (answer.head.isUpgraded) await this.#open(server, request?.rest, answer.rest);
    else await this.#respond(server, answer.rest);
  }

  async #readRequest(): Promise<Read<RequestHead> | undefined> {
    const buffer = new HeadBuffer(this.#host.settings.maxHeaderBytes);
    for (;;) {
      const chunk = await this.#fromClient.read(this.#client);
      if (chunk === null || this.#phase !== "head") return undefined;
      this.#hasSpoken = true;
      const { status, taken } = buffer.push(chunk);
      if (status === "tooLarge") return this.#refuse(431, "The headers are too large");
      if (status === "incomplete") continue;
      const head = readRequestHead(buffer.text());
      if (head.type === "refuse") return this.#refuse(head.status, head.reason);
      return { head, rest: chunk.subarray(taken) };
    }
  }

  /** Only complete heads reach the server, one on each connection. */
  async #forward(head: RequestHead): Promise<Deno.Conn | undefined> {
    this.#enter("answer", this.#host.settings.answerTimeout);
    try {
      const server = await this.#host.dial();
      this.#server = server;
      // The time was up while it was dialled.
      if (this.#phase !== "answer") return void hangUp(server);
      this.#ticket = this.#host.issueTicket();
      await new Outlet(server, this.#host.settings.clock)
        .write(latin1(forwardedHead(head, this.#ticket)));
      return server;
    } catch {
      return this.#refuse(503, "The server cannot be reached", "unreachable");
    }
  }

  async #readAnswer(
    server: Deno.Conn,
    isUpgrade: boolean,
  ): Promise<Read<ResponseHead> | undefined> {
    const buffer = new HeadBuffer(MAX_ANSWER_BYTES);
    for (;;) {
      const chunk = await this.#fromServer.read(server).catch(() => null);
      if (chunk === null) return this.#refuse(503, "The server has hung up", "unreachable");
      const { status, taken } = buffer.push(chunk);
      if (status === "tooLarge") throw new RangeError("The answer's head is too large");
      if (status === "incomplete") continue;
      return { head: readResponseHead(buffer.text(), isUpgrade), rest: chunk.subarray(taken) };
    }
  }

  /** What was asked for beyond the one request is never read. */
  async #respond(server: Deno.Conn, first: Uint8Array): Promise<void> {
    let chunk: Uint8Array | null = first;
    while (chunk !== null) {
      await this.#toClient.write(chunk);
      this.#enter("answer", this.#host.settings.answerTimeout);
      chunk = await this.#fromServer.read(server);
    }
    this.#leave("done");
    await this.#client.closeWrite();
  }

  async #open(
    server: Deno.Conn,
    fromClient: Uint8Array = new Uint8Array(),
    fromServer: Uint8Array,
  ): Promise<void> {
    this.#phase = "open";
    this.#host.opened();
    this.#tunnel = new Tunnel({
      client: this.#client,
      server,
      fromClient: this.#fromClient,
      fromServer: this.#fromServer,
      toClient: this.#toClient,
      settings: this.#host.settings,
      held: (change) => this.#host.held(change),
      leave: (cause) => this.#leave(cause),
      kill: (cause) => this.kill(cause),
    });
    await this.#tunnel.run(fromClient, fromServer);
  }

  #refuse(status: number, reason: string, cause: EndCause = "refused"): undefined {
    if (this.#phase !== "head" && this.#phase !== "answer") return;
    this.#leave(cause);
    this.#farewell = this.#toClient.write(latin1(refusalText(status, reason)))
      .then(() => this.#client.closeWrite())
      .catch(() => this.kill(cause));
  }

  #leave(cause: EndCause): void {
    if (this.#phase === "leaving" || this.#phase === "closed") return;
    this.#cause = cause;
    this.#enter("leaving", LINGER_TIMEOUT);
  }

  #enter(phase: "answer" | "leaving", timeout: number): void {
    if (this.#phase === "closed") return;
    this.#phase = phase;
    this.#deadline = this.#host.settings.clock.now() + timeout;
  }

  /** Closing while the client still sends would make its kernel throw the answer away. */
  async #drain(): Promise<void> {
    await this.#farewell;
    if (this.#phase !== "leaving") return;
    try {
      while (await this.#fromClient.read(this.#client) !== null);
    } catch {
      // It has left.
    }
  }
}
