/** What stands in the requests of `to_splunk`: envelopes, texts for the raw endpoint; and which arguments do not go together. */
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
      if (!isBusy && request.method === 'POST')
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
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

test('an event that nobody changed is sent as the bytes that it came in; null fields go, unless they are to stay', async t => {
  const input =
    '{"a": 1.0, "id": 12345678901234567890, "t": "2024-01-01T00:00:00.000Z"}\n{"a": {"b": null, "c": [null]}}';
  const first = await collector(t);
  const sink = `to_splunk "${first.url}", hec_token="t", compress=false`;
  await runPipeline(`read_ndjson\n${sink}`, builtins, { input: [input] });
  assert.equal(
    first.requests[0]!.body,
    '{"event":{"a": 1.0, "id": 12345678901234567890, "t": "2024-01-01T00:00:00.000Z"},"sourcetype":"_json"}' +
      '{"event":{"a":{"c":[null]}},"sourcetype":"_json"}',
  );
  const { requests, url } = await collector(t);
  const text = `read_ndjson\nto_splunk "${url}", hec_token="t", compress=false, include_nulls=true`;
  await runPipeline(text, builtins, { input: ['{"a": null}'] });
  assert.equal(requests[0]!.body, '{"event":{"a": null},"sourcetype":"_json"}');
});

test('time is a time or seconds, fields are strings or lists of them; what is neither warns and is left out', async t => {
  const { requests, url } = await collector(t);
  const { diagnostics } = await runPipeline(
    `from {t: 2024-01-01T00:00:00.5Z, f: {a: "x", b: ["y", "z"]}}, {t: 1700000000.25, f: {a: 1, b: ["y", 2], c: "ok"}},
     {t: -1, f: "no"}, {t: "now", f: null}, {t: 2024-01-01T00:00:00.123456789Z, f: {}}
to_splunk "${url}", hec_token="t", event="e", time=t, fields=f, host=1, compress=false`,
    builtins,
  );
  const e = '{"event":"e","sourcetype":"_json"';
  assert.equal(
    requests[0]!.body,
    `${e},"time":1704067200.500,"fields":{"a":"x","b":["y","z"]}}${e},"time":1700000000.25,"fields":{"c":"ok"}}${e}}${e}}${e},"time":1704067200.123456789}`,
  );
  const said = diagnostics.join();
  for (const warning of [
    '`fields.a` must be a string or list of strings; omitting field',
    '`fields.b` must be a string or list of strings; omitting field',
    '`fields` must be a record; it is left out',
    '`time` must be a time or a non-negative number of seconds; it is left out',
    '`host` must be a string, got `int64`; it is left out',
  ])
    assert.ok(said.includes(warning), warning);
});

test('secrets never leave in an event', async t => {
  const { requests, url } = await collector(t);
  await runPipeline(
    `from {x: 1}\nto_splunk "${url}", hec_token=secret("S"), event={s: secret("S")}, compress=false`,
    builtins,
    { secrets: { S: 'hidden' } },
  );
  assert.equal(requests[0]!.body, '{"event":{"s":"***"},"sourcetype":"_json"}');
});

test('`endpoint="raw"` sends what `event` gives as text', async t => {
  const { requests, url } = await collector(t);
  await runPipeline(
    `from {m: "one"}, {m: ""}, {m: "two"}\nto_splunk "${url}", hec_token="t", event=m, endpoint="raw", compress=false`,
    builtins,
  );
  assert.deepEqual([requests[0]!.path, requests[0]!.body], ['/services/collector/raw', 'one\ntwo']);
});

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
    ['endpoint="raw"', '`endpoint="raw"` needs `event`, the text to send'],
    ['endpoint="raw", raw="x"', '`endpoint` and `raw` are mutually exclusive'],
    ['endpoint="other"', '`endpoint` must be "event" or "raw"'],
    ['parallel=0', '`parallel` must be greater than zero'],
    ['parallel=65', '`parallel` must not be greater than 64'],
    ['max_content_length=0', '`max_content_length` must be greater than zero'],
    ['max_attempts=0', '`max_attempts` must be greater than zero'],
    ['buffer_timeout=0s', '`buffer_timeout` must be greater than zero'],
    ['ack_timeout=0s', '`ack_timeout` must be greater than zero'],
    ['timeout=0s', '`timeout` must be greater than zero'],
    ['tls=1', '`tls` must be a record or a bool'],
    ['tls={cacert: 1}', '`cacert` in `tls` must be a string'],
    ['tls={skip_peer_verification: "yes"}', '`skip_peer_verification` in `tls` must be a bool'],
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
  for (const [address, message] of [
    ['"ftp://a"', '`ftp://a` is no URL of a collector'],
    ['""', '`` is no URL of a collector'],
    ['"https://u:p@a"', 'the URL must not have a user: the token is all that is needed'],
    ['"https://a", tls=false', '`tls=false` and `https:` do not go together'],
    ['"http://a", tls=true', '`tls` and `http:` do not go together'],
    ['"a", hec_token=""', '`hec_token` must not be empty'],
    ['"a", hec_token="x\\ny"', '`hec_token` must not have blanks or other characters that no header takes'],
  ] as const) {
    const text = `from {}\nto_splunk ${address}${address.includes('hec_token') ? '' : ', hec_token="t"'}`;
    const { diagnostics } = compileTql(new SourceText('x', text), builtins, { id: 'x', hasImplicitEnds: false });
    assert.deepEqual(
      diagnostics.map(diagnostic => diagnostic.message),
      [message],
    );
  }
  const good =
    'from {}\nto_splunk "a", hec_token="t", queue="indexing", mode="hec", parallel=2, print_nulls=true, send_timeout=1s, tls={min_version: "1.2"}';
  const options = { id: 'x', hasImplicitEnds: false };
  assert.deepEqual(compileTql(new SourceText('x', good), builtins, options).diagnostics, []);
});
