/** Settings: places of errors, suggestions, interpolation, order of sources, where a configuration is found. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { nodeIo } from '../../base/io/node.ts';
import { findConfig, type LoadedConfig, loadConfig, readConfig } from './load.ts';
import { configJsonSchema, durationMs, sizeBytes } from './schema.ts';
import { listenersOf, securityOf } from '../listeners.ts';

const { files } = nodeIo();

function directory(t: TestContext, contents: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

function read(text: string, environment: Readonly<Record<string, string>> = {}): LoadedConfig {
  return readConfig([{ file: 'm.yaml', text }], environment);
}

/** `code line:column message · hints`, the text at the place in brackets. */
function findings({ diagnostics, sources }: LoadedConfig): string[] {
  return diagnostics.map(({ code, file, hints = [], message, notes = [], span }) => {
    const source = sources.get(file ?? '');
    const at = span && source ? source.position(span.start) : undefined;
    const place = at ? `${at.line}:${at.column} [${source!.text.slice(span!.start, span!.end)}]` : file;
    return [`${code} ${place} ${message}`, ...notes, ...hints].join(' · ');
  });
}

test('defaults are a valid configuration', () => {
  const { config, diagnostics } = readConfig([], {});
  assert.deepEqual(diagnostics, []);
  assert.equal(config?.kafka.listen, undefined, 'the address is chosen with the listeners');
  assert.equal(config?.data, '.millrace/data');
  assert.equal(durationMs(config!.drain_timeout), 30_000);
  assert.equal(sizeBytes(config!.log.file_size), 134_217_728);
  for (const text of ['', '# nothing\n', '{}\n', '---\n']) assert.deepEqual(read(text).config, config, text);
});

test('each setting has a sentence in the JSON Schema', () => {
  type Schema = { description?: string; properties?: Record<string, Schema>; items?: Schema };
  const missing: string[] = [];
  const visit = (schema: Schema, path: string): void => {
    if (path !== '' && !path.endsWith('[]') && !schema.description?.endsWith('.')) missing.push(path);
    for (const [name, inner] of Object.entries(schema.properties ?? {})) visit(inner, `${path}/${name}`);
    if (schema.items) visit(schema.items, `${path}[]`);
  };
  const schema = configJsonSchema() as Schema;
  visit(schema, '');
  assert.deepEqual(missing, []);
  assert.ok(Object.keys(schema.properties ?? {}).includes('kafka'));
});

test('unknown keys are refused at their place, with the nearest name or with all there are', () => {
  assert.deepEqual(findings(read('kafak:\n  listen: a:1\nkafka:\n  lisen: a:1\n  zzz: 1\n')), [
    'MR1013 1:1 [kafak] unknown key "kafak" · did you mean "kafka"?',
    'MR1013 4:3 [lisen] unknown key "lisen" · did you mean "listen"?',
    'MR1013 5:3 [zzz] unknown key "zzz" · there are listen, advertised_host, advertised_port, allow_plaintext, auto_create_topics, default_partitions, listeners, users, oauth, authorization',
  ]);
  assert.deepEqual(findings(read('pipelines:\n  - { id: a, tql: x }\n  - { id: b, tqll: x }\n')), [
    'MR1013 3:14 [tqll] unknown key "tqll" · did you mean "tql"?',
  ]);
});

