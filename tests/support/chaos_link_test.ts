import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ChaosLink } from "./chaos_link.ts";
import { EARLY_BYTES, type Plan, randomCuts } from "./chaos_plan.ts";
import { seededRandom } from "./random.ts";
import { until } from "./until.ts";

type Heard = (peer: Peer, text: string) => Promise<void>;

/** One end of a connection, with all that it has read. */
class Peer implements AsyncDisposable {
  text = "";
  hasEnded = false;
  readonly #socket: Deno.TcpConn;
  readonly #reading: Promise<void>;

  constructor(socket: Deno.TcpConn, heard: Heard = async () => {}) {
    this.#socket = socket;
    this.#reading = this.#read(heard);
  }

  static async dial(port: number): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async write(text: string): Promise<void> {
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await this.#socket.write(rest));
  }

  async closeWrite(): Promise<void> {
    await this.#socket.closeWrite();
  }

  /** Waits until exactly this was read. */
  async reads(text: string): Promise<void> {
    await until(() => this.text.length >= text.length);
    assertEquals(this.text, text);
  }

  /** Waits until the other side has gone. */
  async ends(): Promise<void> {
    await until(() => this.hasEnded);
  }

  /** Waits until what it writes is refused. */
  async breaks(text = "x"): Promise<void> {
    await assertRejects(async () => {
      for (;;) {
        await this.write(text);
        await tick(1);
      }
    });
  }

  async close(): Promise<void> {
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #read(heard: Heard): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await this.#socket.read(buffer);
        if (count === null) break;
        const text = new TextDecoder().decode(buffer.subarray(0, count));
        this.text += text;
        await heard(this, text);
      }
    } catch {
      // A reset is an end too.
    }
    this.hasEnded = true;
  }
}

/** A TCP server that keeps what it hears, and says it again unless it is silent. */
class Server implements AsyncDisposable {
  readonly peers: Peer[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #accepting: Promise<void>;

  constructor(voice: "echo" | "silent" = "echo") {
    this.#accepting = this.#accept(voice);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** The connection of this number, from 0, as soon as there is one. */
  async peer(index = 0): Promise<Peer> {
    await until(() => this.peers.length > index);
    return this.peers[index] as Peer;
  }

  async close(): Promise<void> {
    try {
      this.#listener.close();
    } catch {
      // Closed already.
    }
    await this.#accepting;
    for (const peer of this.peers) await peer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #accept(voice: "echo" | "silent"): Promise<void> {
    for await (const socket of this.#listener) {
      this.peers.push(
        new Peer(socket, async (peer, text) => {
          // It goes on reading though nobody listens to it any more.
          if (voice === "echo") await peer.write(text).catch(() => {});
        }),
      );
    }
  }
}

/** A port nobody listens on. */
function deadPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

function always(plan: Plan): { plan: () => Plan } {
  return { plan: () => plan };
}

/** Time enough for bytes that should not arrive. */
async function tick(ms = 5): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

const TEXT = Array.from({ length: 1_000 }, (_, at) => String(at % 10)).join("");

Deno.test("ChaosLink forwards both ways and counts", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);

  await client.write(TEXT);
  await client.reads(TEXT);

  assertEquals(link.stats, {
    accepted: 1,
    refused: 0,
    open: 1,
    cuts: 0,
    up: 1_000,
    down: 1_000,
    swallowed: 0,
  });
});

Deno.test("ChaosLink.url() names the path", async () => {
  await using link = ChaosLink.open(deadPort());

  assertEquals(link.url(), `ws://127.0.0.1:${link.port}/mcp`);
  assertEquals(link.url("/other"), `ws://127.0.0.1:${link.port}/other`);
});

Deno.test("ChaosLink passes on the end of one direction and keeps the other", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);

  await client.write("request");
  await client.closeWrite();
  const peer = await server.peer();
  await peer.ends();
  await peer.write("response");
  await client.reads("response");
  await peer.closeWrite();

  await client.ends();
  await until(() => link.stats.open === 0);
  assertEquals(link.stats.cuts, 0);
});

