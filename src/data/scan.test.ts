/** The scanner against `parseJson` and `JSON.parse`: the same documents pass, the same values come out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, SeededRandom } from '../base/index.ts';
import { ByteStore, storeOf } from './byte-store.ts';
import { parseJson, parseJsonText } from './json.ts';
import { printJson } from './print.ts';
import { TAG } from './column.ts';
import { scanDocuments } from './scan.ts';
import { RecordValue } from './value.ts';

const SAMPLES = [
  '{"a":1,"b":{"c":"x","d":[1,2,{"e":null}]},"f":true,"g":1.5e3}',
  ' { "a" : -0.5 , "b" : "\\u00e9\\n\\ud83d\\ude00" } ',
  '{"a":9223372036854775807,"b":-9223372036854775808,"c":18446744073709551615,"d":123456789012345678901234567890}',
  '{"user":{"name":"Zoë","id":12345678901234567},"empty":{},"list":[[],[[]]]}',
  '{"a":"漢字","b":"","c":[true,false,null]}',
];

function parses(bytes: Uint8Array): boolean {
  try {
    parseJson(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof MillraceError, String(error));
    return false;
  }
}

function nativeParses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

test('changed documents pass the scanner exactly when JSON.parse takes them', () => {
  const random = new SeededRandom(42);
  for (let run = 0; run < 6_000; run++) {
    const bytes = Buffer.from(SAMPLES[random.below(SAMPLES.length)]!);
    for (let changes = random.below(3); changes >= 0; changes--) {
      const at = random.below(bytes.length);
      bytes[at] =
        random.below(3) === 0 ? random.below(256) : '{}[]",:0123456789eE+-. tfn\\u/'.charCodeAt(random.below(29));
    }
    const expected = nativeParses(bytes);
    assert.equal(parses(bytes), expected, bytes.toString('latin1'));
    assert.equal(scanDocuments(storeOf([bytes]), [['a']]).defects.length === 0, expected, bytes.toString('latin1'));
  }
});

test('every strict prefix is refused, with the rest of the document still behind it', () => {
  for (const sample of SAMPLES) {
    const bytes = Buffer.from(sample);
    const length = Buffer.byteLength(sample.trimEnd());
    for (let end = 0; end < length; end++) {
      const spans = Uint32Array.of(0, end);
      assert.equal(
        scanDocuments(new ByteStore({ bytes, spans, count: 1 }), []).defects.length,
        1,
        `${sample} at ${end}`,
      );
      assert.equal(parses(bytes.subarray(0, end)), false);
    }
  }
});

test('columns hold what the rows hold, at every path', () => {
  const texts = [
    '{"a":5,"b":{"c":"x"}}',
    '{"a":"s\\t","b":{"c":null}}',
    '{"b":7,"a":2.5}',
    '{"\\u0061":1}',
    '{"b":{"c":[1]},"a":9007199254740993}',
  ];
  const store = storeOf(texts.map(text => Buffer.from(text)));
  const { columns } = scanDocuments(store, [['a'], ['b', 'c'], ['b']]);
  const tags = (path: string[]): number[] => [...columns.get(path)!.tags];
  assert.deepEqual(tags(['a']), [TAG.int, TAG.escaped, TAG.float, TAG.int, TAG.int]);
  assert.deepEqual(tags(['b', 'c']), [TAG.string, TAG.null, TAG.missing, TAG.missing, TAG.list]);
  assert.deepEqual(tags(['b']), [TAG.record, TAG.record, TAG.int, TAG.missing, TAG.record]);
  assert.equal(columns.get(['a'])!.ints[4], 9007199254740993n);
  assert.equal(columns.get(['a'])!.floats[2], 2.5);
});

test('a key that appears again is marked, and with it what lies below', () => {
  const store = storeOf([Buffer.from('{"user":{"name":1},"user":2}'), Buffer.from('{"a":1,"a":"x"}')]);
  const { columns } = scanDocuments(store, [['user', 'name'], ['user'], ['a']]);
  assert.equal(columns.get(['user', 'name'])!.tags[0], TAG.repeated);
  assert.equal(columns.get(['user'])!.tags[0], TAG.repeated);
  assert.equal(columns.get(['a'])!.tags[1], TAG.repeated);
});

test('nesting beyond the bound is refused, at it is taken', () => {
  const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  assert.equal(scanDocuments(storeOf([nested(1_024)]), []).defects.length, 0);
  assert.equal(scanDocuments(storeOf([nested(1_025)]), []).defects.length, 1);
  assert.equal(parses(nested(1_024)), true);
  assert.equal(parses(nested(1_025)), false);
});

test('64-bit integers and the text of unchanged fields survive a change of another field', () => {
  const value = parseJsonText('{"id":12345678901234567890,"f":1.0,"e":1e5,"s":"\\u0041","n":{"x":1.50}}');
  assert.ok(value instanceof RecordValue);
  assert.equal(
    printJson(value.with('id2', 7n)),
    '{"id":12345678901234567890,"f":1.0,"e":1e5,"s":"\\u0041","n":{"x":1.50},"id2":7}',
  );
  assert.equal(
    printJson(value.with('f', 2)),
    '{"id":12345678901234567890,"f":2.0,"e":1e5,"s":"\\u0041","n":{"x":1.50}}',
  );
});
