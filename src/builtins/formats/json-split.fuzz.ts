/** Streams cut at random places give the same documents and refusals as in one piece, and always reach the last line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from '../../testing/index.ts';
import { documentsOf, type Splitter } from './json-split.ts';
import { Pending } from './pending.ts';

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
  '[',
  ',',
  ']',
  '[{"x":1},\n{"y":[2]}\n]',
  '\u0000',
  '\n',
  '\n',
  ' ',
];

/** As a reader does it: bytes are put together when something may have ended, or when they have doubled. */
function split(bytes: Uint8Array, cuts: readonly number[], splitter: Splitter): string[] {
  const seen: string[] = [];
  const stream = splitter.stream();
  const pending = new Pending();
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const isEnd = to === bytes.length;
    const mayEnd = stream.mayEnd(pending.add(bytes.subarray(from, to)));
    from = to;
    if (!isEnd && !mayEnd && !pending.hasDoubled) continue;
    const chunk = Buffer.from(pending.take());
    const text = (start: number, end: number): string => chunk.subarray(start, end).toString('latin1');
    const done = stream.take(
      chunk,
      isEnd,
      (start, end) => seen.push(`document ${text(start, end)}`),
      (start, end) => seen.push(`refused ${text(start, end)}`),
    );
    if (isEnd) assert.equal(done, chunk.length);
    pending.keep(chunk.subarray(done));
  }
  return seen;
}

for (const opensLists of [false, true]) {
  const name = opensLists ? 'a stream with lists opened' : 'a stream';
  test(`${name} gives the same wherever it is cut, and goes on behind every defect`, () => {
    const splitter = documentsOf(opensLists);
    fuzz(31, random => {
      const text = Array.from({ length: random.below(12) }, () => PIECES[random.below(PIECES.length)]).join('');
      const bytes = Buffer.from(`${text}\n{"last":1}\n`);
      const whole = split(bytes, [], splitter);
      const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length)).sort((a, b) => a - b);
      assert.deepEqual(split(bytes, cuts, splitter), whole, JSON.stringify({ text, cuts }));
      const every = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
      assert.deepEqual(split(bytes, every, splitter), whole, text);
      assert.equal(
        whole.findLast(entry => entry !== 'refused '),
        'document {"last":1}',
        text,
      );
    });
  });
}
