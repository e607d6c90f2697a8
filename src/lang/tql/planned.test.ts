/** The lists of what is not there yet: disjoint from what is, and every name of them says so when it is used. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtins } from '../../builtins/index.ts';
import { SourceText } from '../source.ts';
import { compileTql } from './lower.ts';
import { PLANNED_FUNCTIONS, PLANNED_OPERATORS } from './planned.ts';

function errorsOf(text: string): readonly string[] {
  const { diagnostics } = compileTql(new SourceText('x', text), builtins, { id: 'x', hasImplicitEnds: true });
  return diagnostics.map(({ code, message }) => `${code} ${message}`);
}

test('nothing that is implemented is called planned', () => {
  const there = [...builtins.operators.keys()].filter(name => PLANNED_OPERATORS.has(name));
  const calls = [...builtins.functions.keys(), ...builtins.aggregates.keys()].filter(name =>
    PLANNED_FUNCTIONS.has(name),
  );
  assert.deepEqual([...there, ...calls], []);
});

test('a planned operator says that it is not implemented, under its older name, too', () => {
  for (const name of PLANNED_OPERATORS.keys()) {
    assert.deepEqual(errorsOf(name), [`MR2021 operator \`${name}\` is not implemented in this version`]);
  }
  assert.deepEqual(errorsOf('context::enrich "x"'), [
    'MR2021 operator `context::enrich` is not implemented in this version',
  ]);
});

test('a planned function says that it is not implemented, as a method and under its older name, too', () => {
  for (const name of PLANNED_FUNCTIONS.keys()) {
    assert.deepEqual(errorsOf(`from {x: ${name}(1)}`), [
      `MR2052 function \`${name}\` is not implemented in this version`,
    ]);
  }
  assert.deepEqual(errorsOf('from {x: [1].map(x => x + 1)}'), [
    'MR2052 function `map` is not implemented in this version',
  ]);
  assert.deepEqual(errorsOf('from {x: ocsf::class_uid("a")}'), [
    'MR2052 function `ocsf::class_uid` is not implemented in this version',
  ]);
});

test('other names are unknown, with the nearest that is there', () => {
  assert.deepEqual(errorsOf('wherre true'), ['MR2020 unknown operator `wherre`']);
  assert.deepEqual(errorsOf('from {x: to_lowr("A")}'), ['MR2022 unknown function `to_lowr`']);
});