Deno.test("ChaosLink passes on that a peer has gone", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);

  await (await server.peer()).close();

  await client.ends();
  await client.breaks();
  await until(() => link.stats.open === 0);
});

Deno.test("ChaosLink cuts after exactly the given bytes upwards", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ cut: { up: 123 } }));
  await using client = await Peer.dial(link.port);

  await client.write(TEXT);
  const peer = await server.peer();
  await peer.ends();
  await client.ends();

  assertEquals(peer.text, TEXT.slice(0, 123));
  assertEquals([link.stats.up, link.stats.cuts, link.stats.open], [123, 1, 0]);
});

Deno.test("ChaosLink cuts after exactly the given bytes downwards", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ cut: { down: 123 } }));
  await using client = await Peer.dial(link.port);

  await client.write(TEXT);
  await client.ends();
  const peer = await server.peer();
  await peer.ends();

  assertEquals(client.text, TEXT.slice(0, 123));
  assertEquals([link.stats.down, link.stats.cuts, link.stats.open], [123, 1, 0]);
});

Deno.test("ChaosLink counts the bytes of many small writes up to the cut", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ cut: { up: 500, down: 20 } }));
  await using client = await Peer.dial(link.port);

  for (let length = 1; length <= 20; length++) {
    await client.write(TEXT.slice(length - 1, length));
    await client.reads(TEXT.slice(0, length));
  }

  await client.ends();
  await client.breaks();
  assertEquals((await server.peer()).text, TEXT.slice(0, 20));
});

Deno.test("ChaosLink cuts when the last byte has passed, not when the next one comes", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port, always({ cut: { up: 10 } }));
  await using client = await Peer.dial(link.port);

  await client.write(TEXT.slice(0, 10));

  await client.ends();
  await (await server.peer()).reads(TEXT.slice(0, 10));
});

Deno.test("ChaosLink cuts after 0 bytes once the target was dialed", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ cut: { down: 0 } }));
  await using client = await Peer.dial(link.port);

  await client.ends();
  await (await server.peer()).ends();

  assertEquals([link.stats.up, link.stats.down, link.stats.cuts], [0, 0, 1]);
});

Deno.test("ChaosLink cuts exactly though megabytes are under way", async () => {
  await using server = new Server("silent");
  const after = 3_000_001;
  await using link = ChaosLink.open(server.port, always({ cut: { up: after } }));
  await using client = await Peer.dial(link.port);

  await assertRejects(() => client.write(TEXT.repeat(20_000)));
  const peer = await server.peer();
  await peer.ends();

  assertEquals(peer.text.length, after);
  assertEquals(link.stats.up, after);
});

Deno.test("ChaosLink asks for the plan of each connection in turn", async () => {
  await using server = new Server();
  const asked: number[] = [];
  await using link = ChaosLink.open(server.port, {
    plan: (index) => {
      asked.push(index);
      return index === 1 ? { cut: { down: 4 } } : {};
    },
  });

  for (const expected of [TEXT, TEXT.slice(0, 4), TEXT]) {
    await using client = await Peer.dial(link.port);
    await client.write(TEXT);
    await client.reads(expected);
  }

  assertEquals(asked, [0, 1, 2]);
});

Deno.test("ChaosLink refuses the connections whose plan says so", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ refuse: true }));
  await using client = await Peer.dial(link.port);

  await client.ends();

  assertEquals(server.peers.length, 0);
  assertEquals([link.stats.accepted, link.stats.refused, link.stats.cuts], [1, 1, 0]);
});

