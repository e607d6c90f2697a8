/**
 * Frames of foreign clients and our answers to them, as data: `test/corpus/wire/<client>.jsonl`, written by
 * `tools/capture-frames`. Each decodes to what Kafka's own classes read in it, and encodes again to the same bytes; so do
 * subscriptions and assignments inside group frames.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CapturedFrame } from '../compat/wire/captured-frame.ts';
import { codecOf } from '../compat/wire/codec.ts';
import { type Body, bodies } from '../compat/wire/our-definitions.ts';
import { kafkaJson, type Message, plain } from '../compat/wire/random-messages.ts';

const corpus = join(import.meta.dirname, '../corpus/wire');
const files = globSync('*.jsonl', { cwd: corpus }).sort();
const byName = new Map(bodies.map(body => [body.name, body]));

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
  const expected = files.flatMap(file => ['Assignment', 'Subscription'].map(name => `${file} ConsumerProtocol${name}`));
  assert.deepEqual([...seen].sort(), expected.sort());
});

test('the corpus has both directions of what every client does, and nothing of the machine that wrote it', () => {
  const apis = new Set(['Metadata', 'Produce', 'Fetch', 'FindCoordinator', 'JoinGroup', 'SyncGroup', 'OffsetCommit']);
  for (const file of files) {
    const frames = framesOf(file);
    for (const api of apis)
      for (const direction of ['request', 'response'])
        assert.ok(
          frames.some(frame => frame.api === api && frame.direction === direction),
          `${file}: ${api} ${direction}`,
        );
    for (const [host] of readFileSync(join(corpus, file), 'utf8').matchAll(/(?<="(?:host|clientHost)":")[^"]*/g))
      assert.match(host, /^(\/?127\.0\.0\.1)?$/);
  }
  assert.ok(files.length >= 7);
});
