import fc from "fast-check";

/** What parsers have stumbled over before, of all kinds. */
const SPLINTERS: readonly string[] = [
  ..."{ } [ ] : , \" ' \\ / + = - . % @ # ? ; ~".split(" "),
  ..."null true false NaN 1e308 -0 1e400 9007199254740993 0x7f 010 __proto__ constructor".split(
    " ",
  ),
  ..."jsonrpc 2.0 id method params result error code message toString length then".split(" "),
  ...["\0", "\n", "\r\n", "\t", " ", "\ufeff", "\u2028", "\u202e", "\ud800", "\udc00", "\u{1f600}"],
  ...["\\u0000", "\\ud800", "\uff0f", "\u3002", "[[[[", "]]]]", '{"a":', "x".repeat(300)],
];

/** One change of a text; where is told in thousandths of it. */
interface Edit {
  readonly at: number;
  readonly kind: "insert" | "delete" | "replace" | "double" | "cut";
  readonly piece: string;
  readonly length: number;
}

/** Any UTF-16 units, lone surrogates too, and more often those that matter. */
export const anyText: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }) },
    { weight: 1, arbitrary: fc.integer({ min: 0xd800, max: 0xdfff }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 9, 10, 13, 0x7f, 0x80, 0x2028, 0xfeff) },
  ),
  { maxLength: 60 },
).map((units) => String.fromCharCode(...units));

/** Splinters and noise in a row. */
export const garbage: fc.Arbitrary<string> = fc.array(
  fc.oneof(fc.constantFrom(...SPLINTERS), anyText),
  { maxLength: 8 },
).map((pieces) => pieces.join(""));

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.integer({ min: 0, max: 1_000 }),
  kind: fc.constantFrom("insert", "delete", "replace", "double", "cut"),
  piece: fc.oneof(fc.constantFrom(...SPLINTERS), anyText),
  length: fc.integer({ min: 1, max: 12 }),
});

/** Texts that nearly are what they should be. */
export function mutated(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([text, edits]) => edits.reduce(apply, text));
}

/** Mostly what is nearly right, sometimes what is right, sometimes noise. */
export function hostile(valid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 2, arbitrary: valid },
    { weight: 5, arbitrary: mutated(valid) },
    { weight: 1, arbitrary: garbage },
  );
}

/** JSON values, with the members that objects of JavaScript are attacked by. */
export const jsonValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(
    ...[0, -1, 1, 2 ** 31, 2 ** 53, 1e308, -1e308, 0.5, Number.MIN_VALUE],
    ...["", "NaN", "1", "constructor", null, true, false],
    JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  ),
);

function apply(text: string, { at, kind, piece, length }: Edit): string {
  const start = Math.floor(text.length * at / 1_000);
  const [head, tail] = [text.slice(0, start), text.slice(start)];
  switch (kind) {
    case "insert":
      return head + piece + tail;
    case "delete":
      return head + tail.slice(length);
    case "replace":
      return head + piece + tail.slice(length);
    case "double":
      return head + tail.slice(0, length).repeat(2) + tail.slice(length);
    case "cut":
      return head;
  }
}
