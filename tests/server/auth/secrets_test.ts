import { assertEquals } from "@std/assert";
import { digest, digestKey, isFreeOf } from "../../../server/auth/secrets.ts";

const SECRET = "header-header-header.payload-payload-payload.signature-signature";

Deno.test("digest() and digestKey() are the SHA-256", () => {
  const hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals(digest("abc").length, 32);
  assertEquals(new Uint8Array(digest("abc")).toHex(), hex);
  assertEquals(Uint8Array.fromBase64(digestKey("abc"), { alphabet: "base64url" }).toHex(), hex);
});

Deno.test("isFreeOf() finds a secret wherever it hides", () => {
  const error = new Error("outer", { cause: new Error(`inner ${SECRET}`) });
  const hidden = Object.defineProperty({}, "token", { value: SECRET, enumerable: false });
  const holders: unknown[] = [
    SECRET,
    `prefix ${SECRET} suffix`,
    "only its signature-signature",
    error,
    Object.assign(new Error("x"), { request: { headers: new Headers({ a: SECRET }) } }),
    { list: Array.from({ length: 500 }, (_, i) => i === 499 ? SECRET : "") },
    { text: `${"a".repeat(200_000)}${SECRET}` },
    hidden,
    new AggregateError([new Error(SECRET)]),
  ];
  for (const holder of holders) assertEquals(isFreeOf(holder, ["other", SECRET]), false);
});

Deno.test("isFreeOf() passes what holds none", () => {
  for (const value of [undefined, "fine", new Error("fine"), { a: [1, 2] }]) {
    assertEquals(isFreeOf(value, [SECRET]), true);
  }
  assertEquals(isFreeOf("anything", []), true);
});

Deno.test("isFreeOf() does not pass what it cannot look into", () => {
  const resists = {
    [Symbol.for("Deno.customInspect")]() {
      throw new Error("no");
    },
  };
  assertEquals(isFreeOf(resists, []), false);
});
