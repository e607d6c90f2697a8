/** Streams cut at random places give the same documents and refusals as in one piece, and always reach the last line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../../testing/index.ts';
import { documents } from './json-split.ts';

const PIECES = [
  '{"a":1}',
  '{"b":[1,{"c":"\\ud83d\\ude00"}]}',
  '{\n "a": "é"\n}',
  '[{"x":1.5e3}]',
  '12',
  '-3.5',
  '"t"',
  'null',
  '{"a":',
  '{"a" 1}',
  '}',
  '"\\u12"',
  '"\\x"',
  'nul',
  '\u0000',
  '\n',
  '\n',
  ' ',
];

function split(bytes: Uint8Array, cuts: readonly number[]): string[] {
  const seen: string[] = [];
  let rest: Uint8Array = new Uint8Array(0);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const chunk = Buffer.concat([rest, bytes.subarray(from, to)]);
    const text = (start: number, end: number): string => chunk.subarray(start, end).toString('latin1');
    const isEnd = to === bytes.length;
    const done = documents.stream(
      chunk,
      isEnd,
      (start, end) => seen.push(`document ${text(start, end)}`),
      (start, end) => seen.push(`refused ${text(start, end)}`),
    );
    if (isEnd) assert.equal(done, chunk.length);
    rest = Uint8Array.from(chunk.subarray(done));
    from = to;
  }
  return seen;
}

test('a stream gives the same wherever it is cut, and goes on behind every defect', () => {
  fuzz(31, random => {
    const text = Array.from({ length: random.below(12) }, () => PIECES[random.below(PIECES.length)]).join('');
    const bytes = Buffer.from(`${text}\n{"last":1}\n`);
    const whole = split(bytes, []);
    const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length)).sort((a, b) => a - b);
    assert.deepEqual(split(bytes, cuts), whole, JSON.stringify({ text, cuts }));
    const every = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
    assert.deepEqual(split(bytes, every), whole, text);
    assert.equal(whole.at(-1), 'document {"last":1}', text);
  });
});