Deno.test("ChaosLink.refuse() turns away new connections, without a plan, until admit()", async () => {
  await using server = new Server();
  let plans = 0;
  await using link = ChaosLink.open(server.port, { plan: () => ({ latency: plans++ }) });
  await using first = await Peer.dial(link.port);
  await first.write("a");
  await first.reads("a");

  link.refuse();
  await using second = await Peer.dial(link.port);
  await second.ends();
  await first.write("b");
  await first.reads("ab");
  assertEquals([link.stats.accepted, link.stats.refused, plans], [2, 1, 1]);

  link.admit();
  await using third = await Peer.dial(link.port);
  await third.write("c");
  await third.reads("c");
});

Deno.test("ChaosLink.cut() cuts all present connections and no later one", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using first = await Peer.dial(link.port);
  await using second = await Peer.dial(link.port);
  await server.peer(1);

  assertEquals(link.cut(), 2);
  await first.ends();
  await second.ends();
  await Promise.all(server.peers.map((peer) => peer.ends()));
  assertEquals([link.stats.cuts, link.stats.open], [2, 0]);
  assertEquals(link.cut(), 0);

  await using third = await Peer.dial(link.port);
  await third.write("c");
  await third.reads("c");
});

Deno.test("ChaosLink.freeze() swallows what both sides go on writing", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);
  await client.write("before");
  const peer = await server.peer();
  await peer.reads("before");

  link.freeze();
  // Far more than the buffers of the kernel hold.
  await client.write(TEXT.repeat(10_000));
  await peer.write(TEXT.repeat(10_000));
  await until(() => link.stats.swallowed === 20_000_000);

  assertEquals([client.text, client.hasEnded], ["", false]);
  assertEquals([peer.text, peer.hasEnded], ["before", false]);
  assertEquals([link.stats.up, link.stats.down, link.stats.open], [6, 0, 1]);
});

Deno.test("ChaosLink.freeze() does not tell the server that the client has gone", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);
  const peer = await server.peer();

  link.freeze();
  await client.close();
  await tick();
  await peer.write(TEXT);
  await until(() => link.stats.swallowed === TEXT.length);

  assertEquals([peer.hasEnded, link.stats.open], [false, 1]);
});

Deno.test("ChaosLink.freeze() does not tell the client that the server has gone", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);
  const peer = await server.peer();

  link.freeze();
  await peer.close();
  await tick();
  await client.write(TEXT);
  await until(() => link.stats.swallowed === TEXT.length);

  assertEquals([client.hasEnded, link.stats.open], [false, 1]);
});

Deno.test("ChaosLink forgets a frozen connection when both sides have gone", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);
  const peer = await server.peer();

  link.freeze();
  await client.close();
  await peer.close();

  await until(() => link.stats.open === 0);
  assertEquals(link.stats.cuts, 0);
});

Deno.test("ChaosLink.thaw() lets new connections pass and leaves frozen ones dead", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using old = await Peer.dial(link.port);
  await server.peer();

  link.freeze();
  await using between = await Peer.dial(link.port);
  await between.write("lost");
  await until(() => link.stats.swallowed === 4);
  assertEquals(server.peers.length, 1);

  link.thaw();
  await old.write("lost");
  await between.write("lost");
  await using fresh = await Peer.dial(link.port);
  await fresh.write("heard");
  await fresh.reads("heard");
  await until(() => link.stats.swallowed === 12);
  assertEquals([old.text, old.hasEnded], ["", false]);
  assertEquals([between.text, between.hasEnded], ["", false]);

  assertEquals(link.cut(), 3);
  await Promise.all([old.ends(), between.ends(), fresh.ends()]);
});

Deno.test('ChaosLink.freeze("pass") lets new connections pass at once', async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using old = await Peer.dial(link.port);
  await server.peer();

  link.freeze("pass");
  await using fresh = await Peer.dial(link.port);
  await fresh.write("heard");
  await fresh.reads("heard");
  await old.write("lost");

  await until(() => link.stats.swallowed === 4);
  assertEquals([old.text, old.hasEnded], ["", false]);
});

