/** The ledger's text: it adds up line by line, keeps to the width, and says when something is missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PipelineReport, TotalLine } from '../app/index.ts';
import { makeLine } from '../engine/ledger.ts';
import { addsUp, ledgerRows, ledgerTable, sumText, troubleTexts } from './ledger.ts';

function line(stageId: string, name: string, kind: TotalLine['kind'], counts: Partial<TotalLine>): TotalLine {
  return { ...makeLine(stageId, name, kind), held: 0, interrupted: 0, ...counts };
}

function report(scale: number, lost = 0): PipelineReport {
  const n = (value: number): number => value * scale;
  return {
    pipelineId: 'high-severity',
    state: 'running',
    reason: undefined,
    openEpochs: 1,
    mayRestart: true,
    deadLetters: n(5),
    nextTryMs: undefined,
    committedMs: undefined,
    buffers: [],
    lag: [],
    health: [
      { stageId: '5.1#1', endpoint: 'a:8088', isUp: true },
      { stageId: '5.1#2', endpoint: 'b:8088', isUp: false, reason: 'HTTP 503: Server is busy', nextTryMs: 1_420 },
    ],
    ledger: [
      line('2', 'load_kafka', 'source', { passed: n(1_000) }),
      line('3', 'read_json', 'converts', {
        received: n(1_000),
        converted: n(1_000),
        passed: n(995),
        deadLettered: n(5),
      }),
      line('4', 'where', 'filters', { received: n(995) - lost, passed: n(100) - lost, filtered: n(895) }),
      line('5', 'load_balance', 'balances', {
        received: n(100) - lost,
        ways: { '#1': n(60), '#2': n(48) - lost },
        returned: n(10),
        held: n(2),
      }),
      line('5.1#1', 'to_splunk', 'sink', { endpoint: 'a:8088', received: n(60), delivered: n(58), held: n(2) }),
      line('5.1#2', 'to_splunk', 'sink', {
        endpoint: 'b:8088',
        received: n(48) - lost,
        delivered: n(38) - lost,
        returned: n(10),
        retried: n(7),
      }),
    ],
  };
}

test('each line adds up, and what one stage passes on is what the next gets', () => {
  const rows = ledgerRows(report(1));
  for (const row of rows) assert.ok(addsUp(row), row.name);
  assert.equal(rows[0]!.out, rows[1]!.in);
  assert.equal(rows[1]!.out, rows[2]!.in);
  assert.equal(rows[2]!.out, rows[3]!.in + rows[4]!.in);
});

test('the table is exact where there is room, and shortens numbers where there is not', () => {
  assert.equal(
    ledgerTable([report(1_000)], 100),
    `  high-severity              in  filtered      out  retried   dead   held
    read_json         1,000,000         ·  995,000        ·  5,000      ·
    where               995,000   895,000  100,000        ·      ·      ·
    load_balance        100,000         ·   98,000        ·      ·  2,000
  ● to_splunk a:8088     60,000         ·   58,000        ·      ·  2,000
  ◌ to_splunk b:8088     38,000         ·   38,000    7,000      ·      ·`,
  );
  assert.match(ledgerTable([report(1_000)], 72), /^ {2}● a:8088 +60,000 /m);
  const narrow = ledgerTable([report(1_000)], 60);
  assert.match(narrow, /^ {4}read_json +1\.00M +· +995k +· +5,000 +·$/m);
  for (const line of narrow.split('\n')) assert.ok(line.length <= 60, line);
});

test('what a stage has passed on before it booked it is neither held nor turned', () => {
  const whole = report(1);
  const writing = line('6', 'write_ndjson', 'converts', { received: 100, converted: 40, passed: 90, held: 60 });
  const row = ledgerRows({ ...whole, ledger: [writing] })[0]!;
  assert.deepEqual([row.held, row.turned, addsUp(row)], [10, 0, true]);
});

test('the sum of a pipeline accounts for everything, or says how much is missing', () => {
  assert.equal(sumText(report(1)), '1,000 = 96 delivered + 895 filtered + 5 dead + 4 held  ✓');
  assert.equal(sumText(report(1, 3)), '1,000 = 93 delivered + 895 filtered + 5 dead + 4 held  ✗ 3 are missing');
});

test('where stages make other events of those they get, or copies go two ways, there is no common sum', () => {
  const whole = report(1);
  const plus = (added: TotalLine): PipelineReport => ({ ...whole, ledger: [...whole.ledger, added] });
  const summed = plus(line('6', 'summarize', 'converts', { received: 10, passed: 1, converted: 10 }));
  assert.equal(sumText(summed), '1,000 in, 96 delivered, 895 filtered, 5 dead, 4 held');
  const forked = plus(line('6', 'fork', 'copies', { received: 10, passed: 10, ways: { fork: 10 } }));
  assert.doesNotMatch(sumText(forked), /✓|✗/);
});

test('troubles name the endpoint, the reason and the next try', () => {
  assert.deepEqual(troubleTexts([report(1)]), ['b:8088: HTTP 503: Server is busy, next try in 1.4 s']);
  const failed = { ...report(1), health: [], reason: 'no such topic', nextTryMs: 2_000 };
  assert.deepEqual(troubleTexts([failed]), ['high-severity: no such topic, next try in 2.0 s']);
});
