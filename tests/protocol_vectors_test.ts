import { assert, assertEquals, assertRejects } from "@std/assert";
import { CLOSE_CODES, closeVerdict } from "../protocol/close_codes.ts";
import { runVector, type Step, type Value, type VectorFile } from "./support/vectors.ts";

const ROOT = new URL("../", import.meta.url);
const read = (file: string) => Deno.readTextFile(new URL(file, ROOT));

const text = await read("docs/protocol_vectors.json");
const { vectors, verdicts, matchers, steps }: VectorFile = JSON.parse(text);
const spec = await read("docs/protocol.md");

/** A client that has been welcomed. */
const WELCOMED: readonly Step[] = [
  { dial: "a" },
  { out: ["hello", { attempt: 1 }] },
  { in: ["welcome", { resumed: false }] },
  { event: { type: "open" } },
];

/** Names of the members of an interface, from its source. */
async function membersOf(file: string, name: string): Promise<string[]> {
  const source = await read(file);
  const [, body = ""] = source.match(new RegExp(`interface ${name} \\{([^}]*)\\}`)) ?? [];
  const members = [...body.matchAll(/readonly (\w+)\??:/g)].map(([, member = ""]) => member);
  assert(members.length > 0, `no members of ${name}`);
  return members;
}

/** The text under a heading of the specification, up to the next one of its level or above. */
function sectionOf(heading: string): string {
  const lines = spec.split("\n");
  const start = lines.findIndex((line) => line.replace(/^#+ /, "") === heading);
  assert(start >= 0, `docs/protocol.md has no heading "${heading}"`);
  const level = lines[start]!.indexOf(" ");
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line) && line.indexOf(" ") <= level);
  return rest.slice(0, end < 0 ? undefined : end).join("\n");
}

/** The names of all members anywhere in a value that begin with a character. */
function namesIn(value: Value, start: string): Set<string> {
  if (typeof value !== "object" || value === null) return new Set();
  if (Array.isArray(value)) return new Set(value.flatMap((entry) => [...namesIn(entry, start)]));
  const names = Object.keys(value).filter((name) => name.startsWith(start));
  return new Set([
    ...names,
    ...Object.values(value).flatMap((entry) => [...namesIn(entry, start)]),
  ]);
}

for (const vector of vectors) {
  Deno.test(`protocol vectors, ${vector.name}`, () => runVector(vector));
}

for (const { code, cause, end, closed, unwelcomed } of verdicts) {
  const run = (steps: readonly Step[]) =>
    runVector({ name: "", section: "Close codes", end: "client", steps });
  Deno.test(`protocol vectors, verdict on ${code}`, async () => {
    assertEquals(closeVerdict(code).cause, cause);
    const lost = (pace: string) => ({ event: { type: "lost", code, pace } });
    if (end !== "") {
      await run([...WELCOMED, { in: ["end", { code }] }, { closes: 1000 }, lost(end)]);
    }
    await run([...WELCOMED, { drops: "a", code }, lost(closed)]);
    await run([...WELCOMED.slice(0, 2), { drops: "a", code }, lost(unwelcomed)]);
  });
}

Deno.test("protocol vectors fail when they are changed", async () => {
  const [vector] = vectors;
  assert(vector !== undefined);
  const changes: readonly (readonly Step[])[] = [
    vector.steps.slice(0, -1),
    [...vector.steps, { out: ["ack", 0] }],
    vector.steps.map((step) => "out" in step ? { out: ["hello", { attempt: 2 }] } : step),
    vector.steps.map((step) => "event" in step ? { event: { type: "resumed" } } : step),
  ];
  for (const steps of changes) await assertRejects(() => runVector({ ...vector, steps }));
});

Deno.test("protocol vectors each have a name of their own, and a section of docs/protocol.md", () => {
  assertEquals(new Set(vectors.map(({ name }) => name)).size, vectors.length);
  for (const section of new Set(vectors.map(({ section }) => section))) sectionOf(section);
});

Deno.test("protocol vectors describe the steps and the matchers that they use", () => {
  const used = new Set(vectors.flatMap(({ steps }) => steps.map((step) => Object.keys(step)[0]!)));
  assertEquals([...used].sort(), Object.keys(steps).sort());
  const rules = namesIn(vectors as unknown as Value, "$");
  rules.delete("$times");
  assertEquals([...rules].sort(), Object.keys(matchers).sort());
});

Deno.test("protocol vectors hold every control frame, in both directions where it has two", async () => {
  const source = await read("protocol/session/control.ts");
  const names = [...source.matchAll(/^ {4}\["(\w+)", /gm)].map(([, name = ""]) => name);
  assertEquals(names.length, 9);
  const seen = (way: "in" | "out", end: string) =>
    new Set(
      vectors.filter((vector) => vector.end === end)
        .flatMap(({ steps }) => steps.map((step) => step[way]))
        .filter((frame) => Array.isArray(frame)).map(([name]) => name),
    );
  const missing = (names: readonly string[], ...sets: Set<unknown>[]) =>
    names.filter((name) => sets.some((set) => !set.has(name)));
  const byClient = names.filter((name) => !["welcome", "goaway", "end"].includes(name));
  const byServer = names.filter((name) => name !== "hello");
  assertEquals(missing(byClient, seen("in", "server")), []);
  assertEquals(missing(byServer, seen("in", "client")), []);
  // An end has no need to ping or to drop on a socket that is never slow; ours do.
  assertEquals(missing(byClient, seen("out", "client")), []);
  assertEquals(missing(byServer, seen("out", "server")), []);
  for (const name of names) assert(spec.includes(`\`["${name}"`), `docs/protocol.md on ${name}`);
});

Deno.test("protocol vectors and docs/protocol.md hold every close code", () => {
  const table = sectionOf("Close codes");
  const documented = new Set(
    [...table.matchAll(/^\| ([\d, ]+?) +\|/gm)].flatMap(([, codes = ""]) => codes.split(", ")),
  );
  const told = new Set(verdicts.map(({ code }) => String(code)));
  assertEquals([...documented].sort(), [...told].sort());
  for (const code of Object.values(CLOSE_CODES)) assert(documented.has(String(code)), `${code}`);
});

Deno.test("docs/protocol.md tells every member of every control frame", async () => {
  const missing: string[] = [];
  for (const name of ["Hello", "Welcome", "Goaway", "End"]) {
    const section = sectionOf(name.toLowerCase());
    for (const member of await membersOf("protocol/session/control.ts", name)) {
      if (!section.includes(`| \`${member}\``)) missing.push(`${name}.${member}`);
    }
  }
  for (const member of await membersOf("protocol/session/limits.ts", "SessionLimits")) {
    if (!spec.includes(`| \`limits.${member}\``)) missing.push(`limits.${member}`);
  }
  assertEquals(missing, []);
});

Deno.test("docs/protocol.md tells the ranges that the code clamps to", async () => {
  const { RANGES } = await import("../protocol/session/limits.ts");
  const squeezed = spec.replaceAll(/ +/g, " ");
  for (const [name, { min, max, fallback }] of Object.entries(RANGES)) {
    const [low, high, usual] = [min, max, fallback].map((value) => value.toLocaleString("en"));
    assert(squeezed.includes(`${name}\` | ${low} – ${high} | ${usual} |`), `range of ${name}`);
  }
});