test('wrong values say what is wanted and what was there, at the value', () => {
  const text = `data: [x]
drain_timeout: 30
http: 8081
kafka: { listen: nowhere, default_partitions: 0, allow_plaintext: maybe }
log: { file_size: 12 MB }
engine: { workers: many }
pipelines: [{ tql: x }, { id: "a b", tql: x }, { id: c }, { id: d, tql: x, file: y }, { id: d, tql: x }]
`;
  assert.deepEqual(findings(read(text)), [
    'MR1012 1:7 [[x]] data must be text, got a list',
    'MR1012 2:16 [30] drain_timeout must be text, got a number',
    'MR1012 3:7 [8081] http must be a map of settings, got a number',
    'MR1012 4:18 [nowhere] kafka.listen must be host:port, such as 127.0.0.1:9092',
    'MR1012 4:47 [0] kafka.default_partitions must be at least 1',
    'MR1012 4:67 [maybe] kafka.allow_plaintext must be true or false, got text',
    'MR1012 5:19 [12 MB] log.file_size must be a size with its unit, such as 128MiB',
    'MR1012 6:20 [many] engine.workers must be auto or a whole number from 0 to 28',
    'MR1012 7:13 [{ tql: x }] pipelines[0].id is missing',
    'MR1012 7:31 ["a b"] pipelines[1].id must have 1 to 100 of a-z A-Z 0-9 . _ -',
    'MR1012 7:48 [{ id: c }] pipelines[2] needs either `file` or `tql`',
    'MR1012 7:59 [{ id: d, tql: x, file: y }] pipelines[3] needs either `file` or `tql`',
  ]);
  const fates = `pipelines:
  - { id: a, tql: x, on_error: ignore }
  - { id: b, tql: x, dead_letter_topic: "a b" }
  - { id: c, tql: x, on_error: drop, dead_letter_topic: t }
`;
  assert.deepEqual(findings(read(fates)), [
    'MR1012 2:32 [ignore] pipelines[0].on_error must be dead_letter, drop or stop',
    'MR1012 3:41 ["a b"] pipelines[1].dead_letter_topic must have 1 to 249 of a-z A-Z 0-9 . _ -',
    'MR1012 4:57 [t] pipelines[2].dead_letter_topic has no place beside another `on_error` than dead_letter',
  ]);
  assert.deepEqual(findings(read('pipelines: [{ id: d, tql: x }, { id: d, tql: x }]\n')), [
    'MR1016 1:38 [d] pipelines[1].id is taken · by m.yaml:1:19',
  ]);
});

test('what is no YAML, no map, or deeper and larger than a configuration can be is an error with its place', () => {
  assert.match(findings(read('a: [\n'))[0]!, /^MR1010 2:1 .*Flow sequence/);
  assert.match(findings(read('data: a\ndata: b\n'))[0]!, /^MR1010 2:1 .*[Mm]ap keys must be unique/);
  const invalid = readConfig([{ file: 'm.yaml', text: 'data: \ufffd', invalidAt: 6 }], {});
  assert.deepEqual(findings(invalid), ['MR1010 1:7 [\ufffd] bytes that are no UTF-8']);
  assert.match(
    findings(read('- a\n'))[0]!,
    /^MR1012 1:1 \[-\] the configuration must be a map of settings, got a list/,
  );
  assert.match(
    findings(read(`data: ${'['.repeat(500)}${']'.repeat(500)}`)).join('\n'),
    /MR1010 .* too large or too deep/,
  );
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map(([name, before]) => [name, before]))
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
  assert.match(findings(read(bomb.join('\n'))).join('\n'), /MR1010 .* too large or too deep/);
});

test('references are replaced in values after parsing, and cannot change the structure', () => {
  const text = `data: \${env:DIR}/x
kafka: { listen: "\${env:HOST:-127.0.0.1}:\${env:PORT:-9}", default_partitions: "\${env:N}", allow_plaintext: "\${env:P}" }
secrets: { A: "\${env:EVIL}", B: "$\${env:DIR}", C: "\${env:N}", D: "\${env:EMPTY:-}" }
`;
  const { config, diagnostics } = read(text, {
    DIR: '/d',
    N: '12',
    P: 'true',
    EVIL: 'x", kafka: { listen: "0.0.0.0:1',
  });
  assert.deepEqual(diagnostics, []);
  assert.equal(config?.data, '/d/x');
  assert.deepEqual(
    [config?.kafka.listen, config?.kafka.default_partitions, config?.kafka.allow_plaintext],
    ['127.0.0.1:9', 12, true],
  );
  assert.deepEqual(config?.secrets, { A: 'x", kafka: { listen: "0.0.0.0:1', B: '${env:DIR}', C: '12', D: '' });
});

