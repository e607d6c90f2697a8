/** Every example of every definition runs and gives what it says; every example's ledger adds up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtins } from '../../src/builtins/index.ts';
import { runPipeline } from '../../src/testing/index.ts';

for (const definition of new Set(builtins.operators.values())) {
  for (const [i, { out, tql }] of (definition.examples ?? []).entries()) {
    test(`example ${i + 1} of ${definition.name}`, async () => {
      const { diagnostics, failure, ledger, output } = await runPipeline(`${tql}\nwrite_ndjson`, builtins);
      assert.equal(failure, undefined, diagnostics.join('\n'));
      assert.deepEqual(
        output.split('\n').filter(line => line !== ''),
        out,
      );
      for (const line of ledger) assert.equal(line.held, 0, `${line.name} holds ${line.held}`);
    });
  }
}

const calls = [...builtins.functions.values(), ...builtins.aggregates.values()];
for (const { examples, name } of calls) {
  for (const [i, { out, tql }] of examples.entries()) {
    test(`example ${i + 1} of function ${name}`, async () => {
      const { diagnostics, failure, output } = await runPipeline(`from {x: ${tql}}\nwrite_tql compact=true`, builtins);
      assert.equal(failure, undefined, diagnostics.join('\n'));
      assert.equal(output, `{x: ${out}}\n`);
    });
  }
}

for (const definition of builtins.functions.values()) {
  test(`${definition.name} takes null and wrong types without failing`, async () => {
    const given = definition.parameters.filter(parameter => !parameter.isOptional && !parameter.isNamed);
    if (given.length === 0 || definition.name === 'secret') return;
    for (const value of ['null', '{}', '[]', '"x"', '1', '1s']) {
      const { diagnostics, failure } = await runPipeline(
        `from {v: ${value}}\nx = ${definition.name}(${given.map(() => 'v').join(', ')})`,
        builtins,
      );
      assert.equal(failure, undefined, diagnostics.join('\n'));
    }
  });
}
