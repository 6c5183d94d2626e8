/** A family of the text format, as a scraper understands it. */
export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  /** By the whole left side: name, suffix and labels as they were written. */
  readonly samples: ReadonlyMap<string, number>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const HELP_REGEXP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])*)$`);
const TYPE_REGEXP = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE_REGEXP = new RegExp(
  `^((${NAME})(?:\\{${LABEL}(?:,${LABEL})*\\})?) ([+-]?(?:\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|Inf)|NaN)$`,
);

/**
 * Reads the text format 0.0.4 of Prometheus, and only what is certain to be
 * understood: HELP, TYPE and then the samples of each family, once.
 */
export function parseMetrics(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith("\n")) throw new SyntaxError("The last line is not ended");
  const families = new Map<string, ParsedFamily>();
  const lines = text.slice(0, -1).split("\n");
  for (let line = 0; line < lines.length;) {
    const [, name = "", help = ""] = expect(HELP_REGEXP, lines[line++]);
    const [, typed, type = ""] = expect(TYPE_REGEXP, lines[line++]);
    if (typed !== name || families.has(name)) throw new SyntaxError(`Out of order: ${name}`);
    if (type === "counter" && !name.endsWith("_total")) throw new SyntaxError(`No total: ${name}`);
    const samples = new Map<string, number>();
    while (line < lines.length && !lines[line]!.startsWith("#")) {
      const [, key = "", base = "", value = ""] = expect(SAMPLE_REGEXP, lines[line++]);
      const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!suffixes.some((suffix) => base === name + suffix) || samples.has(key)) {
        throw new SyntaxError(`Out of place: ${key}`);
      }
      samples.set(key, Number(value.replace("Inf", "Infinity")));
    }
    if (samples.size === 0) throw new SyntaxError(`Without samples: ${name}`);
    families.set(name, { type, help, samples });
  }
  return families;
}

/** All samples that are not 0, by name and labels. */
export function nonZero(text: string): Record<string, number> {
  const all = [...parseMetrics(text).values()].flatMap(({ samples }) => [...samples]);
  return Object.fromEntries(all.filter(([, value]) => value !== 0));
}

/** One sample. */
export function sample(text: string, key: string): number {
  for (const { samples } of parseMetrics(text).values()) {
    const value = samples.get(key);
    if (value !== undefined) return value;
  }
  throw new RangeError(`There is no ${key}`);
}

function expect(pattern: RegExp, line = ""): RegExpExecArray {
  const match = pattern.exec(line);
  if (match === null) throw new SyntaxError(`Not understood: ${line}`);
  return match;
}