test('programs keep their text: what comes from outside never becomes code', () => {
  const { pipelines } = read('pipelines:\n  - id: a\n    tql: |\n      from {x: "${env:X}"}\n', { X: '"} | discard' });
  assert.equal(pipelines[0]?.text, 'from {x: "${env:X}"}\n');
});

test('references without a value are errors where they stand', t => {
  const root = directory(t, {
    'm.yaml': 'data: "${env:NO}"\nsecrets: { A: "${file:token}", B: "${file:none}", C: "${vault:x}", D: "${env:}" }\n',
    token: 's3cret\n',
  });
  assert.deepEqual(findings(loadConfig(files, {}, join(root, 'm.yaml'))), [
    'MR1011 1:7 ["${env:NO}"] environment variable NO is not set and has no default',
    `MR1011 2:35 ["\${file:none}"] file none cannot be read: there is no such file or directory`,
    'MR1014 2:54 ["${vault:x}"] unknown reference ${vault:x}',
    'MR1014 2:71 ["${env:}"] unknown reference ${env:}',
  ]);
  writeFileSync(join(root, 'm.yaml'), 'secrets: { A: "${file:token}" }\n');
  assert.deepEqual(loadConfig(files, {}, join(root, 'm.yaml')).config?.secrets, { A: 's3cret' });
});

test('a flag wins over the environment, that over the file, that over the default', () => {
  const text = 'data: file\nkafka: { listen: "file:1", default_partitions: 2 }\n';
  const environment = {
    MILLRACE__DATA: 'environment',
    MILLRACE__KAFKA__LISTEN: 'environment:1',
    MILLRACE__HTTP__LISTEN: 'environment:2',
  };
  const flags = new Map([['kafka.listen', { flag: '--kafka', value: 'flag:1' }]]);
  const { config } = readConfig([{ file: 'm.yaml', text }], environment, { flags });
  assert.deepEqual(
    [config?.kafka.listen, config?.data, config?.http.listen, config?.kafka.default_partitions, config?.engine.workers],
    ['flag:1', 'environment', 'environment:2', 2, 'auto'],
  );
  const more = read('{}', { MILLRACE__ENGINE__WORKERS: '3', MILLRACE__SECRETS__Token_A: '007' }).config;
  assert.deepEqual([more?.engine.workers, more?.secrets], [3, { Token_A: '007' }]);
});

test('a wrong setting from the environment names its variable', () => {
  assert.deepEqual(findings(read('{}', { MILLRACE__KAFAK__LISTEN: 'a:1', MILLRACE__ENGINE__WORKERS: 'x' })), [
    'MR1012 MILLRACE__ENGINE__WORKERS engine.workers must be auto or a whole number from 0 to 28',
    'MR1013 MILLRACE__KAFAK__LISTEN unknown key "kafak" · did you mean "kafka"?',
  ]);
});

test('the files of a directory are merged by name; what is set twice names both places', t => {
  const root = directory(t, {
    'a.yaml': 'data: x\nkafka: { default_partitions: 3 }\npipelines: [{ id: a, file: p.tql }]\n',
    'b.yml': 'kafka: { listen: "127.0.0.1:1" }\npipelines: [{ id: b, tql: discard }]\n',
    'p.tql': 'discard\n',
    'c.txt': 'not: read',
  });
  const { config, pipelines, diagnostics } = loadConfig(files, {}, root);
  assert.deepEqual(diagnostics, []);
  assert.deepEqual([config?.data, config?.kafka.default_partitions, config?.kafka.listen], ['x', 3, '127.0.0.1:1']);
  assert.deepEqual(
    pipelines.map(({ id, text }) => [id, text]),
    [
      ['a', 'discard\n'],
      ['b', 'discard'],
    ],
  );
  writeFileSync(join(root, 'b.yml'), 'pipelines: [{ id: a, tql: x }]\ndata: y\n');
  const found = findings(loadConfig(files, {}, root)).map(line => line.replaceAll(root, ''));
  assert.deepEqual(found, [
    'MR1016 1:19 [a] pipelines[1].id is taken · by /a.yaml:3:19',
    'MR1016 2:1 [data] "data" is set twice · it is set in /a.yaml:1:1, too',
  ]);
});

