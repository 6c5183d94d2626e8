import { assertEquals } from "@std/assert";
import { Backlog } from "../../server/backlog.ts";
import { ManualClock } from "../support/manual_clock.ts";

const MIB = 2 ** 20;

function createBacklog() {
  const clock = new ManualClock();
  const socket = { bufferedAmount: 0, isCongested: false };
  const sender = { sent: 0, waitingMessages: 0 };
  const state = { stuck: 0 };
  const backlog = new Backlog(socket, sender, clock, { stuck: () => void state.stuck++ });
  const fill = (bytes: number) => {
    socket.bufferedAmount = bytes;
    socket.isCongested = bytes > MIB;
    backlog.written();
  };
  return { clock, socket, sender, state, backlog, fill };
}

Deno.test("Backlog sets no timer while the socket has room", () => {
  const { clock, fill } = createBacklog();
  fill(MIB);
  assertEquals(clock.timers, 0);
});

Deno.test("Backlog gives up a socket that has stood still for ten seconds", () => {
  const { clock, state, fill } = createBacklog();
  fill(MIB + 1);
  clock.advance(9_999);
  assertEquals(state.stuck, 0);
  clock.advance(1);
  assertEquals([state.stuck, clock.timers], [1, 0]);
});

Deno.test("Backlog is patient with a peer that reads, however slowly", () => {
  const { clock, socket, sender, state, fill } = createBacklog();
  fill(2 * MIB);
  for (let i = 0; i < 10; i++) {
    clock.advance(9_000);
    socket.bufferedAmount--;
  }
  // What was read is written anew at once: that, too, is progress.
  for (let i = 0; i < 10; i++) {
    clock.advance(9_000);
    sender.sent++;
  }
  assertEquals(state.stuck, 0);
  // Acknowledgements are none.
  for (let i = 0; i < 11; i++) {
    socket.bufferedAmount += 10;
    clock.advance(1_000);
  }
  assertEquals(state.stuck, 1);
});

Deno.test("Backlog stops looking when the socket has room and nothing waits", () => {
  const { clock, socket, sender, state, fill } = createBacklog();
  fill(2 * MIB);
  sender.waitingMessages = 1;
  Object.assign(socket, { bufferedAmount: 0, isCongested: false });
  clock.advance(60_000);
  assertEquals([state.stuck, clock.timers], [0, 1]);
  sender.waitingMessages = 0;
  clock.advance(1_000);
  assertEquals(clock.timers, 0);
  fill(2 * MIB);
  clock.advance(10_000);
  assertEquals(state.stuck, 1);
});

Deno.test("Backlog accuses nobody because this side was asleep", () => {
  const { clock, state, fill } = createBacklog();
  fill(2 * MIB);
  clock.stall(3_600_000);
  clock.advance(1_000);
  assertEquals(state.stuck, 0);
});

Deno.test("Backlog.stop() leaves no timer behind", () => {
  const { clock, state, backlog, fill } = createBacklog();
  fill(2 * MIB);
  backlog.stop();
  backlog.stop();
  assertEquals(clock.timers, 0);
  clock.advance(60_000);
  assertEquals(state.stuck, 0);
});
