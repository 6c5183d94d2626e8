import type { FlattenedJWSInput } from "jose";
import { assertEquals, assertRejects } from "@std/assert";
import { KeysUnavailable, remoteKeys, type RemoteKeysOptions } from "../../../server/auth/jwks.ts";
import { createIssuer, serveKeys } from "./_issuer.ts";

const issuer = await createIssuer("key-1");
const next = await createIssuer("key-2");

/** Keys whose time the test moves. */
function create(url: URL, change: Partial<RemoteKeysOptions> = {}): {
  find: (kid?: string) => Promise<unknown>;
  pass: (ms: number) => void;
} {
  let now = 0;
  const options = { cacheAge: 60_000, cooldown: 10_000, timeout: 5_000, now: () => now, ...change };
  const keys = remoteKeys(url, options);
  return {
    find: async (kid = "key-1") => await keys({ alg: "ES256", kid }, {} as FlattenedJWSInput),
    pass: (ms) => now += ms,
  };
}

Deno.test("remoteKeys() fetches once for all who wait, and keeps what it has", async () => {
  await using server = serveKeys(() => Response.json(issuer.jwks));
  const { find, pass } = create(server.url);
  await Promise.all([find(), find(), find()]);
  pass(59_999);
  await find();
  assertEquals(server.fetches(), 1);
  pass(1);
  await find();
  assertEquals(server.fetches(), 2);
});

Deno.test("remoteKeys() looks for a new key once in a while, however many ask for it", async () => {
  await using server = serveKeys(() => Response.json(issuer.jwks));
  const { find, pass } = create(server.url);
  await find();
  for (let i = 0; i < 20; i++) await assertRejects(() => find("key-2"), Error, "no applicable key");
  assertEquals(server.fetches(), 1);
  server.answer = () => Response.json(next.jwks);
  pass(10_000);
  await find("key-2");
  assertEquals(server.fetches(), 2);
  for (let i = 0; i < 20; i++) await assertRejects(() => find("key-3"), Error, "no applicable key");
  assertEquals(server.fetches(), 2);
});

Deno.test("remoteKeys() asks a server that is down once a second, and recovers", async () => {
  await using server = serveKeys(() => new Response(null, { status: 503 }));
  const { find, pass } = create(server.url);
  for (let i = 0; i < 20; i++) await assertRejects(() => find(), KeysUnavailable);
  assertEquals(server.fetches(), 1);
  pass(1_000);
  await assertRejects(() => find(), KeysUnavailable);
  assertEquals(server.fetches(), 2);
  server.answer = () => Response.json(issuer.jwks);
  pass(1_000);
  await find();
  assertEquals(server.fetches(), 3);
});

Deno.test("remoteKeys() uses old keys while there are no new ones, but not for ever", async () => {
  await using server = serveKeys(() => Response.json(issuer.jwks));
  const { find, pass } = create(server.url);
  await find();
  server.answer = () => new Response(null, { status: 500 });
  pass(119_999);
  await find();
  pass(1);
  await assertRejects(() => find(), KeysUnavailable);
});

Deno.test("remoteKeys() serves known keys while somebody asks for unknown ones in vain", async () => {
  await using server = serveKeys(() => Response.json(issuer.jwks));
  const { find, pass } = create(server.url);
  await find();
  server.answer = () => new Response(null, { status: 500 });
  pass(10_000);
  await assertRejects(() => find("key-2"), KeysUnavailable);
  await find();
});

Deno.test("remoteKeys() takes no garbage", async () => {
  const answers: [name: string, answer: () => Response][] = [
    ["no JSON", () => new Response("<html>")],
    ["nothing", () => new Response(null)],
    ["null", () => Response.json(null)],
    ["a list", () => Response.json([])],
    ["no keys", () => Response.json({})],
    ["keys that are none", () => Response.json({ keys: [1, null, []] })],
    ["too much", () => new Response(`{"keys":[]}${" ".repeat(1024 * 1024)}`)],
    ["not modified", () => new Response(null, { status: 304 })],
    ["an error", () => new Response("error", { status: 404 })],
  ];
  for (const [name, answer] of answers) {
    await using server = serveKeys(answer);
    const error = await assertRejects(() => create(server.url).find(), KeysUnavailable);
    assertEquals(
      error.message,
      `Cannot fetch keys from "${server.url.origin}": the fetch failed`,
      name,
    );
  }
});

Deno.test("remoteKeys() follows nobody elsewhere, not even to good keys", async () => {
  await using elsewhere = serveKeys(() => Response.json(issuer.jwks));
  await using server = serveKeys(() => Response.redirect(elsewhere.url));
  await assertRejects(() => create(server.url).find(), KeysUnavailable);
  assertEquals(elsewhere.fetches(), 0);
});

Deno.test("remoteKeys() waits for no slow answer, nor for the rest of one", async () => {
  const pending = Promise.withResolvers<Response>();
  const endless = () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"keys":[')),
    });
    return new Response(body);
  };
  for (const answer of [() => pending.promise, endless]) {
    await using server = serveKeys(answer);
    const start = performance.now();
    const { find } = create(server.url, { timeout: 50 });
    const error = await assertRejects(() => find(), KeysUnavailable);
    assertEquals(
      error.message,
      `Cannot fetch keys from "${server.url.origin}": no answer within 50 ms`,
    );
    assertEquals(performance.now() - start < 2_000, true);
    pending.resolve(new Response());
  }
});

Deno.test("remoteKeys() fails where nobody answers, and quotes no more than the origin", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const url = new URL(`http://127.0.0.1:${port}/jwks.json?secret=1`);
  const error = await assertRejects(() => create(url).find(), KeysUnavailable);
  assertEquals(
    error.message,
    `Cannot fetch keys from "http://127.0.0.1:${port}": the fetch failed`,
  );
});