test('a pipeline whose file is missing is an error at its name', t => {
  const root = directory(t, { 'm.yaml': 'pipelines:\n  - { id: a, file: none.tql }\n' });
  assert.match(
    findings(loadConfig(files, {}, join(root, 'm.yaml')))[0]!,
    /^MR1015 2:20 \[none\.tql\] pipeline a: none\.tql cannot be read: there is no such file/,
  );
});

test('places in a program that stands in a block are places in the file', () => {
  const text = 'pipelines:\n  - id: a\n    tql: |\n\n      load_kafka "t"\n        wher x\n';
  const { pipelines } = read(text);
  const { origin, text: program } = pipelines[0]!;
  assert.equal(program, '\nload_kafka "t"\n  wher x\n');
  const start = program.indexOf('wher');
  const span = origin!.spanOf({ start, end: start + 4 });
  assert.equal(text.slice(span.start, span.end), 'wher');
  assert.equal(read('pipelines: [{ id: a, tql: "a\\nb" }]').pipelines[0]!.origin, undefined);
});

test('a configuration is found here, upward to the repository, then with the user', t => {
  const root = directory(t, {
    'millrace.yaml': '{}',
    'repository/.git/HEAD': '',
    'repository/deep/er/x': '',
    'home/millrace/any.yaml': '{}',
    'other/x': '',
  });
  const environment = { XDG_CONFIG_HOME: join(root, 'home') };
  const find = (at: string): string | undefined => findConfig(files, environment, join(root, at))?.slice(root.length);
  assert.equal(find('other'), '/millrace.yaml');
  assert.equal(find('repository/deep/er'), '/home/millrace', 'the search ends at the repository’s root');
  writeFileSync(join(root, 'repository/millrace.yaml'), '{}');
  assert.equal(find('repository/deep/er'), '/repository/millrace.yaml');
  rmSync(join(root, 'repository/millrace.yaml'));
  assert.equal(findConfig(files, {}, join(root, 'repository/deep')), undefined);
  assert.equal(findConfig(files, { HOME: join(root, 'none') }, join(root, 'repository')), undefined);
});

const SECURED = `kafka:
  listeners:
    - { name: public, protocol: SASL_SSL, listen: "0.0.0.0:9094", advertised: "kafka.example.com:9094", tls: { certificate: c.pem, key: k.pem } }
    - { name: agents, protocol: SASL_SSL, listen: "0.0.0.0:10012", log_service: true, session_max: 1h, tls: { certificate: c.pem, key: k.pem } }
    - { name: old, protocol: PLAINTEXT, listen: "127.0.0.1:10013", log_service: true, project: shop, access_key: K1 }
    - { name: mutual, protocol: SSL, listen: "127.0.0.1:0", tls: { certificate: c.pem, key: k.pem, ca: ca.pem, client_auth: required } }
  users: [{ name: alice, password: "\${env:ALICE}" }]
  authorization: { super_users: ["User:alice"] }
projects: [{ name: shop }]
access_keys: [{ id: K1, secret: s, rights: [{ actions: ["log:*"], resources: ["project/shop/logstore/*"] }] }]
`;

