import { draw, type Line, report, type Scene, type Tone } from "./view.ts";

/** Where the demo is shown. */
export interface Screen {
  /** How often it is shown, in milliseconds. */
  readonly interval: number;
  /** Shows how it stands. */
  show(scene: Scene): void;
  /** Tells what happened, unless that is shown anyway. */
  tell(text: string): void;
  /** Gives the terminal back, and leaves the last words there. */
  close(lines: readonly Line[]): void;
}

const ESCAPE = "\x1b[";
/** Another screen than the one that the shell is on, without a cursor. */
const OPEN = `${ESCAPE}?1049h${ESCAPE}?25l`;
const CLOSE = `${ESCAPE}?25h${ESCAPE}?1049l`;
const HOME = `${ESCAPE}H`;
const END_OF_LINE = `${ESCAPE}K`;
const END_OF_SCREEN = `${ESCAPE}J`;
const RESET = `${ESCAPE}0m`;
const STYLES: Readonly<Record<Tone, string>> = {
  plain: "",
  dim: `${ESCAPE}2m`,
  bold: `${ESCAPE}1m`,
  good: `${ESCAPE}32m`,
  bad: `${ESCAPE}31m`,
};

/** The screen that suits where the output goes. */
export function openScreen(): Screen {
  return Deno.stdout.isTerminal() && !Deno.noColor ? new TerminalScreen() : new PlainScreen();
}

/** Draws in place. */
class TerminalScreen implements Screen {
  readonly interval = 100;

  constructor() {
    write(OPEN);
  }

  show(scene: Scene): void {
    const { columns, rows } = size();
    const lines = draw(scene).slice(0, rows).map((line) => style(fit(line, columns)));
    // In one piece, so that nothing flickers; no line break at the end, which would scroll.
    write(HOME + lines.join(`${END_OF_LINE}\r\n`) + END_OF_LINE + END_OF_SCREEN);
  }

  tell(): void {}

  close(lines: readonly Line[]): void {
    write(CLOSE + lines.map((line) => `${style(line)}\n`).join(""));
  }
}

/** Writes one line after the other. */
class PlainScreen implements Screen {
  readonly interval = 1_000;

  show(scene: Scene): void {
    write(`${report(scene)}\n`);
  }

  tell(text: string): void {
    write(`${text}\n`);
  }

  close(lines: readonly Line[]): void {
    for (const line of lines) write(line.map(({ text }) => text).join("").trimEnd() + "\n");
  }
}

/** As much of a line as there is room for. */
function fit(line: Line, columns: number): Line {
  let room = columns;
  return line.map(({ text, tone }) => {
    const fitting = text.slice(0, Math.max(0, room));
    room -= text.length;
    return { text: fitting, tone };
  });
}

function style(line: Line): string {
  return line.map(({ text, tone }) => STYLES[tone] + text + (STYLES[tone] && RESET)).join("");
}

/** A terminal of an unknown size is as large as they were in 1978. */
function size(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 80, rows: 24 };
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length;) {
    start += Deno.stdout.writeSync(bytes.subarray(start));
  }
}
