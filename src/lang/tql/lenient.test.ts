/** Spellings that documents of the original have and that are wrong or outdated there: users copy them, and they run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtins } from '../../builtins/index.ts';
import type { Plan } from '../../sdk/index.ts';
import { SourceText } from '../source.ts';
import { compileTql } from './lower.ts';

function compiled(text: string): { readonly plan: Plan; readonly problems: readonly string[] } {
  const { diagnostics, plan } = compileTql(new SourceText('x', text), builtins, { id: 'x', hasImplicitEnds: true });
  return { plan, problems: diagnostics.map(({ message }) => message) };
}

function namesOf({ chain }: Plan): readonly string[] {
  return chain.map(({ name, node }) => ('definition' in node ? node.definition.name : name));
}

test('they are accepted without a word', () => {
  for (const text of [
    'from_kafka "t", group_id="g"',
    'load_kafka topic="t" | read_json',
    'from {event_type: "x"}\nto_kafka f"events.{event_type}"',
    'from {a: 1}\nx = this.print_json(include_nulls=false)',
    'from {a: 1}\nto_splunk "h", hec_token="x", tls_no_verify=true, cacert="/c"',
    'load_kafka "t" | read_json unflatten="."',
    'from ({a: 1}, {a: 2})',
    'from {a: 1}\nlet $x = 1\nb = $x',
    "from {a: 'x', b: f\"{'y'}\"}",
    '//neo:false\n// neo\nfrom {a: 1}',
  ])
    assert.deepEqual(compiled(text).problems, [], text);
});

test('a reader of bytes behind `from_kafka` reads each message by itself', () => {
  for (const reader of ['read_ndjson', 'read_json raw=true', 'read_lines', 'let $x = 1 | read_json']) {
    const { plan, problems } = compiled(`from_kafka "t", count=5, group_id="g" | ${reader} | discard`);
    assert.deepEqual(problems, [], reader);
    assert.equal(namesOf(plan)[0], 'load_kafka', reader);
  }
  assert.deepEqual(namesOf(compiled('from_kafka "t" | discard').plan), ['from_kafka', 'discard']);
  // What the bytes could not have is refused, and so is a reader further behind.
  const wrong = ['operator `read_json` takes bytes, but gets events'];
  assert.deepEqual(compiled('from_kafka "t", metadata=true | read_json').problems, wrong);
  assert.deepEqual(compiled('from_kafka "t" | where true | read_json').problems, wrong);
});

test('the two dialects give the same stages behind the source', () => {
  const sink = 'load_balance $hec { to_splunk $hec, hec_token=secret("HEC") }';
  const lead = 'let $hec = ["https://a:8088", "https://b:8088"]\n';
  const bytes = compiled(`${lead}load_kafka "alerts"\nread_json\nwhere severity_id >= 4\n${sink}`);
  const events = compiled(`${lead}from_kafka "alerts"\nthis = message.parse_json()\nwhere severity_id >= 4\n${sink}`);
  assert.deepEqual([bytes.problems, events.problems], [[], []]);
  assert.deepEqual(namesOf(bytes.plan).slice(3), namesOf(events.plan).slice(3));
});
