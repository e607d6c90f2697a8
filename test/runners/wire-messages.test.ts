/**
 * Every message in every version, both directions: random values come back as they were; cut and changed frames end in
 * MR4001 or read as another message, and take no more memory than a constant times the frame; unknown tags are skipped.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { MillraceError, SeededRandom } from '../../src/base/index.ts';
import type { FieldDefinition, PrimitiveType } from '../../src/wire/define.ts';
import { apis, Reader, Writer } from '../../src/wire/index.ts';
import { type Codec, codecOf } from '../compat/wire/codec.ts';
import { type Body, bodies } from '../compat/wire/our-definitions.ts';
import { defaultOf, isIn, type Message, messages, plain } from '../compat/wire/random-messages.ts';

const RUNS = 5;
const HEADER: Message = { correlationId: 7, clientId: 'c' };
/** Bytes in memory for a byte of the frame, objects and arrays included. */
const MEMORY_RATIO_MAX = 100;
const seed = Number(process.env['SEED'] ?? 1);

function* versionsOf({ versions: [first, last] }: Body): Generator<number> {
  for (let version = first; version <= last; version++) yield version;
}

for (const body of bodies) {
  test(`${body.name} round-trips in versions ${body.versions.join(' to ')}`, () => {
    for (const version of versionsOf(body)) {
      const codec = codecOf(body, version);
      const property = fc.property(messages(body.fields, version), message => {
        assert.deepEqual(plain(codec.decode(codec.encode(HEADER, message)).message), plain(message));
      });
      fc.assert(property, { seed, numRuns: RUNS });
    }
  });
}

/** A message of some size, the same at each run. */
function sample(body: Body, version: number): Message {
  const drawn = fc.sample(messages(body.fields, version), { seed: seed + version, numRuns: 6 });
  const codec = codecOf(body, version);
  const sized = drawn.map(message => ({ message, size: codec.encode(HEADER, message).length }));
  const fit = sized.filter(({ size }) => size < 400).sort((a, b) => b.size - a.size);
  return (fit[0] ?? sized[0]!).message;
}

test('a message cut at any byte is refused with MR4001', () => {
  for (const body of bodies) {
    for (const version of versionsOf(body)) {
      const codec = codecOf(body, version);
      const bytes = codec.encode(HEADER, sample(body, version));
      // What is shorter than a header is another matter: the oldest header has no client id.
      const headerBytes = body.kind === 'request' ? 11 : body.kind === 'response' ? 4 : 0;
      for (let length = headerBytes; length < bytes.length; length++) {
        assert.throws(
          () => codec.decode(bytes.subarray(0, length)),
          isMalformed,
          `${body.name} ${version} at ${length}`,
        );
      }
      assert.ok(isMalformed(failureOf(codec, Buffer.concat([bytes, Buffer.alloc(1)]))), 'a byte left over');
    }
  }
});

test('a message changed at any byte is refused with MR4001 or reads as one that is no larger in memory', () => {
  const random = new SeededRandom(seed);
  for (const body of bodies) {
    for (const version of versionsOf(body)) {
      const codec = codecOf(body, version);
      const bytes = codec.encode(HEADER, sample(body, version));
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] = random.below(3) === 0 ? 0xff : changed[at]! ^ (1 << random.below(8));
        const what = `${body.name} ${version}, byte ${at}`;
        const failure = failureOf(codec, changed);
        if (failure === undefined) expectSmall(codec, changed, what);
        else assert.ok(isMalformed(failure), `${what}: ${failure}`);
      }
    }
  }
});