test('listeners, users and access keys become settings of the broker', () => {
  const { config, diagnostics } = read(SECURED, { ALICE: 'hush' });
  assert.deepEqual(diagnostics, []);
  const listeners = listenersOf(config!);
  assert.deepEqual(
    listeners.map(({ address, mechanisms, name }) => [name, address.port, mechanisms]),
    [
      ['public', 9094, ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']],
      ['agents', 10_012, ['PLAIN']],
      ['old', 10_013, undefined],
      ['mutual', 0, undefined],
    ],
    'no plaintext listener beside them unless one is asked for',
  );
  assert.equal(listeners[3]!.certificates?.ca, join(process.cwd(), 'ca.pem'), 'files count from the configuration');
  assert.deepEqual(listeners[0]!.advertised, { host: 'kafka.example.com', port: 9094 });
  assert.equal(listeners[1]!.sessionMaxMs, 3_600_000);
  assert.deepEqual(listeners[2]!.identity, { type: 'AccessKey', name: 'K1', namespace: 'shop' });
  const security = securityOf(nodeIo(), config!);
  assert.deepEqual([security.users, security.projects], [[{ name: 'alice', password: 'hush' }], ['shop']]);
  assert.deepEqual([security.authorizer.isOn, security.tokens], [true, undefined]);
  const with9092 = listenersOf(
    read(SECURED.replace('kafka:', 'kafka:\n  listen: 127.0.0.1:9092'), { ALICE: 'x' }).config!,
  );
  assert.deepEqual([with9092.length, with9092[0]!.name, with9092[0]!.address.port], [5, 'default', 9092]);
  assert.deepEqual(
    listenersOf(read('').config!).map(({ address }) => address),
    [{ host: '127.0.0.1', port: 9092 }],
  );
});

test('what listens in plaintext for others was asked for by name', () => {
  const exposed = (more: string): (() => unknown) => {
    const { config } = read(`kafka: { listeners: [{ name: a, listen: "0.0.0.0:9092", ${more} }] }`);
    return () => listenersOf(config!);
  };
  assert.throws(exposed('protocol: PLAINTEXT'), /MR1005|without TLS/);
  assert.throws(exposed('protocol: SASL_PLAINTEXT'), /without TLS/);
  assert.doesNotThrow(exposed('protocol: SASL_PLAINTEXT, allow_plaintext: true'));
  assert.throws(() => listenersOf(read('kafka: { listen: "0.0.0.0:9092" }').config!), /without TLS/);
});

for (const [text, finding] of [
  ['{ name: a, protocol: SSL, listen: "a:1" }', 'tls is missing; SSL needs a certificate and its key'],
  ['{ name: a, protocol: TLS, listen: "a:1" }', 'protocol '],
  ['{ name: a, protocol: PLAINTEXT, listen: "a:1", mechanisms: [PLAIN] }', 'mechanisms has no place in PLAINTEXT'],
  ['{ name: a, protocol: PLAINTEXT, listen: "a:1", session_max: 1h }', 'session_max has no place'],
  ['{ name: a, protocol: PLAINTEXT, listen: "a:1", tls: { certificate: c, key: k } }', 'tls has no place'],
  [
    '{ name: a, protocol: SSL, listen: "a:1", tls: { certificate: c, key: k, client_auth: required } }',
    'tls needs `ca`',
  ],
  ['{ name: a, protocol: SASL_PLAINTEXT, listen: "a:1", mechanisms: [OAUTHBEARER] }', 'mechanisms has OAUTHBEARER'],
  [
    '{ name: a, protocol: SASL_PLAINTEXT, listen: "a:1", log_service: true, mechanisms: [SCRAM-SHA-256] }',
    'PLAIN only',
  ],
  ['{ name: a, protocol: PLAINTEXT, listen: "a:1", log_service: true }', 'log_service needs SASL'],
  [
    '{ name: a, protocol: PLAINTEXT, listen: "a:1", log_service: true, project: shop }',
    'project goes with `access_key`',
  ],
  [
    '{ name: a, protocol: PLAINTEXT, listen: "a:1", log_service: true, project: x, access_key: y }',
    'access_key is y, which is not there',
  ],
  [
    '{ name: a, protocol: PLAINTEXT, listen: "a:1" }, { name: a, protocol: PLAINTEXT, listen: "a:2" }',
    'listeners[1].name is taken',
  ],
] as const)
  test(`listeners: ${text} is refused at its place`, () => {
    const found = findings(read(`kafka:\n  listeners: [${text}]\n`)).join('\n');
    assert.ok(found.includes(finding), found);
    assert.match(found, /^MR101\d 2:/);
  });
