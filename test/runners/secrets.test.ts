/** The text of a secret is in no output, diagnostic, dead letter or failure, whatever a pipeline does with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtins } from '../../src/builtins/index.ts';
import { memoryCheckpoints, runPipeline } from '../../src/testing/index.ts';

const TEXT = 'tell-nobody:8088';

async function told(program: string): Promise<string> {
  const checkpoints = memoryCheckpoints();
  const run = await runPipeline(program, builtins, { secrets: { S: TEXT }, checkpoints });
  const saved = JSON.stringify([...checkpoints.saved]);
  return [run.output, ...run.diagnostics, run.failure, JSON.stringify(run.letters), saved].join('\n');
}

function check(program: string): void {
  test(program.replaceAll('\n', ' | '), async () => {
    const text = await told(program);
    assert.ok(!/tell|nobody/i.test(text), text);
    assert.ok(!text.includes(Buffer.from(TEXT).toString('base64').slice(0, 12)), text);
  });
}

const writers = [...builtins.operators.values()].filter(
  ({ input, output }) => input.includes('events') && output === 'bytes',
);
for (const { name } of writers) check(`from {s: secret("S"), l: [secret("S")], r: {k: secret("S")}}\n${name}`);

for (const { name, parameters } of builtins.functions.values()) {
  const positional = parameters.filter(({ isNamed }) => isNamed !== true);
  const calls = positional.map((_, i) => positional.map((__, j) => (i === j ? 's' : '"a"')).join(', '));
  const named = parameters.filter(({ isNamed }) => isNamed === true);
  for (const args of new Set([...calls, positional.map(() => 's').join(', ')]))
    check(`from {s: secret("S")}\nx = ${name}(${args})\nwrite_ndjson`);
  for (const parameter of named) {
    const given = positional.filter(({ isOptional }) => isOptional !== true).map(() => '"a"');
    check(`from {s: secret("S")}\nx = ${name}(${[...given, `${parameter.name}=s`].join(', ')})\nwrite_ndjson`);
  }
}

for (const name of builtins.aggregates.keys()) {
  check(`from {s: secret("S")}, {s: secret("S")}\nsummarize s, x=${name}(s)\nwrite_ndjson`);
  check(`from {s: secret("S")}\nx = ${name}([s, s])\nwrite_ndjson`);
}

const EXPRESSIONS = [
  's + "a"',
  '"a" + s',
  's + s',
  's + 1',
  's - s',
  's < s',
  's == s',
  '"te" in s',
  's in "ll"',
  's in [s]',
  '-s',
  'not s',
  's and true',
  's if s',
  's else 1',
  's.field',
  's[0]',
  '{a: 1}[s]',
  '[...s]',
  '{...s}',
  'f"{s}"',
  'f"{[s]} {{{s}}}"',
  's.length_bytes()',
];
for (const expression of EXPRESSIONS) check(`from {s: secret("S")}\nx = ${expression}\nwrite_tql`);

for (const program of [
  'from {s: secret("S")}\n@name = s\ny = @name\nwrite_ndjson',
  'from {s: secret("S")}\nm[s] = 1\nthis = s\nwhere s\nwrite_ndjson',
  'from {s: secret("S")}\nif s { pass } else { drop s.x }\nwrite_ndjson',
  'from {s: secret("S")}\nmatch s { "a" => { pass } _ => { y = s } }\nwrite_ndjson',
  'let $s = secret("S")\nfrom {a: $s}\nwrite_ndjson',
  'head secret("S")',
  'from secret("S")',
  'batch secret("S")',
  'let $l = [secret("S")]\nfrom {a: 1}\nload_balance $l { discard }',
  'from_kafka secret("S")',
  'from_kafka "t", options={"nope": secret("S")}',
  'from_kafka "t", options={"security.protocol": secret("S")}',
  'from_kafka "t", options={"bootstrap.servers": secret("S")}, offset=secret("S")',
  'from_kafka "t", aws_iam={region: secret("S")}',
  'from {a: 1}\nto_kafka "t", message=secret("S"), options={"acks": secret("S")}',
  'from {a: 1}\nto_splunk secret("S"), hec_token="x", compress=secret("S")',
  'from {a: 1}\nto_splunk f"ftp://{secret("S")}", hec_token=secret("S")',
])
  check(program);
