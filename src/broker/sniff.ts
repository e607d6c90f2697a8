/**
 * What the first bytes on a Kafka listener are when they are not Kafka's: named, answered where that helps, closed.
 *
 * Kafka begins with the size of a frame, so four bytes tell: as a size, text would be hundreds of megabytes.
 */
import type { MillraceError } from '../base/index.ts';
import { brokerErrors } from './errors.ts';

/** Bytes that are needed to judge. */
export const SNIFFED_BYTES = 4;

const HTTP = /^(GET |POST|PUT |HEAD|DELE|OPTI|PATC|CONN|TRAC|PRI )/;
const HTTP_BODY = 'This is a Kafka listener, not HTTP. Use a Kafka client, or the HTTP address printed at the start.\n';
const HTTP_REPLY =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n' +
  `content-length: ${HTTP_BODY.length}\r\n\r\n${HTTP_BODY}`;
const PROXY = /^(PROX|\r\n\r\n)/;

export function sniff(first: Uint8Array): { readonly error: MillraceError; readonly reply?: string } | undefined {
  const text = Buffer.from(first.subarray(0, 16)).toString('latin1');
  // A TLS record: handshake (22) or alert (21), version 3.x.
  if ((first[0] === 22 || first[0] === 21) && first[1] === 3) return { error: brokerErrors.tlsOnPlaintext() };
  if (HTTP.test(text)) return { error: brokerErrors.httpOnKafka(), reply: HTTP_REPLY };
  if (PROXY.test(text)) return { error: brokerErrors.proxyHeader() };
  if (first[0]! >= 0x20)
    return { error: brokerErrors.garbage({ reason: `they begin with ${JSON.stringify(text.slice(0, 8))}` }) };
  return undefined;
}
