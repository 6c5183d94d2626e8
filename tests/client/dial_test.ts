import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MCPConnectionError, MCPTimeoutError } from "../../protocol/errors.ts";
import { dial, type DialRequest, prepare } from "../../client/dial.ts";
import type { Link } from "../../protocol/link.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { setGlobal } from "../support/globals.ts";

/** A socket that does what the test says, like those of other runtimes. */
class StubSocket extends EventTarget {
  static readonly OPEN = 1;
  static last: StubSocket;
  readyState = 0;
  protocol = "mcp";
  closes = 0;

  constructor() {
    super();
    StubSocket.last = this;
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  close(): void {
    this.closes++;
    this.readyState = 3;
  }
}

interface Dialled {
  readonly clock: ManualClock;
  readonly controller: AbortController;
  readonly link: Promise<Link>;
  readonly socket: StubSocket;
}

function start(given: Partial<DialRequest<Link>> = {}): Dialled {
  const clock = new ManualClock();
  const controller = new AbortController();
  const link = dial({
    url: "ws://127.0.0.1:1/",
    name: "ws://127.0.0.1:1/",
    protocols: ["mcp"],
    headers: new Headers(),
    httpClient: undefined,
    timeout: 100,
    signal: controller.signal,
    take: (link: Link) => link,
    clock,
    ...given,
  });
  link.catch(() => {});
  return { clock, controller, link, socket: StubSocket.last };
}

Deno.test("dial() gives the link when the socket opens, and lets go of signal and timer", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  const { link, socket, clock, controller } = start();
  socket.open();
  assert((await link).isOpen);
  controller.abort();
  assertEquals([clock.timers, socket.closes], [0, 0]);
});

Deno.test("dial() does not begin when its signal has aborted", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  const reason = new Error("enough");
  const before = StubSocket.last;
  const { link } = start({ signal: AbortSignal.abort(reason) });
  assertStrictEquals(await assertRejects(() => link), reason);
  assertStrictEquals(StubSocket.last, before);
});

Deno.test("dial() hangs up when its signal aborts", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  const { link, socket, clock, controller } = start();
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => link), reason);
  assertEquals([socket.closes, clock.timers], [1, 0]);
});

Deno.test("dial() hangs up when it takes too long", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  const { link, socket, clock } = start();
  clock.advance(100);
  const error = await assertRejects(() => link, MCPTimeoutError);
  assertEquals([error.timeout, error.retryable], [100, true]);
  assertEquals([socket.closes, clock.timers], [1, 0]);
});

Deno.test("dial() closes a socket that opens although it was given up", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  const { link, socket, clock } = start();
  clock.advance(100);
  await assertRejects(() => link);
  socket.open();
  socket.dispatchEvent(new Event("error"));
  socket.dispatchEvent(new CloseEvent("close"));
  assertEquals(socket.closes, 2);
});

Deno.test("dial() fails with error alone, as Node 22 tells it, and with close alone", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  for (const event of [new Event("error"), new CloseEvent("close")]) {
    const { link, socket, clock } = start();
    socket.dispatchEvent(event);
    const error = await assertRejects(() => link, MCPConnectionError);
    assertEquals(error.message, 'Cannot connect to "ws://127.0.0.1:1/": no reason given');
    assertEquals([error.verdict?.cause, error.retryable], ["unreachable", true]);
    assertEquals([clock.timers, error.status], [0, undefined]);
  }
});

const TEXTS: readonly [string, string, number | undefined][] = [
  [
    "NetworkError: failed to connect to WebSocket: Invalid status code: 401",
    "unauthenticated",
    401,
  ],
  ["Expected 101 status code: 503", "capacity", 503],
  ["invalid peer certificate: UnknownIssuer", "tls", undefined],
  ["received fatal alert: HandshakeFailure", "tls", undefined],
  ["SELF_SIGNED_CERT_IN_CHAIN", "tls", undefined],
  ["tcp connect error", "unreachable", undefined],
];

Deno.test("dial() reads from the runtime's words why it failed", async () => {
  using _sockets = setGlobal("WebSocket", StubSocket);
  for (const [message, cause, status] of TEXTS) {
    const { link, socket } = start();
    socket.dispatchEvent(new ErrorEvent("error", { message }));
    const error = await assertRejects(() => link, MCPConnectionError);
    assertEquals([error.verdict?.cause, error.status], [cause, status], message);
  }
});

Deno.test("dial() takes a constructor that throws for misuse, which no redial cures", async () => {
  const cause = new DOMException("no", "SyntaxError");
  using _sockets = setGlobal(
    "WebSocket",
    class {
      constructor() {
        throw cause;
      }
    },
  );
  const { link, clock } = start();
  const error = await assertRejects(() => link, MCPConnectionError);
  assertEquals([error.kind, error.retryable, clock.timers], ["protocol", false, 0]);
  assertStrictEquals(error.cause, cause);
});

Deno.test("prepare() waits as long as the dial may take, and cleans up", async () => {
  const bounds = () => ({
    name: "x",
    timeout: 100,
    signal: new AbortController().signal,
    clock: new ManualClock(),
  });
  const fine = bounds();
  assertEquals(await prepare(Promise.resolve(7), fine), 7);
  assertEquals(fine.clock.timers, 0);
  const slow = bounds();
  const waiting = assertRejects(() => prepare(new Promise(() => {}), slow), MCPTimeoutError);
  slow.clock.advance(100);
  await waiting;
  const reason = new Error("enough");
  const aborted = { ...bounds(), signal: AbortSignal.abort(reason) };
  assertStrictEquals(
    await assertRejects(() => prepare(new Promise(() => {}), aborted)),
    reason,
  );
  assertEquals(aborted.clock.timers, 0);
});
