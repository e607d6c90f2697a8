/** The kernel's scanner against the plain one: in place and copied, whole and damaged, at every edge that it has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildKernel, committedKernel } from '../../tools/build-kernel.ts';
import { Arena, makeArenaMemory, SeededRandom } from '../base/index.ts';
import { type ByteStore, storeOf } from './byte-store.ts';
import { Column, type Path, TAG } from './column.ts';
import { type Comparison, compareByReference, type Constant, VERDICT } from './comparison.ts';
import { ReferenceScanner } from './reference-scanner.ts';
import { registerArena, scanDocuments, scannerFor } from './scan.ts';
import { JsonScanner } from './scanner.ts';
import { assertSame, CASE_PATHS, Cases, packed } from './scanner-cases.ts';

const MIB = 1024 * 1024;
const reference = new ReferenceScanner();

/** A scanner in the first MiB of a memory, and the rest of it for documents. */
function small(): { scanner: JsonScanner; bytes: Uint8Array } {
  const memory = makeArenaMemory(2 * MIB);
  return { scanner: new JsonScanner(memory, 0, MIB), bytes: new Uint8Array(memory.buffer) };
}

function texts(...documents: readonly string[]): ByteStore {
  return storeOf(documents.map(text => Buffer.from(text)));
}

test('the committed kernel is what its sources compile to', () => {
  const built = buildKernel();
  const committed = committedKernel();
  assert.ok(Buffer.from(built.wasm).equals(committed.wasm), 'run: node tools/build-kernel.ts');
  assert.equal(committed.source, built.source);
});

test('the kernel and the plain scanner agree on generated documents, in place and copied', () => {
  const cases = new Cases(new SeededRandom(7));
  const { bytes, scanner } = small();
  for (let run = 0; run < 60; run++) {
    const pieces = Array.from({ length: 20 }, (_, i) => {
      const text = cases.document();
      return i % 3 === 0 ? cases.damaged(text) : Buffer.from(text);
    });
    assertSame(packed(pieces, bytes, MIB, run % 3), CASE_PATHS, reference, scanner);
    assertSame(storeOf(pieces), CASE_PATHS, reference, scanner);
  }
});

test('every strict prefix is refused in place, with the rest of the document still behind it', () => {
  const { bytes, scanner } = small();
  const document = Buffer.from('{"a":[1,{"b":"\\u00e9"}],"user":{"name":"Zoë"},"n":-1.5e3,"t":true}');
  const long = Buffer.from(`{"s":"${'é'.repeat(40)}","list":[${'12,'.repeat(60)}null]}`);
  for (const whole of [document, long]) {
    bytes.set(whole, MIB);
    for (let end = 0; end < whole.length; end++) {
      const store = packed([whole.subarray(0, end)], bytes, MIB, 0);
      bytes.set(whole, MIB);
      assert.equal(scanner.scan(store, CASE_PATHS).defects.length, 1, `prefix of ${end}`);
    }
  }
});

test('a number or literal at the very end is not continued by what follows', () => {
  const { bytes, scanner } = small();
  const store = packed(
    [Buffer.from('12'), Buffer.from('34 '), Buffer.from('true'), Buffer.from('1.'), Buffer.from('5')],
    bytes,
    MIB,
    0,
  );
  const { columns, defects } = scanner.scan(store, [[]]);
  assert.deepEqual(
    defects.map(({ row }) => row),
    [3],
  );
  assert.equal(columns.get([])!.ints[0], 12n);
  assert.equal(columns.get([])!.ints[1], 34n);
});

test('a document at the very end of the memory is read without leaving it', () => {
  const { bytes, scanner } = small();
  const document = Buffer.from('{"a":12345}');
  const store = packed([document], bytes, bytes.length - document.length, 0);
  assert.equal(scanner.scan(store, [['a']]).columns.get(['a'])!.ints[0], 12345n);
});

test('documents longer than the kernel takes go to the plain scanner', () => {
  const { scanner } = small();
  const long = `{"a":"${'x'.repeat(scanner.documentBytesMax)}","b":7}`;
  const store = texts('{"b":1}', long, '{"b":2}', `${long}}`);
  assertSame(store, [['b'], ['a']], reference, scanner);
  assert.deepEqual(
    scanner.scan(store, []).defects.map(({ row }) => row),
    [3],
  );
});

