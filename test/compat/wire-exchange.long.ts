/**
 * Random messages of every API, version and direction, judged by Kafka's generated classes: what we encode, Kafka reads
 * (`java/Exchange.java`), shows as JSON that agrees with our object, and writes again byte for byte; what Kafka wrote we
 * decode to an equal object. Headers travel along. Every jar judges what it has, so that 3.9.1 and 2.8.2 judge what 4.0
 * removed.
 *
 * `SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { decodeRequestHeader, Reader } from '../../src/wire/index.ts';
import { judgesOf } from './wire/captured-frame.ts';
import { codecOf, flexibleSince } from './wire/codec.ts';
import { Judge } from './wire/judge.ts';
import { JARS, type JarName } from './wire/kafka-schema.ts';
import { type Body, bodies } from './wire/our-definitions.ts';
import { kafkaJson, type Message, messages, plain } from './wire/random-messages.ts';

const RUNS = 20;
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
process.stdout.write(`SEED=${seed}\n`);

/** Versions that no jar has are listed, with reasons, in `wire-definitions.long.ts`. */
const judges = new Map(JARS.map(jar => [jar, new Judge(jar)]));
after(() => Promise.all([...judges.values()].map(judge => judge.close())));

/** Versions that came after the newest jar. */
const UNJUDGED: Readonly<Record<string, readonly number[]>> = {
  DescribeLogDirsRequest: [5],
  DescribeLogDirsResponse: [5],
};

/** It reads a tagged field that came later as unknown, and its JSON is silent about it. */
const LACKS_A_TAG: ReadonlySet<string> = new Set(['clients-2.8.2 ApiVersionsResponse']);

const fitJudges = (name: string, version: number): JarName[] =>
  judgesOf(name, version).filter(jar => !LACKS_A_TAG.has(`${jar} ${name}`));

function headers(body: Body, version: number): fc.Arbitrary<Message> {
  const correlationId = fc.integer();
  if (body.kind !== 'request') return fc.record({ correlationId }, { noNullPrototype: true });
  const fixed = { requestApiKey: fc.constant(body.apiKey), requestApiVersion: fc.constant(version) };
  const clientId = fc.option(fc.string({ unit: 'binary' }));
  return fc.record({ ...fixed, correlationId, clientId }, { noNullPrototype: true });
}

async function exchange(
  jar: JarName,
  body: Body,
  version: number,
  [header, message]: [Message, Message],
): Promise<void> {
  const codec = codecOf(body, version);
  const ours = codec.encode(header, message);
  const embedded = body.name === 'ConsumerProtocolAssignment' ? 1 : 0;
  const key = body.kind === 'embedded' ? embedded : body.apiKey;
  const theirs = await judges.get(jar)!.ask(body.kind, key, version, ours);
  assert.equal(theirs.bytes.toString('hex'), ours.toString('hex'));
  assert.deepEqual(theirs.body, kafkaJson(jar, body.name, body.fields, message, version));
  const read = codec.decode(theirs.bytes);
  assert.deepEqual(plain(read.message), plain(message));
  if (body.kind === 'embedded') return;
  assert.deepEqual(theirs.header, header);
  assert.deepEqual(read.header, header);
}

for (const body of bodies) {
  test(`${body.name}, ${RUNS} of each version and jar`, async () => {
    const unjudged: number[] = [];
    for (let version = body.versions[0]; version <= body.versions[1]; version++) {
      const jars = fitJudges(body.name, version);
      if (jars.length === 0) unjudged.push(version);
      for (const jar of jars) {
        const random = fc.tuple(headers(body, version), messages(body.fields, version));
        const property = fc.asyncProperty(random, pair => exchange(jar, body, version, pair));
        try {
          await fc.assert(property, { seed, numRuns: RUNS });
        } catch (error) {
          throw new Error(`version ${version}, ${jar}`, { cause: error });
        }
      }
    }
    assert.deepEqual(unjudged, UNJUDGED[body.name] ?? [], 'versions that no jar has judged');
  });
}

test('a request header without client id, version 0, which only the oldest clients send', async () => {
  const bytes = Buffer.from('0007000000000005', 'hex');
  const theirs = await judges.get('clients-2.8.2')!.ask('requestHeader', 7, 0, bytes);
  assert.deepEqual(theirs.bytes, bytes);
  assert.deepEqual(theirs.header, { requestApiKey: 7, requestApiVersion: 0, correlationId: 5 });
  const read = decodeRequestHeader(new Reader(theirs.bytes), flexibleSince);
  assert.deepEqual(read, { apiKey: 7, apiVersion: 0, correlationId: 5, clientId: null });
});

test('Kafka refuses what we must not write: bytes left over, a null that is not allowed', async () => {
  const judge = judges.get('kafka-4.2.0')!;
  const header = '000c0004000000010000' + '00';
  const heartbeat = '0267' + '00000001' + '026d' + '00' + '00';
  await judge.ask('request', 12, 4, Buffer.from(header + heartbeat, 'hex'));
  await assert.rejects(judge.ask('request', 12, 4, Buffer.from(`${header + heartbeat}00`, 'hex')), /left over/);
  const nullGroup = Buffer.from(header + heartbeat.replace('0267', '00'), 'hex');
  await assert.rejects(judge.ask('request', 12, 4, nullGroup), /non-nullable/);
});
