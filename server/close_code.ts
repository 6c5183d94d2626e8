/**
 * Checks a close code: runtimes send whatever a server asks for, and peers
 * take a reserved code for a broken connection (RFC 6455, 7.4). 1014 is
 * refused too, because Deno's clients do.
 *
 * @param code The code.
 * @throws {RangeError} If no endpoint may send it.
 */
export function checkCloseCode(code: number): void {
  const isStandard = code >= 1_000 && code <= 1_013 && (code < 1_004 || code > 1_006);
  const isPrivate = code >= 3_000 && code <= 4_999;
  if (Number.isInteger(code) && (isStandard || isPrivate)) return;
  throw new RangeError(
    `Cannot close connection as the code must be 1000-1003, 1007-1013 or 3000-4999: current value is ${code}`,
  );
}
