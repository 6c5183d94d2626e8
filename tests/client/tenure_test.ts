import { assertEquals } from "@std/assert";
import type { LiveConnection } from "../../client/live_connection.ts";
import { type Loss, lossOf } from "../../client/recovery.ts";
import { Tenure } from "../../client/tenure.ts";
import { isPending } from "../support/until.ts";

function connect(hasProgressed = false) {
  const { promise: lost, resolve: lose } = Promise.withResolvers<Loss>();
  const connection = { lost, hasProgressed } as LiveConnection;
  return { connection, lose: (code: number) => lose(lossOf({ code, reason: "" })) };
}

Deno.test("Tenure is lost with its connection", async () => {
  const first = connect();
  const tenure = new Tenure(first.connection);
  assertEquals(await isPending(tenure.lost), true);
  first.lose(1012);
  assertEquals((await tenure.lost).code, 1012);
});

Deno.test("Tenure outlives a connection that another one has followed, in time", async () => {
  const first = connect();
  const second = connect();
  const tenure = new Tenure(first.connection);
  first.lose(4409);
  // In the same turn: nobody has heard of the loss yet.
  tenure.follow(second.connection);
  assertEquals(await isPending(tenure.lost), true);
  second.lose(1001);
  assertEquals((await tenure.lost).code, 1001);
});

Deno.test("Tenure has progressed as far as its last connection has", () => {
  const tenure = new Tenure(connect(true).connection);
  assertEquals(tenure.hasProgressed, true);
  tenure.follow(connect(false).connection);
  assertEquals(tenure.hasProgressed, false);
});
