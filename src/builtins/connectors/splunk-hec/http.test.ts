/** The HTTP of `to_splunk` over real sockets: gzip, private authorities, client certificates, proxies, time-outs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { nodeIo } from '../../../base/io/node.ts';
import { CertificateAuthority, runPipeline } from '../../../testing/index.ts';
import { builtins } from '../../index.ts';
import { HttpClient } from './http.ts';

interface Collector {
  readonly port: number;
  readonly bodies: string[];
  readonly requests: IncomingMessage[];
}

const authority = new CertificateAuthority();
const server = authority.issue({ subject: [['CN', 'collector']], names: ['localhost', '127.0.0.1'] });
const client = authority.issue({ subject: [['CN', 'sender']] });

async function collector(t: TestContext, tls: object | undefined): Promise<Collector> {
  const bodies: string[] = [];
  const requests: IncomingMessage[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(request);
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      bodies.push((request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString());
      response.end('{"text":"Success","code":0}');
    });
  };
  const made = tls ? createHttpsServer({ ...server, ...tls }, answer) : createHttpServer(answer);
  await listen(t, made);
  t.after(() => made.closeAllConnections());
  return { port: (made.address() as AddressInfo).port, bodies, requests };
}

async function listen(t: TestContext, made: Server): Promise<number> {
  await new Promise<void>(resolve => made.listen(0, '127.0.0.1', resolve));
  t.after(() => made.close());
  return (made.address() as AddressInfo).port;
}

function files(t: TestContext): { ca: string; cert: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), 'splunk-hec-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  return {
    ca: write('ca.pem', authority.cert),
    cert: write('cert.pem', client.cert),
    key: write('key.pem', client.key),
  };
}

/** Sends one event; resolves with why it was not taken, or undefined. */
async function deliver(address: string, more = ''): Promise<string | undefined> {
  let reason: string | undefined;
  const text = `from {x: 1}\nto_splunk "${address}", hec_token="t", buffer_timeout=10ms${more}`;
  const { failure } = await runPipeline(text, builtins, {
    onStart: task => {
      const timer = setInterval(() => {
        const [health] = task.report().health;
        if (health?.reason === undefined) return;
        reason = health.reason;
        task.abort('refused');
      }, 5);
      void task.finished.catch(() => undefined).finally(() => clearInterval(timer));
    },
  });
  return reason ?? failure;
}

test('a collector behind a private authority takes events once the authority is named', async t => {
  const { bodies, port } = await collector(t, {});
  const { ca } = files(t);
  assert.match((await deliver(`localhost:${port}`)) ?? '', /certificate/);
  assert.deepEqual(bodies, []);
  assert.equal(await deliver(`localhost:${port}`, `, cacert="${ca}"`), undefined);
  assert.equal(await deliver(`https://127.0.0.1:${port}`, `, tls={cacert: "${ca}"}`), undefined);
  assert.equal(await deliver(`localhost:${port}`, ', tls={skip_peer_verification: true}'), undefined);
  assert.equal(await deliver(`localhost:${port}`, ', tls_no_verify=true'), undefined);
  assert.deepEqual(
    bodies,
    Array.from({ length: 4 }, () => '{"event":{"x":1},"sourcetype":"_json"}'),
  );
});

test('a collector that wants a client certificate gets it; one for another name is refused', async t => {
  const { port, requests } = await collector(t, { ca: authority.cert, requestCert: true, rejectUnauthorized: true });
  const { ca, cert, key } = files(t);
  assert.notEqual(await deliver(`localhost:${port}`, `, cacert="${ca}"`), undefined);
  assert.equal(
    await deliver(`localhost:${port}`, `, tls={cacert: "${ca}", certfile: "${cert}", keyfile: "${key}"}`),
    undefined,
  );
  assert.equal((requests[0]!.socket as TLSSocket).getPeerCertificate().subject.CN, 'sender');
  const other = authority.issue({ subject: [['CN', 'other']], names: ['other.example'] });
  const wrong = await collector(t, other);
  assert.match((await deliver(`localhost:${wrong.port}`, `, cacert="${ca}"`)) ?? '', /altnames|other\.example/i);
});

