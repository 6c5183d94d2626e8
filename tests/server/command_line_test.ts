import { assertEquals, assertThrows } from "@std/assert";
import { splitCommand } from "../../server/command_line.ts";

Deno.test("splitCommand() splits as a shell does with simple quotes", () => {
  const table: [string, string[]][] = [
    ["npx", ["npx"]],
    ["  npx -y \t server  ", ["npx", "-y", "server"]],
    ['run "two words" end', ["run", "two words", "end"]],
    ["run 'two words'", ["run", "two words"]],
    ["run a\" b \"c' d 'e", ["run", "a b c d e"]],
    ["run \"\" ''", ["run", "", ""]],
    ['run "a \\"quoted\\" \\\\ \\n $HOME"', ["run", 'a "quoted" \\ \\n $HOME']],
    ["run 'no \\ escape \"'", ["run", 'no \\ escape "']],
    ["run two\\ words \\'", ["run", "two words", "'"]],
    ["echo $HOME; rm -rf * | cat > x && y", [
      "echo",
      "$HOME;",
      "rm",
      "-rf",
      "*",
      "|",
      "cat",
      ">",
      "x",
      "&&",
      "y",
    ]],
    ["run a\nb", ["run", "a", "b"]],
  ];
  for (const [command, words] of table) assertEquals(splitCommand(command), words);
});

Deno.test("splitCommand() refuses open quotes and commands without a program", () => {
  for (const command of ['run "a', "run 'a", "run a'", 'a "b\\"', "run \\"]) {
    assertThrows(() => splitCommand(command), SyntaxError, "a quote is not closed");
  }
  for (const command of ["", "  ", "''", '"" a']) {
    assertThrows(() => splitCommand(command), SyntaxError, "it names no program");
  }
});
