import { assertThrows } from "@std/assert";
import { checkCloseCode } from "../../server/close_code.ts";

Deno.test("checkCloseCode() lets pass what endpoints may send", () => {
  for (const code of [1000, 1001, 1003, 1007, 1013, 3000, 4000, 4999]) checkCloseCode(code);
});

Deno.test("checkCloseCode() throws at reserved codes and at what is no code", () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1014, 1015, 2000, 2999, 5000, 1000.5, NaN]) {
    assertThrows(
      () => checkCloseCode(code),
      RangeError,
      `Cannot close connection as the code must be 1000-1003, 1007-1013 or 3000-4999: current value is ${code}`,
    );
  }
});