function failureOf(codec: Codec, bytes: Uint8Array): unknown {
  try {
    codec.decode(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

function isMalformed(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MR4001';
}

function expectSmall(codec: Codec, bytes: Uint8Array, what: string): void {
  const size = memoryOf(codec.decode(bytes).message);
  assert.ok(size <= 2_000 + MEMORY_RATIO_MAX * bytes.length, `${what}: ${bytes.length} bytes take ${size}`);
}

/** What V8 needs for a value, generously. */
function memoryOf(value: unknown): number {
  if (typeof value === 'string') return 24 + 2 * value.length;
  if (value instanceof Uint8Array) return 100;
  if (Array.isArray(value)) return 32 + value.reduce((sum: number, item) => sum + 8 + memoryOf(item), 0);
  if (typeof value !== 'object' || value === null) return 16;
  return Object.values(value).reduce((sum: number, inner) => sum + 8 + memoryOf(inner), 24);
}

const LEAST_BYTES: Readonly<Record<PrimitiveType, readonly [rigid: number, flexible: number]>> = {
  bool: [1, 1],
  int8: [1, 1],
  int16: [2, 2],
  uint16: [2, 2],
  int32: [4, 4],
  int64: [8, 8],
  float64: [8, 8],
  uuid: [16, 16],
  string: [2, 1],
  bytes: [4, 1],
  records: [4, 1],
};

function leastBytes(field: FieldDefinition, version: number, isFlexible: boolean): number {
  if (field.tag !== undefined || !isIn(field, version)) return 0;
  if (field.type === 'array') return isFlexible ? 1 : 4;
  if (field.type !== 'struct') return LEAST_BYTES[field.type][isFlexible ? 1 : 0];
  if (field.nullableSince !== undefined) return 1;
  return leastOf(field.of as readonly FieldDefinition[], version, isFlexible);
}

function leastOf(fields: readonly FieldDefinition[], version: number, isFlexible: boolean): number {
  const own = fields.reduce((sum, field) => sum + leastBytes(field, version, isFlexible), 0);
  return own + (isFlexible ? 1 : 0);
}

/** Paths to all arrays of a version, outermost first. */
function* arraysOf(fields: readonly FieldDefinition[], version: number): Generator<readonly FieldDefinition[]> {
  for (const field of fields.filter(candidate => isIn(candidate, version))) {
    if (field.type === 'array') yield [field];
    if (typeof field.of !== 'object') continue;
    for (const inner of arraysOf(field.of, version)) yield [field, ...inner];
  }
}

test('each element of an array takes at least a byte, which is what bounds their number', () => {
  for (const body of bodies) {
    for (const version of versionsOf(body)) {
      const isFlexible = version >= body.flexibleSince;
      for (const path of arraysOf(body.fields, version)) {
        const { of } = path.at(-1)!;
        const least = typeof of === 'string' ? LEAST_BYTES[of][isFlexible ? 1 : 0] : leastOf(of!, version, isFlexible);
        assert.ok(least >= 1, `${body.name} ${version}: ${path.map(({ name }) => name).join('.')}`);
      }
    }
  }
});

/** The smallest message, but for `count` smallest elements in one array. */
function dense(fields: readonly FieldDefinition[], path: readonly FieldDefinition[], count: number): Message {
  const [first, ...rest] = path;
  const message = Object.fromEntries(fields.map(field => [field.name, leastValue(field)]));
  if (!first) return message;
  const inside = (): unknown => (typeof first.of === 'string' ? leastElement(first.of) : dense(first.of!, rest, count));
  if (first.type === 'struct') message[first.name] = inside();
  else message[first.name] = Array.from({ length: rest.some(({ type }) => type === 'array') ? 1 : count }, inside);
  return message;
}

function leastValue(field: FieldDefinition): unknown {
  const value = defaultOf(field);
  return value === null && field.type === 'string' ? '' : value;
}

function leastElement(type: PrimitiveType): unknown {
  return defaultOf({ name: '', type });
}

test('arrays as dense as they can be take no more than a constant times their frame', () => {
  for (const body of bodies) {
    for (const version of versionsOf(body)) {
      const codec = codecOf(body, version);
      for (const path of arraysOf(body.fields, version)) {
        const bytes = codec.encode(HEADER, dense(body.fields, path, 200));
        expectSmall(codec, bytes, `${body.name} ${version}: ${path.map(({ name }) => name).join('.')}`);
      }
    }
  }
});

test('the heap agrees', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const topics = Array.from({ length: 200_000 }, () => ({ name: '' }));
  const w = new Writer();
  apis.metadata.encodeRequest(w, { topics }, 0);
  const frame = Buffer.concat(w.finish());
  collect();
  const before = process.memoryUsage().heapUsed;
  const message = apis.metadata.decodeRequest(new Reader(frame), 0);
  collect();
  const taken = process.memoryUsage().heapUsed - before;
  assert.equal(message.topics?.length, topics.length);
  assert.ok(taken < MEMORY_RATIO_MAX * frame.length, `${frame.length} bytes take ${taken}`);
});

test('more elements than any message has are refused, however large the frame', () => {
  const count = 1_000_001;
  const frame = Buffer.alloc(4 + 2 * count);
  frame.writeInt32BE(count);
  assert.throws(() => apis.metadata.decodeRequest(new Reader(frame), 0), { code: 'MR4001' });
  // Of all arrays together: two halves are as many.
  const half = Buffer.alloc(12 + 3 * count);
  assert.throws(() => apis.listGroups.decodeRequest(new Reader(halves(half, count)), 5), { code: 'MR4001' });
});

/** Two compact arrays of empty strings. */
function halves(frame: Buffer, count: number): Uint8Array {
  const w = new Writer();
  for (let i = 0; i < 2; i++) {
    w.count(Math.ceil(count / 2), true);
    w.raw(frame.subarray(0, Math.ceil(count / 2)).fill(1));
  }
  return Buffer.concat(w.finish());
}

test('tags that are not known are skipped, in every flexible version', () => {
  for (const body of bodies) {
    for (const version of versionsOf(body)) {
      if (version < body.flexibleSince) continue;
      const codec = codecOf(body, version);
      const untagged = body.fields.filter(({ tag }) => tag !== undefined).map(field => [field.name, defaultOf(field)]);
      const message = { ...sample(body, version), ...Object.fromEntries(untagged) };
      const bytes = codec.encode(HEADER, message);
      assert.equal(bytes.at(-1), 0, 'the last section is empty');
      const tagged = Buffer.concat([bytes.subarray(0, -1), Buffer.from('027b02aabb7c00', 'hex')]);
      assert.deepEqual(plain(codec.decode(tagged).message), plain(message), `${body.name} ${version}`);
    }
  }
});
