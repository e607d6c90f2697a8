/** Kafka 4.2's own command line tools, unmodified, against a running `millrace up`. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CODEC, type CodecName } from '../../src/wire/records/index.ts';
import { createTopic, tellOfThree } from './group-of-three.ts';
import { type KAFKA_TOOLS, kafkaTool } from './peers/kafka.ts';
import { storedCodecs } from './stored-codecs.ts';
import { makeServer, type Server } from './up.ts';

let server: Server;
let broker: string;
let bootstrap: string[];

before(async () => {
  server = await makeServer();
  await server.start();
  broker = `127.0.0.1:${server.port}`;
  bootstrap = ['--bootstrap-server', broker];
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

/** The same beside others. */
function runAside(tool: keyof typeof KAFKA_TOOLS, args: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile('java', kafkaTool(tool, [...bootstrap, ...args]), { timeout: 120_000 }, error =>
      error ? reject(error) : resolve(),
    );
    child.stdin!.end(input);
  });
}

test('the topic command creates, describes, grows and deletes a topic', () => {
  run('topics', ['--create', '--topic', 'made', '--partitions', '2', '--config', 'retention.ms=60000']);
  assert.match(run('topics', ['--describe', '--topic', 'made']), /PartitionCount: 2.*retention\.ms=60000/);
  run('topics', ['--alter', '--topic', 'made', '--partitions', '4']);
  assert.match(run('topics', ['--describe', '--topic', 'made']), /PartitionCount: 4/);
  run('topics', ['--delete', '--topic', 'made']);
  assert.doesNotMatch(run('topics', ['--list']), /^made$/m);
});

test('the console producer writes with every codec, and the console consumer reads it', async () => {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
  for (const codec of codecs) await createTopic(broker, `java-${codec}`, 1);
  const linesOf = (codec: string): string[] => Array.from({ length: 500 }, (_, i) => `${codec} ${i}`);
  await Promise.all(
    codecs.map(codec =>
      runAside('producer', ['--topic', `java-${codec}`, '--compression-codec', codec], linesOf(codec).join('\n')),
    ),
  );
  for (const codec of codecs)
    assert.deepEqual(await storedCodecs(broker, `java-${codec}`), new Set([CODEC[codec as CodecName]]));
  const args = ['--include', 'java-.*', '--from-beginning', '--max-messages', '2500', '--timeout-ms', '30000'];
  const read = run('consumer', args).trim().split('\n');
  for (const codec of codecs) {
    const ofOne = read.filter(line => line.startsWith(`${codec} `));
    assert.deepEqual(ofOne, linesOf(codec), 'all of them, in order');
  }
});

/** What the consumers of a group are told, besides how often they commit. The newer protocol's times are the server's. */
const PROTOCOLS = {
  classic: ['session.timeout.ms=6000', 'heartbeat.interval.ms=500'],
  consumer: ['group.protocol=consumer'],
} as const;

for (const protocol of ['classic', 'consumer'] as const)
  test(`a ${protocol} group of three console consumers loses one to kill -9, goes on, and resumes`, () => {
    const name = `three-${protocol}`;
    const settings = [...PROTOCOLS[protocol], 'auto.commit.interval.ms=200'];
    const options = settings.flatMap(setting => ['--command-property', setting]);
    const args = [...bootstrap, ...options, '--topic', name, '--group', name, '--from-beginning'];
    return tellOfThree({
      broker,
      name,
      member: { command: 'java', args: kafkaTool('consumer', args) },
      // With keys, because a producer that may choose can leave a partition out.
      produce: async values => {
        const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:'];
        await runAside('producer', ['--topic', name, ...keyed], values.map(value => `${value}:${value}`).join('\n'));
      },
    });
  });

test('configs are altered and described, records deleted, directories, offsets and transactions shown', async () => {
  run('topics', ['--create', '--topic', 'kept', '--partitions', '1']);
  const configs = (...args: readonly string[]): string =>
    run('configs', ['--entity-type', 'topics', '--entity-name', 'kept', ...args]);
  configs('--alter', '--add-config', 'retention.ms=60000,segment.bytes=1048576');
  assert.match(configs('--describe'), /retention\.ms=60000/);
  configs('--alter', '--delete-config', 'retention.ms');
  assert.doesNotMatch(configs('--describe'), /retention\.ms=60000/);
  assert.throws(() => configs('--alter', '--add-config', 'retention.ms=soon'), /must be a whole number/);
  await runAside('producer', ['--topic', 'kept'], 'a\nb\nc\nd');
  const wish = join(tmpdir(), `millrace-delete-records-${process.pid}.json`);
  writeFileSync(wish, JSON.stringify({ version: 1, partitions: [{ topic: 'kept', partition: 0, offset: 3 }] }));
  assert.match(run('deleteRecords', ['--offset-json-file', wish]), /kept-0\s+low_watermark: 3/);
  rmSync(wish);
  assert.match(run('offsets', ['--topic', 'kept', '--time', '-2']), /^kept:0:3$/m);
  assert.match(run('offsets', ['--topic', 'kept', '--time', '-1']), /^kept:0:4$/m);
  assert.match(run('logDirs', ['--describe', '--topic-list', 'kept']), /"partition":"kept-0","size":\d+/);
  assert.match(run('transactions', ['list']), /TransactionalId\s+Coordinator\s+ProducerId\s+TransactionState/);
});

for (const protocol of ['classic', 'consumer'] as const)
  test(`the group command describes and lists ${protocol} groups, resets and deletes their offsets, and deletes them`, () => {
    const name = `three-${protocol}`;
    const [type] = protocol === 'classic' ? ['Classic'] : ['Consumer'];
    const described = run('groups', ['--describe', '--group', name]);
    assert.equal(
      [...described.matchAll(new RegExp(`${name}\\s+${name}\\s+\\d\\s+(\\d+)\\s+\\1\\s+0`, 'g'))].length,
      3,
      described,
    );
    assert.match(run('groups', ['--list', '--state']), new RegExp(`${name}\\s+(${type}\\s+)?Empty`));
    run('groups', ['--reset-offsets', '--group', name, '--topic', name, '--to-earliest', '--execute']);
    assert.match(run('groups', ['--describe', '--group', name]), new RegExp(`${name}\\s+${name}\\s+\\d\\s+0\\s`));
    assert.match(run('groups', ['--delete-offsets', '--group', name, '--topic', `${name}:0`]), /Successful/);
    assert.match(run('groups', ['--delete', '--group', name]), /successful/);
    assert.doesNotMatch(run('groups', ['--list']), new RegExp(name));
  });
