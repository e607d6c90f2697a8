/** `to_splunk raw=…`: what stands in the requests to the raw endpoint, and which arguments do not go together. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { compileTql, SourceText } from '../../../lang/index.ts';
import { runPipeline } from '../../../testing/index.ts';
import { builtins } from '../../index.ts';

interface Request {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: string;
}

async function collector(t: TestContext, busyFor = 0): Promise<{ url: string; requests: Request[] }> {
  const requests: Request[] = [];
  let busy = busyFor;
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', piece => pieces.push(piece));
    request.on('end', () => {
      const url = new URL(request.url!, 'http://x');
      url.searchParams.delete('channel');
      const isBusy = busy-- > 0;
      if (!isBusy)
        requests.push({
          path: url.pathname,
          query: Object.fromEntries(url.searchParams),
          body: Buffer.concat(pieces).toString(),
        });
      response.statusCode = isBusy ? 503 : 200;
      response.end(JSON.stringify({ text: isBusy ? 'busy' : 'Success', code: isBusy ? 9 : 0 }));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test('raw texts are joined by newlines, and another host, index or time begins another request', async t => {
  const { requests, url } = await collector(t);
  const { failure, ledger, letters, diagnostics } = await runPipeline(
    `from {m: "a", h: "x"}, {m: "b", h: "x"}, {m: "ü", h: "y"}, {m: 1, h: "y"}, {m: "d", h: "x", t: 1}
to_splunk "${url}", hec_token="t", raw=m, host=h, index="main", time=t?, compress=false`,
    builtins,
  );
  assert.equal(failure, undefined);
  const common = { index: 'main', sourcetype: '_json' };
  assert.deepEqual(requests, [
    { path: '/services/collector/raw', query: { host: 'x', ...common }, body: 'a\nb' },
    { path: '/services/collector/raw', query: { host: 'y', ...common }, body: 'ü' },
    { path: '/services/collector/raw', query: { host: 'x', ...common, time: '1' }, body: 'd' },
  ]);
  assert.match(diagnostics.join(), /`raw` must be a string, got `int64`/);
  assert.deepEqual(
    letters.map(({ code }) => code),
    ['MR7404'],
  );
  for (const line of ledger) assert.equal(line.held, 0, line.name);
});

test('a raw request that was refused for a while is sent again before what follows', async t => {
  const { requests, url } = await collector(t, 1);
  const { failure } = await runPipeline(
    `from {m: "a", h: "x"}, {m: "b", h: "y"}\nto_splunk "${url}", hec_token="t", raw=m, host=h, compress=false`,
    builtins,
  );
  assert.equal(failure, undefined);
  assert.deepEqual(
    requests.map(({ body }) => body),
    ['a', 'b'],
  );
});

test('what does not go together, or does not work yet, is refused with its place', () => {
  for (const [args, message] of [
    ['raw="x", event=this', '`event` and `raw` are mutually exclusive'],
    ['raw="x", fields={}', '`fields` and `raw` are mutually exclusive'],
    ['queue="typing"', '`queue="typing"` is not implemented in this version'],
    ['queue="other"', '`queue` must be "indexing" or "typing"'],
    ['mode="s2s"', '`mode="s2s"` is not implemented in this version'],
    ['endpoint="raw"', '`endpoint="raw"` is not implemented in this version'],
    ['parallel=0', '`parallel` must be greater than zero'],
    ['parallel=2', '`parallel` greater than 1 is not implemented in this version'],
    ['tls={client_ca: "x"}', '`client_ca` in `tls` is for servers only'],
    ['tls={min_version: "2"}', '`min_version` in `tls` must be "1.0", "1.1", "1.2" or "1.3"'],
    ['tls={x: 1}', 'unknown key `x` in `tls`'],
  ] as const) {
    const text = `from {}\nto_splunk "a", hec_token="t", ${args}`;
    const { diagnostics } = compileTql(new SourceText('x', text), builtins, { id: 'x', hasImplicitEnds: false });
    assert.deepEqual(
      diagnostics.map(diagnostic => diagnostic.message),
      [message],
    );
    assert.ok(diagnostics[0]!.span!.start > text.indexOf('"t"'), args);
  }
  const good =
    'from {}\nto_splunk "a", hec_token="t", queue="indexing", mode="hec", parallel=1, tls={min_version: "1.2"}';
  const options = { id: 'x', hasImplicitEnds: false };
  assert.deepEqual(compileTql(new SourceText('x', good), builtins, options).diagnostics, []);
});
