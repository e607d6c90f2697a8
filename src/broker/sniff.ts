/** What the first bytes on a Kafka listener are when they are not Kafka's: named, answered where that helps, closed. */
import type { MillraceError } from '../base/index.ts';
import { brokerErrors } from './errors.ts';

const HTTP = /^(GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|PRI) /;
const HTTP_BODY = 'This is a Kafka listener, not HTTP. Use a Kafka client, or the HTTP address printed at the start.\n';

export function sniff(chunk: Uint8Array): { readonly error: MillraceError; readonly reply?: string } | undefined {
  if (chunk.length < 4) return undefined;
  // TLS record: handshake (22), version 3.x.
  if (chunk[0] === 0x16 && chunk[1] === 0x03) return { error: brokerErrors.tlsOnPlaintext() };
  const text = Buffer.from(chunk.subarray(0, 16)).toString('latin1');
  if (HTTP.test(text)) {
    const reply =
      'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n' +
      `content-length: ${HTTP_BODY.length}\r\n\r\n${HTTP_BODY}`;
    return { error: brokerErrors.httpOnKafka(), reply };
  }
  if (text.startsWith('PROXY ') || text.startsWith('\r\n\r\n\0\r\nQUIT\n'))
    return { error: brokerErrors.proxyHeader() };
  // A size with its top byte set to a printable character would be hundreds of megabytes.
  if (chunk[0]! >= 0x20)
    return { error: brokerErrors.garbage({ reason: `they begin with ${JSON.stringify(text.slice(0, 8))}` }) };
  return undefined;
}
