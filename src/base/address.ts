/** `host:port` as people write it: a name, an IPv4 address, or an IPv6 address in brackets. */
import type { Address } from './io/types.ts';

/** Undefined for what is no address; `defaultPort` where there is none in the text. */
export function parseAddress(text: string, defaultPort?: number): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (!match || port === undefined || port > 65_535) return undefined;
  return { host: match[1] ?? match[2]!, port };
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
