import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { parseDoctorArgs } from "../../client/doctor_options.ts";
import { readEnvironment } from "../../client/env.ts";
import { clean } from "../../client/diagnostics/words.ts";
import { parseEndpoint } from "../../client/endpoint.ts";
import { firstPause, lossOf, sessionLossOf } from "../../client/recovery.ts";
import { closeReason, statusVerdict } from "../../protocol/close_codes.ts";
import { LineSplitter } from "../../protocol/line_splitter.ts";
import { findSubprotocolFault } from "../../protocol/subprotocol.ts";
import { splitCommand } from "../../server/command_line.ts";
import { parseServeArgs } from "../../server/serve_options.ts";
import { fuzz } from "./_fuzz.ts";
import { anyText, garbage, hostile } from "./_texts.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

fuzz(
  "closeReason() returns as much of a text as fits, in whole characters",
  8_000,
  fc.property(fc.tuple(anyText, garbage, anyText).map((parts) => parts.join("")), (text) => {
    const reason = closeReason(text);
    assert(bytesOf(reason).length <= 123);
    const whole = text.toWellFormed();
    assert(whole.startsWith(reason.toWellFormed()));
    const room = 123 - bytesOf(reason).length;
    if (reason.length < text.length) assert(room < 4, `${room} bytes are left`);
  }),
);

const reason = hostile(fc.tuple(anyText, fc.nat()).map(([text, n]) => `${text} retry-after=${n}`));
const anyCode = fc.oneof(fc.integer(), fc.integer({ min: 0, max: 5_000 }), fc.double());
const policy = {
  attempts: 10,
  minDelay: 1_000,
  maxDelay: 30_000,
  multiplier: 2,
  minUptime: 5_000,
  immediate: [],
  initial: false,
};

fuzz(
  "lossOf() makes of any close a pause that is neither negative nor above five minutes",
  10_000,
  fc.property(
    anyCode,
    reason,
    fc.boolean(),
    fc.boolean(),
    (code, text, wasWelcomed, mayBePlain) => {
      const info = { code, reason: text };
      for (const loss of [lossOf(info), sessionLossOf(info, { wasWelcomed, mayBePlain })]) {
        const pause = firstPause(loss, policy, 0.5);
        assert(pause >= 0 && pause <= 300_000, `${pause} ms`);
      }
      assert(typeof statusVerdict(code).pace === "string");
    },
  ),
);

const chunks = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.oneof(anyText, fc.constantFrom("\n", "\r\n", "\n\n", "\n{}\n")).map(bytesOf),
  ),
  { maxLength: 12 },
);

/** The same, the slow way: all at once. */
function splitSlowly(bytes: Uint8Array, maxBytes: number): { lines: string[]; faults: number } {
  const lines: string[] = [];
  let faults = 0;
  let start = 0;
  for (let end = 0; end <= bytes.length; end++) {
    if (end < bytes.length && bytes[end] !== 0x0a) continue;
    const line = bytes.subarray(start, end);
    start = end + 1;
    try {
      if (line.length > maxBytes) throw new RangeError("Too long");
      const text = new TextDecoder("utf-8", { fatal: true }).decode(line);
      if (text.trim() !== "") lines.push(text);
    } catch {
      faults++;
    }
  }
  return { lines, faults };
}

fuzz(
  "LineSplitter finds the same lines however the bytes are cut",
  10_000,
  fc.property(chunks, fc.integer({ min: 0, max: 80 }), (pieces, maxBytes) => {
    let faults = 0;
    const splitter = new LineSplitter(maxBytes, () => faults++);
    const lines = [...pieces.flatMap((piece) => [...splitter.push(piece)]), ...splitter.end()];
    const whole = new Uint8Array(pieces.flatMap((piece) => [...piece]));
    assertEquals({ lines, faults }, splitSlowly(whole, maxBytes));
  }),
);

const variable = fc.oneof(
  anyText,
  fc.constantFrom("true", "false", "0", "no", " OFF ", "production", "Production", "", undefined),
);

