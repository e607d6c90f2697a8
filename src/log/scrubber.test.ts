/** The scrubber: sealed files are read through in the background, and what is wrong in them is told, with its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MillraceError } from '../base/index.ts';
import { settle } from '../testing/sim/manual-io.ts';
import { batchOf, recordsOf } from '../testing/sim/records.ts';
import { openLog, simIo } from './log-cases.ts';

const SETTINGS = { fileBytesMax: 1_500, scrubIntervalMs: 3_600_000, scrubBytesPerSecond: 1_000_000 };

test('damage in a sealed file is told by the next pass, once, and the rest is served', async () => {
  const io = simIo();
  const log = await openLog(io, SETTINGS);
  const [partition] = (await log.createTopic('', 't', 1, new Map([['retention.ms', '-1']]))).partitions;
  for (let i = 0; i < 20; i++) await log.append(partition!, batchOf([`value ${i}`.padEnd(200, '.')]));
  const told: MillraceError[] = [];
  log.onDamage = error => told.push(error);
  await io.clock.pass(SETTINGS.scrubIntervalMs);
  await settle();
  assert.equal(told.length, 0, 'nothing is wrong yet');
  const path = '/data/0000000002.mrj';
  const position = Buffer.from(io.files.readFile(path)).indexOf('.....', 800);
  io.files.flipBit(path, position, 3);
  const lost = '/data/0000000003.mrj';
  io.files.lose(lost);
  for (let i = 0; i < 2; i++) await io.clock.pass(SETTINGS.scrubIntervalMs);
  await settle();
  assert.deepEqual(
    told.map(({ code, details }) => [code, details['file']]),
    [
      ['MR5003', path],
      ['MR5003', lost],
    ],
  );
  assert.ok(Number(told[0]!.details['position']) < position && Number(told[0]!.details['position']) > 500);
  assert.match(told[0]!.message, /does not match its crc/);
  assert.throws(() => recordsOf(log, partition!), { code: 'MR5004' });
  assert.equal(recordsOf(log, partition!, 19).length, 1);
  await log.append(partition!, batchOf(['goes on']));
  await log.close();
});