test('paths beyond the tables go to the plain scanner', () => {
  const { scanner } = small();
  const many: Path[] = Array.from({ length: 900 }, (_, i) => [`key${i}`, 'x']);
  const store = texts('{"key7":{"x":1},"key899":{"x":"y"}}', '{"key0":{"x"}}');
  assertSame(store, many, reference, scanner);
  assertSame(store, [['k'.repeat(1_200)]], reference, scanner);
});

test('more rows than one call takes come out in order', () => {
  const { bytes, scanner } = small();
  const pieces = Array.from({ length: 5_000 }, (_, i) => Buffer.from(i % 1_000 === 999 ? '{"a":' : `{"a":${i}}`));
  for (const store of [packed(pieces, bytes, MIB, 1), storeOf(pieces)]) {
    const { columns, defects } = scanner.scan(store, [['a'], ['b']]);
    assert.deepEqual(
      defects.map(({ row }) => row),
      [999, 1_999, 2_999, 3_999, 4_999],
    );
    for (let i = 0; i < 5_000; i++) if (i % 1_000 !== 999) assert.equal(columns.get(['a'])!.ints[i], BigInt(i));
    assert.ok(columns.get(['b'])!.tags.every(tag => tag === TAG.missing));
  }
});

test('queries compiled one after another stay right when the tables begin anew', () => {
  const { scanner } = small();
  const store = texts('{"k150":5,"k3":"x"}');
  for (let i = 0; i < 400; i++) {
    const tag = scanner.scan(store, [[`k${i}`], ['k3']]).columns.get([`k${i}`])!.tags[0];
    assert.equal(tag, i === 150 ? TAG.int : i === 3 ? TAG.string : TAG.missing);
  }
});

test('keys are matched by their text, escaped or not, and not inside lists', () => {
  const { scanner } = small();
  const store = texts(
    '{"us\\u0065r":{"n\\u0061me":1}}',
    '{"user":[{"name":1}],"name":2}',
    '{"user":{"user":{"name":1},"name":3}}',
    '{"user\\u0000":1,"use":2,"users":{"name":3}}',
  );
  const column = scanner.scan(store, [['user', 'name']]).columns.get(['user', 'name'])!;
  assert.deepEqual([...column.tags], [TAG.int, TAG.missing, TAG.int, TAG.missing]);
  assert.equal(column.ints[2], 3n);
});

test('a repeated key marks its column and all below', () => {
  const { scanner } = small();
  const store = texts(
    '{"user":{"name":1},"user":2}',
    '{"user":{"name":1},"user":"x"}',
    '{"user":{"name":1},"user":{"id":2}}',
    '{"user":{"name":1},"\\u0075ser":{}}',
    '{"user":2,"user":{"name":4}}',
    '{"user":{"name":1,"name":2}}',
    '{"user":{"id":1},"id":2,"name":3}',
  );
  const { columns } = scanner.scan(store, [['user'], ['user', 'name']]);
  assert.deepEqual(
    [...columns.get(['user', 'name'])!.tags],
    [...Array.from({ length: 6 }, () => TAG.repeated), TAG.missing],
  );
  assert.deepEqual([...columns.get(['user'])!.tags].slice(5), [TAG.record, TAG.record]);
});

test('a refused document leaves no value in any column', () => {
  const { scanner } = small();
  const { columns } = scanner.scan(texts('{"a":1,"b":}'), [['a'], []]);
  assert.equal(columns.get(['a'])!.tags[0], TAG.missing);
  assert.equal(columns.get([])!.tags[0], TAG.missing);
});

test('the place of a defect is told from the start of its document', () => {
  const { scanner } = small();
  assert.deepEqual(scanner.scan(texts('{"a":1}', ' {"a":x}'), []).defects, [{ row: 1, position: 6 }]);
});

