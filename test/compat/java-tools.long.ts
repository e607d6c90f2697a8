/** Kafka 4.2's own command line tools, unmodified, against a running `millrace up`. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type KAFKA_TOOLS, kafkaTool } from './peers/kafka.ts';
import { makeServer, type Server } from './up.ts';

let server: Server;
let bootstrap: string[];

before(async () => {
  server = await makeServer();
  await server.start();
  bootstrap = ['--bootstrap-server', `127.0.0.1:${server.port}`];
});

after(async () => {
  await server.kill('SIGTERM');
  server.remove();
});

const run = (tool: keyof typeof KAFKA_TOOLS, args: readonly string[], input = ''): string =>
  execFileSync('java', kafkaTool(tool, [...bootstrap, ...args]), {
    input,
    encoding: 'utf8',
    timeout: 120_000,
    stdio: ['pipe', 'pipe', 'pipe'],
  });

const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${from + i}\n`).join('');

test('the topic command creates, describes, grows and deletes a topic', () => {
  run('topics', ['--create', '--topic', 'made', '--partitions', '2', '--config', 'retention.ms=60000']);
  assert.match(run('topics', ['--describe', '--topic', 'made']), /PartitionCount: 2.*retention\.ms=60000/);
  run('topics', ['--alter', '--topic', 'made', '--partitions', '4']);
  assert.match(run('topics', ['--describe', '--topic', 'made']), /PartitionCount: 4/);
  run('topics', ['--delete', '--topic', 'made']);
  assert.doesNotMatch(run('topics', ['--list']), /^made$/m);
});

for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  test(`the console producer writes with ${codec}, and the console consumer reads it`, () => {
    const topic = `java-${codec}`;
    run('topics', ['--create', '--topic', topic]);
    run('producer', ['--topic', topic, '--compression-codec', codec], lines(0, 500));
    const read = run('consumer', [
      '--topic',
      topic,
      '--from-beginning',
      '--max-messages',
      '500',
      '--timeout-ms',
      '30000',
    ]);
    assert.equal(read, lines(0, 500));
  });
}

test('a group of three console consumers loses one to kill -9, goes on, and resumes', async () => {
  run('topics', ['--create', '--topic', 'three', '--partitions', '3']);
  const seen = new Set<string>();
  const member = (): ChildProcess => {
    const properties = ['session.timeout.ms=6000', 'auto.commit.interval.ms=100', 'metadata.max.age.ms=2000'];
    const args = [...bootstrap, '--topic', 'three', '--group', 'three', '--from-beginning'];
    const options = properties.flatMap(property => ['--command-property', property]);
    const child = spawn('java', kafkaTool('consumer', [...args, ...options]), { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', line => seen.add(line));
    return child;
  };
  const produce = (from: number): string =>
    run(
      'producer',
      [
        '--topic',
        'three',
        '--command-property',
        'partitioner.ignore.keys=true',
        '--command-property',
        'batch.size=200',
      ],
      lines(from, 300),
    );
  const until = async (count: number): Promise<void> => {
    for (let i = 0; i < 900 && seen.size < count; i++) await new Promise(resolve => setTimeout(resolve, 100));
    assert.deepEqual(
      [...seen].filter(line => !/^\d+$/.test(line)),
      [],
    );
    assert.equal(seen.size, count);
  };
  const members = [member(), member(), member()];
  try {
    produce(0);
    await until(300);
    assert.match(run('groups', ['--describe', '--group', 'three', '--members']), /three/);
    members[0]!.kill('SIGKILL');
    produce(1_000);
    await until(600);
    const described = run('groups', ['--describe', '--group', 'three']);
    assert.match(described, /three\s+three\s+0/);
  } finally {
    for (const child of members) child.kill('SIGTERM');
    await Promise.all(
      members.map(async child => {
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }),
    );
  }
  produce(2_000);
  const rest = run('consumer', [
    '--topic',
    'three',
    '--group',
    'three',
    '--max-messages',
    '300',
    '--timeout-ms',
    '30000',
  ]);
  const values = new Set(rest.trim().split('\n'));
  // Resumed behind what was committed: everything new is there, and nothing of the first round comes again.
  assert.ok(
    [...values].every(value => Number(value) >= 1_000),
    rest.slice(0, 200),
  );
});
