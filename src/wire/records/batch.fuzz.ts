/**
 * Record batches at random: what is built reads back; what a hostile peer makes of it, with a crc that matches, is refused
 * by the check of a broker or by the reader, and what both let through is read to its end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, type SeededRandom } from '../../base/index.ts';
import { fuzz } from '../../testing/fuzz.ts';
import { BATCH_HEADER_BYTES, BatchHeader, CODEC, type CodecName, validateBatch } from './batch.ts';
import { RecordBatchBuilder, type RecordHeaders } from './builder.ts';
import { RecordCursor } from './cursor.ts';

const CODECS = Object.keys(CODEC) as CodecName[];
const INFLATED_BYTES_MAX = 200_000;

interface Plain {
  readonly time: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
}

function randomBytes(random: SeededRandom): Uint8Array | null {
  return random.below(6) === 0 ? null : random.bytes(random.below(random.below(5) === 0 ? 300 : 12));
}

function randomRecords(random: SeededRandom): Plain[] {
  return Array.from({ length: 1 + random.below(30) }, () => ({
    time: random.below(4) === 0 ? random.below(2 ** 31) : 1_700_000_000_000 + random.below(1_000_000),
    key: randomBytes(random),
    value: randomBytes(random),
    headers: Array.from({ length: random.below(3) }, (_, i) => [`h${i}é`, randomBytes(random)] as const),
  }));
}

function build(random: SeededRandom, records: readonly Plain[]): Uint8Array {
  const builder = new RecordBatchBuilder(64);
  for (const { headers, key, time, value } of records) builder.append(time, key, value, headers);
  return builder.finish({ codec: CODECS[random.below(CODECS.length)]! });
}

function read(batch: Uint8Array): Plain[] {
  const records: Plain[] = [];
  const cursor = new RecordCursor().open(batch, INFLATED_BYTES_MAX);
  while (cursor.advance()) {
    const { key, timestamp: time, value } = cursor;
    records.push({ time, key: key && Buffer.from(key), value: value && Buffer.from(value), headers: cursor.headers() });
  }
  return records;
}

const plain = (records: readonly Plain[]): unknown =>
  records.map(({ headers, key, time, value }) => {
    const hex = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString('hex');
    return [time, hex(key), hex(value), headers.map(([name, bytes]) => [name, hex(bytes)])];
  });

test('what is built passes the check and reads back', () => {
  fuzz(1, random => {
    const records = randomRecords(random);
    const batch = build(random, records);
    assert.equal(validateBatch(batch), undefined);
    assert.deepEqual(plain(read(batch)), plain(records));
  });
});

test('a hostile batch whose crc matches is refused by the check, or by the reader, or is read to its end', () => {
  fuzz(2, random => {
    const batch = Buffer.from(build(random, randomRecords(random)));
    const header = new BatchHeader(batch);
    for (let i = random.below(4); i >= 0; i--) {
      const isHeader = random.below(3) === 0;
      const at = isHeader ? 8 + random.below(BATCH_HEADER_BYTES - 8) : random.below(batch.length);
      if (random.below(5) === 0 && at + 4 <= batch.length) batch.writeInt32BE(-1 - random.below(2), at);
      else batch[at] = random.below(3) === 0 ? 0xff : random.below(256);
    }
    // A log gives the offset; what stands there does not matter.
    header.baseOffset = 7;
    if (header.fits()) header.seal();
    const defect = validateBatch(batch);
    try {
      const records = read(batch);
      if (defect === undefined) assert.equal(records.length, header.recordCount);
    } catch (error) {
      assert.ok(error instanceof MillraceError && /^MR400[34]$/.test(error.code), String(error));
      // Uncompressed records that pass the check are read by everybody.
      assert.ok(defect !== undefined || header.codec !== CODEC.none, `${error.message} was not found by the check`);
    }
  });
});