test('floats of every form are the doubles that JSON.parse makes', () => {
  const { scanner } = small();
  const random = new SeededRandom(3);
  const view = new DataView(new ArrayBuffer(8));
  const numbers = Array.from({ length: 3_000 }, (_, i) => {
    view.setUint32(0, random.below(2 ** 32));
    view.setUint32(4, random.below(2 ** 32));
    const double = view.getFloat64(0);
    const text = i % 2 ? `${random.below(10 ** 9)}.${random.below(10 ** 9)}e${random.below(60) - 30}` : String(double);
    return Number.isFinite(Number(text)) ? text : '1.5';
  });
  const column = scanner.scan(texts(...numbers.map(text => `{"a":${text}}`)), [['a']]).columns.get(['a'])!;
  numbers.forEach((text, row) => {
    if (column.tags[row] === TAG.float) assert.ok(Object.is(column.floats[row], JSON.parse(text)), text);
    else assert.equal(String(column.tags[row] === TAG.int ? column.ints[row] : text), text);
  });
});

test('a registered arena is scanned in place; other bytes are scanned by a memory apart', () => {
  const arena = new Arena(makeArenaMemory(4 * MIB), { slabBytes: MIB, reservedBytes: MIB });
  const scanner = registerArena(arena);
  const slab = arena.take()!;
  const store = packed([Buffer.from('{"a":"x"}')], arena.bytes, slab.offset, 0);
  assert.equal(scannerFor(store), scanner);
  assert.notEqual(scannerFor(texts('{}')), scanner);
  assert.equal(scanDocuments(store, [['a']]).columns.get(['a'])!.spans[0], slab.offset + 6);
});

const OPERATIONS: readonly Comparison[] = ['equal', 'not_equal', 'less', 'less_equal', 'greater', 'greater_equal'];
const CONSTANTS: readonly Constant[] = [
  0,
  4,
  -0.5,
  4.5,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  1e300,
  Number.POSITIVE_INFINITY,
  4n,
  0n,
  9007199254740993n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  'x',
  '',
  'severity',
  '漢字',
  true,
  false,
  null,
];
const VALUES = [
  '4',
  '4.0',
  '4.5',
  '-1',
  '0',
  '-0',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '1e300',
  '9.223372036854775807e18',
  '"x"',
  '""',
  '"severity"',
  '"漢字"',
  '"\\u0078"',
  'true',
  'false',
  'null',
  '{}',
  '[4]',
];

test('the kernel compares columns with constants as the plain form does', () => {
  const { bytes, scanner } = small();
  const pieces = [...VALUES.map(value => `{"a":${value}}`), '{}'].map(text => Buffer.from(text));
  for (const store of [packed(pieces, bytes, MIB, 0), storeOf(pieces)]) {
    const column = scanner.scan(store, [['a']]).columns.get(['a'])!;
    for (const operation of OPERATIONS) {
      for (const constant of CONSTANTS) {
        for (const infers of [false, true]) {
          const all = compareByReference(store, column, operation, constant, { infers });
          const text = `${operation} ${String(constant)}`;
          assert.deepEqual(scanner.compare(store, column, operation, constant, { infers }), all, text);
          const rows = Uint32Array.of(0, 3, 7);
          const some = scanner.compare(store, column, operation, constant, { infers, rows });
          assert.deepEqual(some, all && Uint8Array.from(rows, row => all[row]!), text);
        }
      }
    }
  }
});

test('int64 and double are compared exactly', () => {
  const { scanner } = small();
  const store = texts('{"a":9007199254740993}', '{"a":9007199254740992.0}', '{"a":null}', '{"a":"x"}', '{}');
  const column = scanner.scan(store, [['a']]).columns.get(['a'])!;
  const { false: no, null: none, true: yes, undecided } = VERDICT;
  assert.deepEqual([...scanner.compare(store, column, 'equal', 2 ** 53)!], [no, yes, no, no, undecided]);
  assert.deepEqual([...scanner.compare(store, column, 'greater', 2 ** 53)!], [yes, no, none, undecided, undecided]);
  assert.deepEqual(
    [...scanner.compare(store, column, 'less', 9007199254740993n)!],
    [no, yes, none, undecided, undecided],
  );
  assert.equal(scanner.compare(store, column, 'less', 'x'), undefined);
  assert.equal(scanner.compare(store, new Column(0), 'equal', Number.NaN), undefined);
});
