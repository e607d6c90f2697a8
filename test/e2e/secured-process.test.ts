/** A secured process from its configuration, and the commands that reach it: secrets from files, references and input, never flags. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CertificateAuthority } from '../../src/testing/index.ts';
import { directoryOf, millrace, start } from './command.ts';

test('users and ACLs are administered over a secured listener; who lacks a right or a password is told so', async t => {
  const authority = new CertificateAuthority();
  const { cert, key } = authority.issue({ subject: [['CN', 'millrace']], names: ['127.0.0.1'] });
  const cwd = directoryOf(t, {
    'ca.pem': authority.cert,
    'cert.pem': cert,
    'key.pem': key,
    'admin-password': 'admin-secret\n',
    'millrace.yaml': `data: data
kafka:
  listeners:
    - { name: public, protocol: SASL_SSL, listen: "127.0.0.1:0", tls: { certificate: cert.pem, key: key.pem } }
  users: [{ name: admin, password: "\${file:admin-password}" }]
  authorization: { super_users: ["User:admin"] }
`,
    'admin.properties': `# who we are
security.protocol=SASL_SSL
ssl.ca.location=ca.pem
sasl.mechanism=SCRAM-SHA-512
sasl.username=admin
sasl.password=\${file:admin-password}
`,
  });
  const process = start(t, ['up', '--http', '127.0.0.1:0'], { cwd });
  const [line] = await process.until(/^\{.*"msg":"ready".*\}$/m);
  const { http, kafka } = JSON.parse(line) as { http: string; kafka: string };
  const run = (args: readonly string[], input = '') => millrace(t, args, { cwd, input });
  const admin = (args: readonly string[], input?: string) => run([...args, '--properties', 'admin.properties'], input);

  assert.equal((await admin(['users', 'set', 'bob', '--password-file', '-'], 'hush\n')).code, 0);
  const users = await admin(['users', 'list', '-o', 'ndjson']);
  assert.deepEqual(
    users.stdout
      .trim()
      .split('\n')
      .map(text => JSON.parse(text) as unknown),
    ['SCRAM-SHA-256', 'SCRAM-SHA-512']
      .flatMap(mechanism => [
        { user: 'admin', mechanism, iterations: 4_096 },
        { user: 'bob', mechanism, iterations: 8_192 },
      ])
      .sort((a, b) => (a.user < b.user ? -1 : 1)),
  );
  assert.equal((await admin(['topics', 'create', 'orders'])).code, 0);

  writeFileSync(join(cwd, 'bob-password'), 'hush');
  const properties = [
    'security.protocol=SASL_SSL',
    'ssl.ca.location=ca.pem',
    'sasl.mechanism=PLAIN',
    'sasl.username=bob',
  ];
  const bob = (args: readonly string[], mechanism = 'SCRAM-SHA-256', input = '', password = '${file:bob-password}') => {
    const all = [
      ...properties.filter(text => !/mechanism/.test(text)),
      `sasl.mechanism=${mechanism}`,
      `sasl.password=${password}`,
    ];
    return run([...args, '-b', kafka, ...all.flatMap(text => ['-X', text])], input);
  };
  const denied = await bob(['produce', 'orders'], 'SCRAM-SHA-256', 'x\n');
  assert.equal(denied.code, 6, denied.stderr);
  assert.match(denied.stderr, /TOPIC_AUTHORIZATION_FAILED/);
  assert.equal((await bob(['topics', 'create', 'more'])).code, 6);
  assert.equal((await bob(['consume', 'orders', '-n', '1'])).code, 6);
  assert.equal((await admin(['acls', 'allow', 'User:bob', '--operation', 'read,write', '--topic', 'ord*'])).code, 0);
  const produced = await bob(['produce', 'orders'], 'SCRAM-SHA-256', 'one\n');
  assert.deepEqual([produced.code, produced.stderr], [0, '1 records acknowledged\n']);
  assert.equal((await bob(['consume', 'orders', '-n', '1'])).stdout, 'one\n');
  const listed = await admin(['acls', 'list', '--principal', 'User:bob', '-o', 'ndjson']);
  assert.match(
    listed.stdout,
    /"type":"TOPIC","pattern":"PREFIXED","name":"ord","principal":"User:bob","host":"\*","operation":"READ"/,
  );
  assert.match((await admin(['acls', 'delete', '--principal', 'User:bob', '--yes'])).stderr, /deleted 2 bindings/);

  const secret = await bob(['topics', 'list'], 'SCRAM-SHA-256', '', 'hush');
  assert.equal(secret.code, 2);
  assert.match(secret.stderr, /a secret is no flag’s value/);
  assert.doesNotMatch(secret.stderr, /hush/);
  writeFileSync(join(cwd, 'bob-password'), 'guess');
  const wrong = await bob(['topics', 'list']);
  assert.equal(wrong.code, 6, wrong.stderr);
  assert.match(wrong.stderr, /refused SCRAM-SHA-256 authentication/);
  const plaintext = await run(['topics', 'list', '-b', kafka, '-X', 'socket.connection.setup.timeout.ms=3000']);
  assert.equal(plaintext.code, 5, plaintext.stderr);

  const metrics = await (await fetch(`http://${http}/metrics`)).text();
  assert.match(metrics, /^millrace_kafka_authentications_total\{result="failed"\} [1-9]/m);
  assert.match(metrics, /^millrace_tls_certificate_expiry_seconds\{listener="public"\} 3\d{7}/m);
  process.child.kill('SIGTERM');
  assert.equal(await process.ended, 0);
  assert.match(process.stderr(), /refused .*public|plaintext Kafka request on the TLS listener public/);
  assert.doesNotMatch(process.stderr(), /admin-secret|hush|guess/);
});
