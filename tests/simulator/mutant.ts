import type { simulate } from "./simulate.ts";

/** A change of the source text. */
export interface Edit {
  /** The file, from the root of the repository. */
  readonly file: string;
  /** What is there, exactly once. */
  readonly find: string;
  /** What is to be there. */
  readonly replace: string;
}

/** A simulator around changed code. */
export interface Mutant {
  /** See `simulate.ts`. */
  readonly simulate: typeof simulate;
  /** Forgets the changed code. */
  readonly release: () => void;
}

/** What imports a module of the repository while the code runs; types are gone by then. */
const IMPORT_REGEXP = /^((?:import|export)\s+(?!type\b)[^;"]*?from\s+")(\.{1,2}\/[^"]+)(";)/gm;
const ROOT = new URL("../../", import.meta.url);
const ENTRY = new URL("./simulate.ts", import.meta.url);

/** The sources, as far as they were read. */
const SOURCES = new Map<string, string>();

/**
 * Loads the simulator with some of the code changed. Whatever imports changed
 * code is loaded anew, too; all else is shared.
 *
 * @param edits The changes.
 * @throws {RangeError} If what is to be changed is not there, or more than once.
 */
export async function loadMutant(edits: readonly Edit[]): Promise<Mutant> {
  const changed = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const { href } = new URL(file, ROOT);
    const text = changed.get(href) ?? read(href);
    const parts = text.split(find);
    if (parts.length !== 2) {
      throw new RangeError(`Cannot change "${file}": "${find}" is in it ${parts.length - 1} times`);
    }
    changed.set(href, parts.join(replace));
  }
  const urls = new Map<string, string>();
  const blobs: string[] = [];
  const load = (href: string): string => {
    const known = urls.get(href);
    if (known !== undefined) return known;
    // Whoever comes back here does so for a type.
    urls.set(href, href);
    const text = changed.get(href) ?? read(href);
    let isChanged = changed.has(href);
    const code = text.replace(IMPORT_REGEXP, (_match, head, specifier, tail) => {
      const before = new URL(specifier, href).href;
      const after = load(before);
      isChanged ||= after !== before;
      return head + after + tail;
    });
    if (!isChanged) return href;
    const blob = URL.createObjectURL(new Blob([code], { type: "application/typescript" }));
    blobs.push(blob);
    urls.set(href, blob);
    return blob;
  };
  const module = await import(load(ENTRY.href));
  return {
    simulate: module.simulate,
    release: () => blobs.forEach((blob) => URL.revokeObjectURL(blob)),
  };
}

function read(href: string): string {
  const text = SOURCES.get(href) ?? Deno.readTextFileSync(new URL(href));
  SOURCES.set(href, text);
  return text;
}
