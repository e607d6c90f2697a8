/** What `write_tql` prints, `from` reads: equal events of the same types. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { builtins } from '../../src/builtins/index.ts';
import { printTql, RecordValue, type Value } from '../../src/data/index.ts';
import { scalars } from '../../src/data/value-cases.ts';
import { compileTql, SourceText } from '../../src/lang/index.ts';
import { runPipeline } from '../../src/testing/index.ts';

const floats = scalars.float.filter(value => Number.isFinite(value));
const leaves = fc.oneof(...Object.values({ ...scalars, float: floats }));
const keys = fc.oneof(fc.constantFrom('a', 'if', 'this', 'a b', '', '1', '"', '\n', 'ü', '_'), fc.string());

const values: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaves,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(keys, tie('value')), { maxLength: 3 }).map(entries => new RecordValue(entries)),
  ),
})).value;

const records = fc.array(fc.tuple(keys, values), { maxLength: 6 }).map(entries => new RecordValue(entries));

test('printed events are read as what they were', async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.boolean(), async (record, isCompact) => {
      const text = printTql(record, { isCompact });
      const program = `from ${text}\nwrite_tql compact=${isCompact}`;
      const { diagnostics } = compileTql(new SourceText('x', program), builtins, { id: 'x', hasImplicitEnds: true });
      assert.deepEqual(diagnostics, [], text);
      const { failure, output } = await runPipeline(program, builtins);
      assert.equal(failure, undefined, text);
      assert.equal(output, `${text}\n`);
    }),
    { seed: 7, numRuns: 150 },
  );
});
