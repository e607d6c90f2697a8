/**
 * Frames of foreign clients and our answers to them, as data: `test/corpus/wire/<client>.jsonl`, written by
 * `tools/capture-frames`. Each decodes to what Kafka's own classes read in it, and encodes again to the same bytes; so do
 * subscriptions and assignments inside group frames.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BatchHeader, MessageSetCursor, upConvert } from '../../src/wire/records/index.ts';
import type { CapturedFrame } from '../compat/wire/captured-frame.ts';
import { codecOf } from '../compat/wire/codec.ts';
import { type Body, bodies } from '../compat/wire/our-definitions.ts';
import { kafkaJson, type Message, plain } from '../compat/wire/random-messages.ts';

const corpus = join(import.meta.dirname, '../corpus/wire');
const files = globSync('*.jsonl', { cwd: corpus }).sort();
const byName = new Map(bodies.map(body => [body.name, body]));

/** Groups came with 0.9. */
const hasGroups = (file: string): boolean => !file.startsWith('java-0.8');

function framesOf(file: string): CapturedFrame[] {
  const lines = readFileSync(join(corpus, file), 'utf8').trim().split('\n');
  return lines.map(line => JSON.parse(line) as CapturedFrame);
}

function bodyOf({ api, direction }: CapturedFrame): Body {
  return byName.get(`${api}${direction === 'request' ? 'Request' : 'Response'}`)!;
}

for (const file of files) {
  test(`frames of ${file}`, () => {
    for (const frame of framesOf(file)) {
      const { api, direction, judge, version } = frame;
      const place = `${api} ${version} ${direction}`;
      const body = bodyOf(frame);
      const codec = codecOf(body, version);
      const { header, message } = codec.decode(Buffer.from(frame.bytes, 'hex'));
      assert.deepEqual(header, frame.header, place);
      assert.deepEqual(kafkaJson(judge, body.name, body.fields, message, version), frame.body, place);
      assert.equal(codec.encode(header!, message).toString('hex'), frame.bytes, place);
    }
  });
}

/** Subscriptions and assignments that group members sent each other, with their client. */
function* embedded(): Generator<{ file: string; name: string; bytes: Uint8Array }> {
  for (const file of files) {
    for (const frame of framesOf(file)) {
      const { message } = codecOf(bodyOf(frame), frame.version).decode(Buffer.from(frame.bytes, 'hex'));
      const lists = [message['protocols'], message['members'], message['assignments']];
      for (const entry of lists.flatMap(list => (list ?? []) as readonly Message[])) {
        const { assignment, metadata } = entry;
        if (metadata instanceof Uint8Array) yield { file, name: 'ConsumerProtocolSubscription', bytes: metadata };
        if (assignment instanceof Uint8Array) yield { file, name: 'ConsumerProtocolAssignment', bytes: assignment };
      }
    }
  }
}

test('subscriptions and assignments of every client', () => {
  const seen = new Set<string>();
  for (const { bytes, file, name } of embedded()) {
    const version = Buffer.from(bytes).readInt16BE();
    const codec = codecOf(byName.get(name)!, version);
    const rest = bytes.subarray(2);
    assert.deepEqual(plain(codec.encode({}, codec.decode(rest).message)), plain(rest), `${file} ${name} ${version}`);
    seen.add(`${file} ${name}`);
  }
  const expected = files
    .filter(hasGroups)
    .flatMap(file => ['Assignment', 'Subscription'].map(name => `${file} ConsumerProtocol${name}`));
  assert.deepEqual([...seen].sort(), expected.sort());
});

/** Record data in a Produce request or a Fetch response. */
function* recordData(message: Message): Generator<Uint8Array> {
  for (const value of Object.values(message)) {
    if (value instanceof Uint8Array) {
      if (value.length > 0) yield value;
    } else if (Array.isArray(value)) for (const item of value) yield* recordData(item as Message);
  }
}

test('message sets of every old client are read and become batches', () => {
  const seen = new Set<string>();
  for (const file of files) {
    for (const frame of framesOf(file)) {
      const { api, bytes, direction, version } = frame;
      const isSent = api === 'Produce' && direction === 'request' && version < 3;
      if (!isSent && !(api === 'Fetch' && direction === 'response' && version < 4)) continue;
      const { message } = codecOf(bodyOf(frame), version).decode(Buffer.from(bytes, 'hex'));
      for (const set of recordData(message)) {
        const cursor = new MessageSetCursor().open(set);
        let count = 0;
        for (; cursor.advance(); count++) seen.add(`${api} ${version} magic ${cursor.magic} codec ${cursor.codec}`);
        let converted = 0;
        for (const batch of upConvert(set, { messageBytesMax: 1_000_000 })) {
          converted += new BatchHeader(batch).recordCount;
        }
        assert.equal(converted, count, file);
      }
    }
  }
  for (const kind of [
    'Produce 0 magic 0',
    'Produce 1 magic 0',
    'Produce 2 magic 1',
    'Fetch 0 magic 0',
    'Fetch 3 magic 1',
  ]) {
    assert.ok(
      [...seen].some(text => text.startsWith(kind)),
      `${kind}: ${[...seen].join(', ')}`,
    );
  }
});

test('the corpus has both directions of what every client does, and nothing of the machine that wrote it', () => {
  for (const file of files) {
    const frames = framesOf(file);
    const apis = ['Metadata', 'Produce', 'Fetch'];
    if (hasGroups(file)) apis.push('FindCoordinator', 'JoinGroup', 'SyncGroup', 'OffsetCommit');
    for (const api of apis)
      for (const direction of ['request', 'response'])
        assert.ok(
          frames.some(frame => frame.api === api && frame.direction === direction),
          `${file}: ${api} ${direction}`,
        );
    for (const [host] of readFileSync(join(corpus, file), 'utf8').matchAll(/(?<="(?:host|clientHost)":")[^"]*/g))
      assert.match(host, /^(\/?127\.0\.0\.1)?$/);
  }
  assert.ok(files.length >= 15);
});
