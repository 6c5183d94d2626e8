import os from "node:os";
import { connectionLimit } from "./crowd.ts";

/** What it was measured on. */
export interface Machine {
  /** The processor. */
  readonly cpu: string;
  /** How many of them. */
  readonly cores: number;
  /** The system. */
  readonly os: string;
  /** What else there was to do, in the minute before. */
  readonly load: number;
  /** The version of Deno. */
  readonly deno: string;
  /** The version of V8. */
  readonly v8: string;
  /** The version of Node, if other stacks were measured. */
  readonly node: string | undefined;
  /** `ulimit -n`. */
  readonly files: number;
}

/** Describes this machine. */
export function describeMachine(node: string | undefined): Machine {
  return {
    cpu: os.cpus()[0]?.model ?? "an unknown processor",
    cores: navigator.hardwareConcurrency,
    os: `${Deno.build.os} ${Deno.osRelease()}`,
    load: Deno.loadavg()[0] ?? 0,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    node,
    files: connectionLimit().files,
  };
}

/** The same in a line. */
export function formatMachine({ cpu, cores, os, load, deno, v8, node, files }: Machine): string {
  const versions = [`Deno ${deno}`, `V8 ${v8}`, ...node === undefined ? [] : [`Node ${node}`]];
  return `${cpu}, ${cores} cores, ${os}, load ${load.toFixed(1)}, ulimit -n ${files}; ` +
    versions.join(", ");
}