test('the least TLS version is kept to, and `tls=false` is no TLS', async t => {
  const { ca } = files(t);
  const old = await collector(t, { maxVersion: 'TLSv1.2' });
  assert.match(
    (await deliver(`localhost:${old.port}`, `, tls={cacert: "${ca}", min_version: "1.3"}`)) ?? '',
    /version|handshake/i,
  );
  assert.equal(await deliver(`localhost:${old.port}`, `, tls={cacert: "${ca}", min_version: "1.2"}`), undefined);
  const plain = await collector(t, undefined);
  assert.equal(await deliver(`127.0.0.1:${plain.port}`, ', tls=false'), undefined);
  assert.equal(
    await deliver(`http://127.0.0.1:${plain.port}/base/services/collector/event`, ', compress=false'),
    undefined,
  );
  const [first, second] = plain.requests;
  assert.equal(first!.headers['content-encoding'], 'gzip');
  assert.equal(second!.headers['content-encoding'], undefined);
  assert.match(second!.url!, /^\/base\/services\/collector\/event\?channel=/);
});

test('a proxy of the environment stands in between, also where the authority is private; `NO_PROXY` goes past it', async t => {
  const { bodies, port } = await collector(t, {});
  const { ca } = files(t);
  const tunnels: string[] = [];
  const proxy = createHttpServer();
  proxy.on('connect', (request, socket) => {
    tunnels.push(request.url!);
    const upstream = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  const proxyPort = await listen(t, proxy);
  t.after(() => proxy.closeAllConnections());
  const before = { ...process.env };
  t.after(() => {
    for (const name of ['HTTPS_PROXY', 'NO_PROXY']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  process.env['HTTPS_PROXY'] = `http://127.0.0.1:${proxyPort}`;
  assert.equal(await deliver(`localhost:${port}`, `, cacert="${ca}"`), undefined);
  assert.deepEqual(tunnels, [`localhost:${port}`]);
  process.env['NO_PROXY'] = 'localhost';
  assert.equal(await deliver(`localhost:${port}`, `, cacert="${ca}"`), undefined);
  assert.equal(tunnels.length, 1);
  assert.equal(bodies.length, 2);
});

test('an answer that does not come is a time-out; one without an end is cut', async t => {
  const silent = createHttpServer(() => undefined);
  const port = await listen(t, silent);
  t.after(() => silent.closeAllConnections());
  const http = new HttpClient(nodeIo(), { verify: true });
  t.after(() => http.close());
  const url = (at: number): URL => new URL(`http://127.0.0.1:${at}/`);
  await assert.rejects(http.request('POST', url(port), {}, Buffer.from('x'), 30), /no answer within 0\.03 s/);
  const endless = createHttpServer((_request, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536, 0x61)));
    };
    response.on('drain', more);
    more();
  });
  const other = await listen(t, endless);
  t.after(() => endless.closeAllConnections());
  const { body, status } = await http.request('GET', url(other), {}, undefined, 30_000);
  assert.deepEqual([status, body.length], [200, 65_536]);
});

test('`Retry-After` is seconds or a date', async t => {
  const values = ['7', new Date(Date.now() + 60_000).toUTCString(), 'soon', '-1'];
  const busy = createHttpServer((_request, response) => {
    response.writeHead(503, { 'retry-after': values.shift()! }).end();
  });
  const port = await listen(t, busy);
  t.after(() => busy.closeAllConnections());
  const http = new HttpClient(nodeIo(), { verify: true });
  t.after(() => http.close());
  const ask = async (): Promise<number | undefined> =>
    (await http.request('GET', new URL(`http://127.0.0.1:${port}/`), {}, undefined, 10_000)).retryAfterMs;
  assert.equal(await ask(), 7_000);
  const date = await ask();
  assert.ok(date !== undefined && date > 50_000 && date <= 60_000, String(date));
  assert.equal(await ask(), undefined);
  assert.equal(await ask(), undefined);
});
