/** One small HTTP exchange with a deadline and a bound on the answer. No redirects, no kept connections. */
import { tlsSettings } from './tls-settings.ts';
import type { HttpRequest, HttpResponse } from './types.ts';

export function httpRequest(wanted: HttpRequest): Promise<HttpResponse> {
  const { body, bytesMax, headers, method, timeoutMs, tls, url } = wanted;
  const isSecure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    // Not imported: every thread would load it, and with all exports of `node:http` a whole HTTP client.
    const { request: begin } = process.getBuiltinModule(isSecure ? 'node:https' : 'node:http');
    const request = begin(url, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      ...(isSecure && tls && tlsSettings(tls)),
    });
    request.once('error', error => {
      const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
      reject(isLate ? new Error(`no answer within ${timeoutMs} ms`) : error);
    });
    request.once('response', response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size <= bytesMax) return;
        reject(new Error(`an answer of more than ${bytesMax} bytes`));
        request.destroy();
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    request.end(body);
  });
}
