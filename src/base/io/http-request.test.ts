/** The small HTTP exchange: status and body, bounds on time and size, a server that is not there. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { httpRequest } from './http-request.ts';

test('an exchange gives status and body; what is too long, too late or not there is an error', async t => {
  const server = http.createServer((request, response) => {
    if (request.url === '/hangs') return;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(request.url === '/moved' ? 302 : 200, { location: '/' });
      response.end(`${request.method} ${request.headers['x-a']} ${Buffer.concat(chunks).toString()}`);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, timeoutMs = 30_000, bytesMax = 100): ReturnType<typeof httpRequest> =>
    httpRequest({
      url: `http://127.0.0.1:${port}${path}`,
      method: 'POST',
      headers: { 'x-a': 'b' },
      body: 'é',
      timeoutMs,
      bytesMax,
    });
  const answer = await ask('/');
  assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [200, 'POST b é']);
  assert.equal((await ask('/moved')).status, 302);
  await assert.rejects(ask('/', 30_000, 3), /more than 3 bytes/);
  await assert.rejects(ask('/hangs', 50), /no answer within 50 ms/);
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await assert.rejects(ask('/'), /ECONNREFUSED/);
});