Deno.test("ChaosLink.freeze() swallows though the receiver had stopped to read", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using link = ChaosLink.open(listener.addr.port);
  await using client = await Peer.dial(link.port);
  using _deaf = await listener.accept();
  const writing = client.write(TEXT.repeat(30_000));
  let seen = -1;
  await until(() => link.stats.up > 1_000_000 && seen === (seen = link.stats.up));

  link.freeze();
  await writing;

  await until(() => link.stats.swallowed > 0);
});

Deno.test("ChaosLink.release() completes a stalled dial", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ hold: true }));
  await using client = await Peer.dial(link.port);
  await client.write(TEXT);
  await until(() => link.stats.accepted === 1);
  await tick();
  assertEquals([server.peers.length, link.stats.up, client.hasEnded], [0, 0, false]);

  link.release();
  await client.reads(TEXT);

  await using next = await Peer.dial(link.port);
  await next.write("held again");
  await tick();
  assertEquals(server.peers.length, 1);
});

Deno.test("ChaosLink.release() delivers what a client said that has left meanwhile", async () => {
  await using server = new Server("silent");
  await using link = ChaosLink.open(server.port, always({ hold: true }));
  await using client = await Peer.dial(link.port);
  await client.write("late");
  await client.close();
  await until(() => link.stats.accepted === 1);

  link.release();

  const peer = await server.peer();
  await peer.reads("late");
  await peer.ends();
});

Deno.test("ChaosLink cuts, freezes and closes stalled dials", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ hold: true }));
  await using first = await Peer.dial(link.port);
  await until(() => link.stats.open === 1);

  assertEquals(link.cut(), 1);
  await first.ends();

  await using second = await Peer.dial(link.port);
  await until(() => link.stats.open === 1);
  link.freeze();
  link.release();
  await second.write("lost");
  await until(() => link.stats.swallowed === 4);
  link.thaw();

  await using third = await Peer.dial(link.port);
  await until(() => link.stats.open === 2);
  await link.close();
  await Promise.all([second.ends(), third.ends()]);
  assertEquals([server.peers.length, link.stats.open, link.stats.cuts], [0, 0, 1]);
});

Deno.test("ChaosLink delays a slow dial", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ delay: 40 }));
  const start = performance.now();
  await using client = await Peer.dial(link.port);
  await client.write(TEXT);
  await tick();
  assertEquals(server.peers.length, 0);

  await client.reads(TEXT);

  assert(performance.now() - start >= 35);
});

Deno.test("ChaosLink.close() does not wait for a slow dial", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ delay: 60_000 }));
  await using client = await Peer.dial(link.port);
  await until(() => link.stats.open === 1);

  await link.close();

  await client.ends();
});

Deno.test("ChaosLink throttles one direction and forwards all of it in order", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ throttle: { down: 10_000 } }));
  await using client = await Peer.dial(link.port);
  const start = performance.now();

  await client.write(TEXT);
  await (await server.peer()).reads(TEXT);
  assert(link.stats.down < 1_000);
  await client.reads(TEXT);

  assert(performance.now() - start >= 90);
});

Deno.test("ChaosLink.close() does not wait for throttled bytes", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ throttle: { up: 0.01 } }));
  await using client = await Peer.dial(link.port);
  await client.write(TEXT);
  await server.peer();
  await tick();

  await link.close();

  assertEquals(link.stats.up, 0);
});

Deno.test("ChaosLink keeps bytes under way for the latency", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ latency: 20 }));
  await using client = await Peer.dial(link.port);
  const start = performance.now();

  await client.write(TEXT);
  await client.reads(TEXT);

  assert(performance.now() - start >= 35);
});

Deno.test("ChaosLink.freeze() loses what is under way", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port, always({ latency: 60 }));
  await using client = await Peer.dial(link.port);
  const peer = await server.peer();
  await client.write(TEXT);
  await tick();

  link.freeze();

  await until(() => link.stats.swallowed === TEXT.length);
  assertEquals([peer.text, link.stats.up], ["", 0]);
});

