/** The demo's events: made from a seed, valid OCSF where they are meant to be, of a known mixture. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { demoEvent } from './events.ts';
import { demoPipelines } from './pipelines.ts';

test('event n of a seed is always the same', () => {
  assert.equal(demoEvent(7, 12, 1_000), demoEvent(7, 12, 1_000));
  assert.notEqual(demoEvent(7, 12, 1_000), demoEvent(8, 12, 1_000));
  assert.equal(new Set(Array.from({ length: 1_000 }, (_, n) => demoEvent(7, n, 0))).size, 1_000);
});

test('sign-ins, network and DNS events in equal parts, one in ten high, one in a thousand malformed', () => {
  const counts: Record<string, number> = { malformed: 0, high: 0 };
  let bytes = 0;
  for (let n = 0; n < 10_000; n++) {
    const text = demoEvent(1, n, 1_795_571_618_893);
    bytes += text.length;
    try {
      const event = JSON.parse(text) as Record<string, number>;
      assert.equal(event['type_uid'], event['class_uid']! * 100 + event['activity_id']!);
      counts[event['class_uid']!] = (counts[event['class_uid']!] ?? 0) + 1;
      if (event['severity_id']! >= 4) counts['high']!++;
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
      counts['malformed']!++;
    }
  }
  assert.equal(counts['malformed'], 10);
  assert.ok(Math.abs(counts['high']! - 1_000) < 100, `${counts['high']}`);
  for (const uid of ['3002', '4001', '4003']) assert.ok(Math.abs(counts[uid]! - 3_330) < 200, `${uid}: ${counts[uid]}`);
  assert.ok(bytes / 10_000 > 450 && bytes / 10_000 < 700, `${bytes / 10_000} bytes an event`);
});

/** As it stands in the documentation that it is taken from. */
const SEED = `let $endpoints = ["indexer-1-url", "indexer-2-url"]

load_kafka "ocsf-events", aws_iam={region: "us-east-2", assume_role: "arn"}
read_json
where severity_id >= 4 // High and above
load_balance $endpoints {
    to_splunk $endpoints, hec_token=secret("SPLUNK_TOKEN")
}
`;

test('the first pipeline is the seed’s, with only its endpoints, broker and credentials replaced', () => {
  const [first] = demoPipelines(['indexer-1-url', 'indexer-2-url']);
  assert.equal(first?.text, SEED.replace(', aws_iam={region: "us-east-2", assume_role: "arn"}', ''));
});