fuzz(
  "readEnvironment() takes any variables, and switches nothing on or off by accident",
  5_000,
  fc.property(
    fc.record({
      MCP_SERVER_URL: variable,
      MCP_API_KEY: variable,
      ENABLE_MCP_INTEGRATION: variable,
      DENO_ENV: variable,
      NODE_ENV: variable,
    }),
    (values) => {
      const read = (name: string) => new Map(Object.entries(values)).get(name);
      const { url, token, isEnabled, mode } = readEnvironment(read);
      for (const value of [url, token]) assert(value === undefined || value.trim() !== "");
      const word = values.ENABLE_MCP_INTEGRATION?.trim().toLowerCase() ?? "";
      assertEquals(isEnabled, !["false", "0", "no", "off"].includes(word));
      const said = values.DENO_ENV?.trim() || values.NODE_ENV?.trim();
      assertEquals(mode, said === "production" ? "production" : "development");
    },
  ),
);

const word = fc.oneof(anyText, fc.constantFrom("a b", "", "'", '"', "\\", "$(x)", "`x`", "a\nb"));

fuzz(
  "splitCommand() gives back the words that were quoted, and throws nothing but SyntaxError",
  8_000,
  fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
    const quoted = words.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(" ");
    for (const command of [quoted, words.join(" ")]) {
      try {
        const split = splitCommand(command);
        if (command === quoted) assertEquals(split, words);
      } catch (thrown) {
        assertInstanceOf(thrown, SyntaxError);
        if (command === quoted) assertEquals(words[0], "");
      }
    }
  }),
);

const argument = fc.oneof(
  fc.constantFrom("--timeout", "--json", "--token-env", "--port", "--host", "--stdio", "--", "-h"),
  fc.constantFrom("--port=1e3", "--timeout=-1", "--__proto__", "--constructor=1", "ws://a"),
  anyText,
);

fuzz(
  "parseDoctorArgs() and parseServeArgs() answer any arguments in one line",
  4_000,
  fc.property(fc.array(argument, { maxLength: 5 }), (args) => {
    for (const command of [parseDoctorArgs(args), parseServeArgs(args)]) {
      if (command.type === "invalid") assert(command.reason.length > 0);
    }
  }),
);

fuzz(
  "parseEndpoint() throws nothing but TypeError and SyntaxError, and names no secret of the URL",
  8_000,
  fc.property(
    hostile(fc.constantFrom("ws://the-secret@h/", "wss://h:1/p?the-secret", "ws://h/#the-secret")),
    (text) => {
      const { host = "", pathname = "" } = URL.parse(text) ?? {};
      const isPlace = `${host}${pathname}`.includes("the-secret");
      try {
        const { name } = parseEndpoint(text);
        assert(isPlace || !name.includes("the-secret"), name);
      } catch (thrown) {
        assert(thrown instanceof TypeError || thrown instanceof SyntaxError, String(thrown));
        assert(isPlace || !thrown.message.includes("the-secret"), thrown.message);
      }
    },
  ),
);

fuzz(
  "clean() leaves neither secrets nor control characters, in one short line",
  8_000,
  fc.property(fc.oneof(anyText, garbage), garbage, (text, tail) => {
    const cleaned = clean(`${text}the-secret${tail}the-secret`, ["the-secret"]);
    assert(!cleaned.includes("the-secret"));
    assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(cleaned));
    assert(cleaned.length <= 401);
  }),
);

fuzz(
  "findSubprotocolFault() accepts nothing, or what was offered and carries no credential",
  5_000,
  fc.property(
    hostile(fc.constantFrom("mcp", "bowline.v1", "mcp.auth.the-secret", "")),
    (selected) => {
      const offered = ["mcp", "bowline.v1", "mcp.auth.the-secret"];
      const fault = findSubprotocolFault(selected, offered);
      assertEquals(fault === undefined, ["", "mcp", "bowline.v1"].includes(selected));
      assert(!fault?.includes("the-secret"));
    },
  ),
);
