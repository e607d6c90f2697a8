/** Events that go round are found where the text says so, and nowhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPipelines } from './check.ts';
import type { PipelineText } from './config/load.ts';

async function found(text: string, more: Partial<PipelineText> = { onError: 'dead_letter' }): Promise<string[]> {
  const findings = await checkPipelines([{ id: 'p', file: 'p.tql', text, ...more }], { hasImplicitEnds: false });
  return findings.map(({ diagnostic: { code, severity } }) => `${severity} ${code}`);
}

test('a pipeline may not read its own dead letters', async () => {
  const text = 'from_kafka "__millrace_dead_letters"\nto_kafka "out"';
  assert.deepEqual(await found(text), ['error MR1050']);
  assert.deepEqual(await found(text, { onError: 'dead_letter', deadLetterTopic: 'other' }), []);
  assert.deepEqual(await found(text, { onError: 'drop' }), []);
  assert.deepEqual(await found(text, {}), [], 'who runs it is not known');
  const own = { onError: 'dead_letter', deadLetterTopic: 'letters.p' } as const;
  assert.deepEqual(await found('load_kafka "^letters.*"\nread_json\nto_kafka "out"', own), ['error MR1050']);
  assert.deepEqual(await found('from "kafka://letters.p"\nto_kafka "out"', own), ['error MR1050']);
});

test('a pipeline that reads what it writes is warned of, wherever it writes', async () => {
  assert.deepEqual(await found('from_kafka "a"\nto_kafka "a"'), ['warning MR1051']);
  assert.deepEqual(await found('load_kafka "^a.*"\nread_json\nif x == 1 { to_kafka "ab" } else { discard }'), [
    'warning MR1051',
  ]);
  assert.deepEqual(await found('load_kafka "a"\nread_json\nfork { write_ndjson | save_kafka "a" }\nto_kafka "b"'), [
    'warning MR1051',
  ]);
  assert.deepEqual(await found('from_kafka "a"\nto_kafka "b"'), []);
  assert.deepEqual(await found('from_kafka "a"\nto_kafka f"a.{x}"'), [], 'what is computed is not known');
  const elsewhere = 'options={"bootstrap.servers": "kafka:9092"}';
  assert.deepEqual(await found(`from_kafka "a", ${elsewhere}\nto_kafka "a"`), []);
  assert.deepEqual(await found(`from_kafka "a"\nto_kafka "a", ${elsewhere}`), []);
  assert.deepEqual(await found(`from_kafka "a", ${elsewhere}\nto_kafka "a", ${elsewhere}`), []);
});
