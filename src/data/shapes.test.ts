/**
 * Documents that have the shape of an earlier one: judged and read as any other, whatever stands in their values, wherever
 * they are cut or damaged; and how shapes are learned, forgotten and left alone.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeArenaMemory, SeededRandom } from '../base/index.ts';
import { storeOf } from './byte-store.ts';
import type { Path } from './column.ts';
import { ReferenceScanner } from './reference-scanner.ts';
import { JsonScanner } from './scanner.ts';
import { assertSame, CASE_PATHS, Cases, packed } from './scanner-cases.ts';

const MIB = 1024 * 1024;
const reference = new ReferenceScanner();
const PATHS: readonly Path[] = [['a'], ['user', 'name'], ['user'], ['list'], ['n'], ['x', 'y', 'z'], []];
const SAMPLE =
  '{"a":1,"user":{"name":"Zoë","a key that is longer than thirty-two bytes by far":{"b":[]}},"list":[1,"two",{"a":3}],' +
  ' "n" : -1.5e3 ,"x":{"y":{"z":null}},"t":"a text of more than sixteen bytes"}\r';

function small(): { scanner: JsonScanner; bytes: Uint8Array } {
  const memory = makeArenaMemory(2 * MIB);
  return { scanner: new JsonScanner(memory, 0, MIB), bytes: new Uint8Array(memory.buffer) };
}

function taught(): { scanner: JsonScanner; bytes: Uint8Array } {
  const { bytes, scanner } = small();
  for (const paths of [PATHS, CASE_PATHS]) scanner.scan(packed([Buffer.from(SAMPLE)], bytes, MIB, 0), paths);
  return { scanner, bytes };
}

function count(scanner: JsonScanner, documents: readonly string[], paths = PATHS): number {
  const before = scanner.documentsOfKnownShape;
  const store = storeOf(documents.map(text => Buffer.from(text)));
  assertSame(store, paths, reference, scanner);
  return scanner.documentsOfKnownShape - before;
}

test('a document whose values alone are new has a known shape, whatever they are', () => {
  const cases = new Cases(new SeededRandom(3));
  const { bytes, scanner } = taught();
  const pieces = Array.from({ length: 500 }, () => Buffer.from(cases.variant(SAMPLE)));
  assertSame(packed(pieces, bytes, MIB, 1), PATHS, reference, scanner);
  // One value in forty is of another kind, and there are seven.
  assert.ok(scanner.documentsOfKnownShape > 350, `${scanner.documentsOfKnownShape}`);
});

test('every strict prefix is refused, alone and beside a whole one, with the rest still behind it', () => {
  const { bytes, scanner } = taught();
  const whole = Buffer.from(SAMPLE);
  // The last byte is a blank.
  for (let end = 0; end < whole.length - 1; end++) {
    for (const pieces of [[whole.subarray(0, end)], [whole, whole, whole, whole.subarray(0, end)]]) {
      const store = packed(pieces, bytes, MIB, 0);
      bytes.set(whole, store.spans.at(-2)!);
      assert.deepEqual(
        scanner.scan(store, PATHS).defects.map(({ row }) => row),
        [pieces.length - 1],
        `prefix of ${end}`,
      );
    }
  }
});

test('every byte changed to every other one is judged as JSON.parse does and read as the plain scanner does', () => {
  const { bytes, scanner } = taught();
  const whole = Buffer.from(SAMPLE);
  for (let at = 0; at < whole.length; at++) {
    // Between two that are whole, so that each is compared with the shape.
    const pieces = Array.from({ length: 256 }, (_, byte) => {
      const piece = Buffer.from(whole);
      piece[at] = byte;
      return [whole, piece];
    }).flat();
    assertSame(packed(pieces, bytes, MIB, 0), PATHS, reference, scanner);
  }
  assert.ok(
    scanner.documentsOfKnownShape > 256 * whole.length,
    `${scanner.documentsOfKnownShape} of ${512 * whole.length}`,
  );
});

test('two documents abreast part ways anywhere, and each gets its own row', () => {
  const { scanner } = small();
  const shapes = ['{"a":1,"n":2}', '{"a":1,"n":"2"}', '{"a":1,"b":3}', '{"a":{"n":2}}', '{"n":1}', '[1,2]', '{}'];
  const documents = shapes.flatMap(one => shapes.flatMap(other => [one, other]));
  count(scanner, documents);
  assert.ok(count(scanner, documents) > 60);
});

test('values of another kind, keys in another order and repeated keys are shapes of their own', () => {
  const { scanner } = small();
  const documents = ['{"a":1,"n":2}', '{"n":2,"a":1}', '{"a":"1","n":2}', '{"a":1,"n":2,"a":3}', '{"a":1,"\\u006e":2}'];
  for (let i = 0; i < 10; i++) for (const document of documents) count(scanner, [document, document]);
  const many = (document: string): string[] => Array.from({ length: 100 }, () => document);
  assert.equal(count(scanner, many(documents[0]!)), 100);
  // What a repeated key means is not the shape's to say.
  assert.equal(count(scanner, many(documents[3]!)), 0);
});

test('documents of ever new shapes stop being learned from; a stream that settles is learned again', () => {
  const { scanner } = small();
  const wild = Array.from({ length: 3_000 }, (_, i) => `{"k${i}":{"a${i}":${i}},"${'long'.repeat(9)}${i}":[${i}]}`);
  assert.equal(count(scanner, wild), 0);
  const settled = Array.from({ length: 2_000 }, (_, i) => `{"a":${i},"n":{"t":"${i}"}}`);
  // Until credit is earned they are walked; 65,536 documents earn one shape.
  let known = 0;
  for (let i = 0; i < 40; i++) known += count(scanner, settled, [['a']]);
  assert.ok(known > 40_000, `${known}`);
  for (let i = 0; i < 40; i++) count(scanner, settled);
  assert.ok(count(scanner, settled) > 1_900);
});

test('when the room is full all shapes are forgotten, and those in use come back', () => {
  const { scanner } = small();
  const wide = (name: number): string =>
    `{${Array.from({ length: 60 }, (_, i) => `"key ${name} number ${i}":${i}`).join(',')}}`;
  for (let round = 0; round < 3; round++) {
    for (let name = 0; name < 12; name++) {
      const documents = Array.from({ length: 300 }, () => wide(name));
      count(scanner, documents);
      assert.ok(count(scanner, documents) > 290, `shape ${name}`);
    }
  }
});