Deno.test("ChaosLink.target leads new connections elsewhere and leaves the others", async () => {
  await using before = new Server();
  await using after = new Server();
  await using link = ChaosLink.open(before.port);
  await using old = await Peer.dial(link.port);
  await before.peer();

  link.target = after.port;
  await using fresh = await Peer.dial(link.port);
  await fresh.write("fresh");
  await fresh.reads("fresh");
  await old.write("old");
  await old.reads("old");

  assertEquals(before.peers.map(({ text }) => text), ["old"]);
  assertEquals(after.peers.map(({ text }) => text), ["fresh"]);
});

Deno.test("ChaosLink takes turns with several targets and skips those that are dead", async () => {
  await using first = new Server();
  await using second = new Server();
  await using link = ChaosLink.open([first.port, deadPort(), second.port]);

  for (let count = 1; count <= 6; count++) {
    await using client = await Peer.dial(link.port);
    await client.write("x");
    await client.reads("x");
  }

  assertEquals([first.peers.length, second.peers.length, link.stats.refused], [3, 3, 0]);
});

Deno.test("ChaosLink reaches the living target however many dial at once", async () => {
  await using server = new Server();
  await using link = ChaosLink.open([deadPort(), server.port]);

  await Promise.all(Array.from({ length: 20 }, async () => {
    await using client = await Peer.dial(link.port);
    await client.write("x");
    await client.reads("x");
  }));

  assertEquals(link.stats.refused, 0);
});

Deno.test("ChaosLink refuses when no target can be reached", async () => {
  await using link = ChaosLink.open([deadPort(), deadPort()]);
  await using client = await Peer.dial(link.port);

  await client.ends();

  assertEquals([link.stats.refused, link.stats.open, link.stats.cuts], [1, 0, 0]);
});

Deno.test("ChaosLink.close() ends every connection and can be called twice", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);
  const peer = await server.peer();

  await Promise.all([link.close(), link.close()]);

  await client.ends();
  await peer.ends();
  assertEquals([link.stats.open, link.stats.cuts], [0, 0]);
  await assertRejects(() => Peer.dial(link.port), Deno.errors.ConnectionRefused);
});

Deno.test("ChaosLink.close() ends connections whose receivers do not read", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using link = ChaosLink.open(listener.addr.port);
  await using client = await Peer.dial(link.port);
  using _deaf = await listener.accept();
  const writing = assertRejects(() => client.write(TEXT.repeat(30_000)));
  await until(() => link.stats.up > 1_000_000);

  await link.close();

  await writing;
});

Deno.test("ChaosLink.close() throws what a plan threw, and closes all the same", async () => {
  await using server = new Server();
  const link = ChaosLink.open(server.port, {
    plan: (index) => {
      if (index === 0) throw new TypeError("No plan");
      return {};
    },
  });
  await using first = await Peer.dial(link.port);
  await first.ends();
  await using second = await Peer.dial(link.port);
  await second.write("x");
  await second.reads("x");

  await assertRejects(() => link.close(), TypeError, "No plan");

  await second.ends();
});

for (const plan of [{ cut: { up: -1 } }, { cut: { down: NaN } }, { throttle: { up: 0 } }]) {
  Deno.test(`ChaosLink cannot carry out ${Deno.inspect(plan)}`, async () => {
    const link = ChaosLink.open(deadPort(), always(plan));
    await using client = await Peer.dial(link.port);
    await client.ends();

    await assertRejects(() => link.close(), RangeError);
  });
}

Deno.test("ChaosLink forwards tens of thousands of small writes", async () => {
  await using server = new Server();
  await using link = ChaosLink.open(server.port);
  await using client = await Peer.dial(link.port);

  for (let count = 1; count <= 20_000; count++) await client.write("0123456789");

  await until(() => client.text.length === 200_000);
  assertEquals(client.text, "0123456789".repeat(20_000));
});

