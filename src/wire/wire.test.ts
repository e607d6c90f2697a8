/** Every message in every version: random values round-trip; cut and changed frames end in a clear error. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedFiles } from '../../tools/gen-wire/files.ts';
import { MillraceError, SeededRandom } from '../base/index.ts';
import type { FieldDefinition, MessageDefinition } from './define.ts';
import { allApis } from './generated/apis.ts';
import { Reader } from './reader.ts';
import { ZERO_UUID } from './types.ts';
import { Writer } from './writer.ts';

type Fields = Record<string, unknown>;
interface Codec {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  encodeRequest(w: Writer, message: Fields, version: number): void;
  decodeRequest(r: Reader, version: number): Fields;
  encodeResponse(w: Writer, message: Fields, version: number): void;
  decodeResponse(r: Reader, version: number): Fields;
}

const codecs = allApis as unknown as readonly Codec[];
const definitions = new Map<number, MessageDefinition>();
for (const { key, name } of codecs) {
  const file = `${String(key).padStart(2, '0')}-${name.replace(/(?<=[a-z0-9])([A-Z])/g, '-$1').toLowerCase()}`;
  const module = (await import(`./messages/${file}.ts`)) as Record<string, MessageDefinition>;
  definitions.set(key, Object.values(module)[0]!);
}

function isIn(field: FieldDefinition, version: number): boolean {
  return version >= (field.since ?? 0) && version <= (field.until ?? 99);
}

function defaultOf(field: FieldDefinition): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.type) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    case 'array':
      return [];
    case 'bytes':
    case 'records':
      return field.nullableSince === undefined ? Buffer.alloc(0) : null;
    case 'struct':
      if (field.nullableSince !== undefined) return null;
      return Object.fromEntries((field.of as readonly FieldDefinition[]).map(inner => [inner.name, defaultOf(inner)]));
    default:
      return 0;
  }
}

/** A random value for the fields of a version, defaults where the version lacks them: what a reader must give back. */
function randomMessage(fields: readonly FieldDefinition[], version: number, random: SeededRandom, depth = 0): Fields {
  return Object.fromEntries(
    fields.map(field => [
      field.name,
      isIn(field, version) ? randomValue(field, version, random, depth) : defaultOf(field),
    ]),
  );
}

function randomValue(field: FieldDefinition, version: number, random: SeededRandom, depth: number): unknown {
  const canBeNull = field.nullableSince !== undefined && version >= field.nullableSince;
  if (canBeNull && random.below(4) === 0 && (field.tag === undefined || field.default === null)) return null;
  if (field.type === 'array') {
    const count = random.below(depth > 2 ? 2 : 4);
    return Array.from({ length: count }, () =>
      typeof field.of === 'string'
        ? randomValue({ name: '', type: field.of }, version, random, depth)
        : randomMessage(field.of!, version, random, depth + 1),
    );
  }
  if (field.type === 'struct') return randomMessage(field.of as readonly FieldDefinition[], version, random, depth + 1);
  switch (field.type) {
    case 'bool':
      return random.below(2) === 1;
    case 'int8':
      return random.below(256) - 128;
    case 'int16':
      return random.below(65_536) - 32_768;
    case 'uint16':
      return random.below(65_536);
    case 'int32':
      return random.uint32() | 0;
    case 'int64':
      return Math.floor((random.float() - 0.5) * 2 ** random.below(53));
    case 'float64':
      return random.float() * 1e6;
    case 'string':
      return ['', 'a', 'é漢', '😀x', 'long '.repeat(40)][random.below(5)];
    case 'uuid':
      return Buffer.from(random.bytes(16)).toString('hex');
    default:
      return Buffer.from(random.bytes(random.below(2_000)));
  }
}

function sides(
  codec: Codec,
): readonly (readonly [readonly FieldDefinition[], Codec['encodeRequest'], Codec['decodeRequest']])[] {
  const { request, response } = definitions.get(codec.key)!;
  return [
    [request, codec.encodeRequest, codec.decodeRequest],
    [response, codec.encodeResponse, codec.decodeResponse],
  ];
}

test('the generated codecs are those of the definitions', async () => {
  for (const [name, text] of await generatedFiles()) {
    assert.equal(readFileSync(join(import.meta.dirname, 'generated', name), 'utf8'), text, `run npm run gen: ${name}`);
  }
});

for (const codec of codecs) {
  test(`${codec.name} round-trips in versions ${codec.minVersion} to ${codec.maxVersion}, both ways`, () => {
    const random = new SeededRandom(codec.key + 1);
    for (let version = codec.minVersion; version <= codec.maxVersion; version++) {
      for (const [fields, encode, decode] of sides(codec)) {
        for (let run = 0; run < 6; run++) {
          const message = randomMessage(fields, version, random);
          const w = new Writer(16);
          encode(w, message, version);
          const { length } = w;
          const bytes = Buffer.concat(w.finish());
          assert.equal(bytes.length, length);
          const reader = new Reader(bytes);
          assert.deepEqual(normal(decode(reader, version)), normal(message), `version ${version}`);
          reader.expectEnd();
        }
      }
    }
  });
}

/** Buffers compare by content only among their own kind. */
function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, normal(inner)]));
}

test('a message cut at any byte, or changed at any, ends in MR4001 or reads as another message', () => {
  const random = new SeededRandom(7);
  for (const codec of codecs) {
    const version = codec.maxVersion;
    for (const [fields, encode, decode] of sides(codec)) {
      const w = new Writer();
      encode(w, randomMessage(fields, version, random), version);
      const bytes = Buffer.concat(w.finish());
      const attempt = (frame: Uint8Array): void => {
        try {
          const reader = new Reader(frame);
          decode(reader, version);
          reader.expectEnd();
        } catch (error) {
          assert.ok(error instanceof MillraceError && error.code === 'MR4001', `${codec.name}: ${error}`);
        }
      };
      for (let i = 0; i < Math.min(bytes.length, 200); i++) {
        attempt(bytes.subarray(0, i));
        const changed = Buffer.from(bytes);
        changed[i]! ^= 1 << random.below(8);
        attempt(changed);
      }
    }
  }
});

test('a tagged structure whose fields are all at their defaults is left out, as Kafka leaves it out', () => {
  const fetch = codecs.find(({ name }) => name === 'Fetch')!;
  const encoded = (replicaState: Fields | undefined): string => {
    const w = new Writer();
    fetch.encodeRequest(w, { maxWaitMs: 1, minBytes: 1, topics: [], replicaState }, 15);
    return Buffer.concat(w.finish()).toString('hex');
  };
  assert.equal(encoded({ replicaId: -1, replicaEpoch: -1 }), encoded(undefined));
  assert.equal(encoded({ replicaEpoch: 7 }), `${encoded(undefined).slice(0, -2)}01010dffffffff000000000000000700`);
});

test('a huge count or length in a small frame allocates nothing', () => {
  const frame = Buffer.from('7fffffff0000', 'hex');
  const reader = new Reader(frame);
  assert.throws(() => reader.definiteCount(false), { code: 'MR4001' });
  assert.throws(() => new Reader(Buffer.from('ffffffff0f', 'hex')).bytes(true), { code: 'MR4001' });
  assert.throws(() => new Reader(Buffer.from('ffffffffffff', 'hex')).uvarint(), { code: 'MR4001' });
});
