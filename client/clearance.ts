import type { ResolvedOptions } from "./resolved_options.ts";
import { findProxyVariable, lookUpName } from "./runtime.ts";
import { checkDestination } from "./url_policy.ts";
import type { ResolveName } from "./url_policy_options.ts";

/**
 * Clears a URL for a dial, right before it: the URL itself, and all addresses
 * of its name. An address in the URL costs no look-up.
 *
 * @param url Where to.
 * @param options What may be dialled.
 * @throws {UrlPolicyError} If it may not be dialled.
 * @throws {MCPConnectionError} If its name cannot be looked up now.
 */
export async function clearDial(
  url: string,
  { urlPolicy, httpClient }: Pick<ResolvedOptions, "urlPolicy" | "httpClient">,
): Promise<void> {
  const mayDetour = httpClient !== undefined || findProxyVariable(new URL(url).protocol);
  const resolve = urlPolicy.resolveName ?? (mayDetour ? lookUpIfKnown : lookUpName);
  await checkDestination(url, { policy: urlPolicy, resolve });
}

/** A name that only a proxy knows is for the proxy to look up. */
const lookUpIfKnown: ResolveName = async (name, port) => {
  try {
    return await lookUpName(name, port);
  } catch {
    return undefined;
  }
};