Deno.test("ChaosLink leaves nothing open after a storm of connections", async () => {
  await using server = new Server();
  const random = seededRandom(7);
  await using link = ChaosLink.open(server.port, { plan: randomCuts(random, { maxBytes: 5_000 }) });

  await Promise.all(Array.from({ length: 100 }, async () => {
    await using client = await Peer.dial(link.port);
    // Whatever it says, it is cut at some time.
    await client.breaks(TEXT);
    await client.ends();
  }));

  await until(() => link.stats.open === 0);
  assertEquals([link.stats.accepted, link.stats.cuts], [100, 100]);
  await Promise.all(server.peers.map((peer) => peer.ends()));
});

Deno.test("randomCuts() cuts each connection where its plan says, and counts", async () => {
  await using server = new Server();
  const options = { maxBytes: 2_000, maxCuts: 20 };
  const planned = randomCuts(seededRandom(1), options);
  await using link = ChaosLink.open(server.port, { plan: randomCuts(seededRandom(1), options) });

  for (let index = 0; index < options.maxCuts; index++) {
    await using client = await Peer.dial(link.port);
    const { cut } = planned(index);
    // It may be cut before all is written.
    await client.write(TEXT.repeat(3)).catch(() => {});
    await client.ends();
    const peer = await server.peer(index);
    await peer.ends();
    if (cut?.up !== undefined) assertEquals(peer.text.length, cut.up);
    else assertEquals(client.text.length, cut?.down);
  }
  assertEquals(link.stats.cuts, 20);

  await using survivor = await Peer.dial(link.port);
  await survivor.write(TEXT.repeat(3));
  await survivor.reads(TEXT.repeat(3));
});

Deno.test("randomCuts() depends on the seed alone", () => {
  const plansOf = (seed: number) =>
    Array.from({ length: 50 }, (_, index) => index).map(randomCuts(seededRandom(seed)));

  assertEquals(plansOf(3), plansOf(3));
  assert(JSON.stringify(plansOf(3)) !== JSON.stringify(plansOf(4)));
});

Deno.test("randomCuts() stays within its bounds and keeps its shares", () => {
  const plan = randomCuts(seededRandom(5), {
    minBytes: 10,
    maxBytes: 50_000,
    upShare: 0.25,
    earlyShare: 0.4,
    maxCuts: 4_000,
  });
  const cuts = Array.from({ length: 4_000 }, (_, index) => plan(index).cut ?? {});
  const offsets = cuts.map(({ up, down }) => up ?? down ?? NaN);
  const ups = cuts.filter(({ up }) => up !== undefined).length;
  const early = offsets.filter((offset) => offset < EARLY_BYTES).length;

  assert(offsets.every((offset) => offset >= 10 && offset <= 50_000));
  assert(ups > 800 && ups < 1_200, `${ups} up`);
  assert(early > 1_400 && early < 1_800, `${early} early`);
  assertEquals(plan(4_000), {});
});

for (const [minBytes, maxBytes] of [[700, 900], [0, 100], [5, 5]] as const) {
  Deno.test(`randomCuts() stays between ${minBytes} and ${maxBytes} bytes`, () => {
    const plan = randomCuts(seededRandom(6), { minBytes, maxBytes });
    for (let index = 0; index < 500; index++) {
      const { up, down } = plan(index).cut ?? {};
      const offset = up ?? down ?? NaN;
      assert(offset >= minBytes && offset <= maxBytes, String(offset));
    }
  });
}

Deno.test("randomCuts() cannot cut between bounds the wrong way round", () => {
  assertThrows(() => randomCuts(Math.random, { minBytes: 2, maxBytes: 1 }), RangeError);
  assertThrows(() => randomCuts(Math.random, { minBytes: -1 }), RangeError);
});
