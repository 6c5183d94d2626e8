/** Something that Deno asks permission for. */
export type Permission = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi";

/** Whether all of it is granted, without exception; nobody is asked. */
export function areGranted(permissions: readonly Permission[]): boolean {
  return permissions.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}
