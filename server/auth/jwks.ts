import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";

/** Public keys as a JSON Web Key Set (RFC 7517, 5). */
export interface JsonWebKeySet {
  /** The keys. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** What {@linkcode remoteKeys} goes by. */
export interface RemoteKeysOptions {
  /** How long keys are used before they are fetched again, in milliseconds. */
  readonly cacheAge: number;
  /** The time between two fetches for keys that are not there, in milliseconds. */
  readonly cooldown: number;
  /** How long a fetch may take, in milliseconds. */
  readonly timeout: number;
  /** The current time, in milliseconds. */
  readonly now: () => number;
}

/** The keys that are fetched, and what is known of them. */
interface Cache {
  readonly keys: JWTVerifyGetKey;
  readonly fetchedAt: number;
}

/** The keys of the issuer cannot be had, which is not the fault of a token. */
export class KeysUnavailable extends Error {
  /** The name of the class. */
  override name = "KeysUnavailable";
}

/** The largest key set that is read, in bytes. */
const MAX_BYTES = 1024 * 1024;
/** The time between two fetches while they fail, in milliseconds. */
const FAILURE_PAUSE = 1_000;
/** Hosts that may be asked without TLS. */
const LOOPBACK_REGEXP = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
/** Members of private and of shared keys (RFC 7518, 6). */
const PRIVATE_MEMBERS = ["d", "k", "p", "q", "dp", "dq", "qi"];

/**
 * Keys that are known.
 *
 * @param set The keys.
 * @throws {TypeError} If it is no key set, or holds a key that is not public.
 */
export function localKeys(set: JsonWebKeySet): JWTVerifyGetKey {
  if (!isKeySet(set)) {
    throw new TypeError('Cannot use keys as "jwks" must be a key set: it is none');
  }
  const index = set.keys.findIndex((key) => PRIVATE_MEMBERS.some((name) => name in key));
  if (index >= 0) {
    throw new TypeError(
      `Cannot use keys as "jwks" must hold public keys: entry ${index} is secret`,
    );
  }
  return createLocalJWKSet(set as unknown as JSONWebKeySet);
}

/**
 * Keys that are fetched when they are needed: once for all who wait, never in
 * the background. A key that is not there is looked for again after a pause, as
 * issuers rotate theirs. Keys that cannot be renewed serve on for as long as
 * they have served.
 *
 * @param url Where they are.
 * @param options How long they are kept, and how long a fetch may take.
 * @throws {TypeError} If the URL is not `https:`, save on this machine.
 */
export function remoteKeys(url: URL, options: RemoteKeysOptions): JWTVerifyGetKey {
  checkUrl(url);
  const source = new URL(url);
  const { cacheAge, cooldown, now } = options;
  let cache: Cache | undefined;
  let pending: Promise<Cache> | undefined;
  let triedAt = -Infinity;
  let failure: unknown;

  /** One fetch for all who wait; while it fails, one each second. */
  async function renew(): Promise<Cache> {
    if (pending === undefined && failure !== undefined && now() - triedAt < FAILURE_PAUSE) {
      throw failure;
    }
    pending ??= fetchKeys(source, options.timeout).then((keys) => {
      failure = undefined;
      return cache = { keys, fetchedAt: now() };
    }, (error) => {
      failure = error;
      throw error;
    }).finally(() => {
      triedAt = now();
      pending = undefined;
    });
    return await pending;
  }

  async function current(): Promise<Cache> {
    const age = cache === undefined ? Infinity : now() - cache.fetchedAt;
    if (cache !== undefined && age < cacheAge) return cache;
    try {
      return await renew();
    } catch (error) {
      if (cache !== undefined && age < 2 * cacheAge) return cache;
      throw error;
    }
  }

  return async (header, token) => {
    const { keys } = await current();
    try {
      return await keys(header, token);
    } catch (error) {
      const isMissing = error instanceof errors.JWKSNoMatchingKey;
      if (!isMissing || now() - triedAt < cooldown) throw error;
    }
    const renewed = await renew();
    return await renewed.keys(header, token);
  };
}

function checkUrl(url: URL): void {
  const { protocol, hostname } = url;
  if (protocol === "https:" || (protocol === "http:" && LOOPBACK_REGEXP.test(hostname))) return;
  throw new TypeError(
    `Cannot use keys as the URL of "jwks" must be https: current scheme is "${protocol}"`,
  );
}

/** Redirects are not followed: they may leave TLS. */
async function fetchKeys(url: URL, timeout: number): Promise<JWTVerifyGetKey> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  try {
    const response = await fetch(url, {
      redirect: "error",
      signal: abort.signal,
      headers: { "Accept": "application/json, application/jwk-set+json" },
    });
    const set: unknown = JSON.parse(await readText(response));
    if (!isKeySet(set)) throw new TypeError("The answer is no key set");
    return createLocalJWKSet(set as unknown as JSONWebKeySet);
  } catch (cause) {
    const reason = abort.signal.aborted ? `no answer within ${timeout} ms` : "the fetch failed";
    throw new KeysUnavailable(`Cannot fetch keys from "${url.origin}": ${reason}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

async function readText(response: Response): Promise<string> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new TypeError(`The answer is ${response.status}`);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new RangeError(`The answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

function isKeySet(value: unknown): value is JsonWebKeySet {
  const keys = (value as { keys?: unknown } | null | undefined)?.keys;
  return Array.isArray(keys) &&
    keys.every((key) => typeof key === "object" && key !== null && !Array.isArray(key));
}
