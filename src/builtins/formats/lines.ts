/**
 * `read_lines` and `write_lines`. A line ends with `\n` or `\r\n`, and with the chunk where that is a Kafka record; the rest of
 * a stream waits. Text is UTF-8: a line that is not is refused, since no text would give its bytes back.
 */
import { isUtf8 } from 'node:buffer';
import { ChunkBatch, EventBatch, printTql, RecordValue, type Value } from '../../data/index.ts';
import { type Batch, defineOperator, type Output, s, type StageContext, type Transform } from '../../sdk/index.ts';
import { Writer } from './writer.ts';
import { Pending } from './pending.ts';
import { refuseTooLong, refuseUtf8 } from './refuse.ts';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NAME = 'tenzir.line';

/** Calls `found` for each line that is whole; gives the position behind the last one. */
function linesOf(bytes: Uint8Array, isEnd: boolean, found: (line: Uint8Array) => void): number {
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    found(bytes.subarray(start, end > start && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end));
    start = end + 1;
  }
  if (!isEnd || start === bytes.length) return start;
  found(bytes.subarray(start, bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length));
  return bytes.length;
}

class LineReader implements Transform {
  private readonly context: StageContext;
  private readonly skipsEmpty: boolean;
  private readonly pending = new Pending();

  constructor(context: StageContext, skipsEmpty: boolean) {
    this.context = context;
    this.skipsEmpty = skipsEmpty;
  }

  process(batch: Batch, out: Output): Promise<void> {
    const chunks = batch as ChunkBatch;
    if (chunks.store.origins) return this.records(chunks, out);
    let isReady = false;
    for (let row = 0; row < chunks.count; row++) {
      if (this.pending.add(chunks.bytesOf(row)).includes(NEWLINE)) isReady = true;
    }
    return isReady || this.pending.hasDoubled ? this.stream(false, out) : Promise.resolve();
  }

  end(out: Output): Promise<void> {
    return this.stream(true, out);
  }

  /** Each chunk is whole. */
  private async records(chunks: ChunkBatch, out: Output): Promise<void> {
    const records: RecordValue[] = [];
    const rows: number[] = [];
    for (let row = 0; row < chunks.count; row++) {
      linesOf(chunks.bytesOf(row), true, line => {
        const record = this.recordOf(line);
        if (record === null) refuseUtf8(this.context, chunks, row);
        if (!record) return;
        records.push(record);
        rows.push(row);
      });
    }
    await this.send(records, out, chunks.select(Uint32Array.from(rows)));
  }

  private async stream(isEnd: boolean, out: Output): Promise<void> {
    const bytes = this.pending.take();
    const records: RecordValue[] = [];
    const refused: Uint8Array[] = [];
    const done = linesOf(bytes, isEnd, line => {
      const record = this.recordOf(line);
      if (record === null) refused.push(line);
      else if (record) records.push(record);
    });
    const tooLong = this.pending.keep(bytes.subarray(done));
    await this.send(records, out, undefined);
    const bad = ChunkBatch.fromChunks([...refused, ...(tooLong ? [tooLong] : [])]);
    refused.forEach((_, row) => refuseUtf8(this.context, bad, row));
    if (tooLong) refuseTooLong(this.context, bad, refused.length, 'line');
    bad.release();
  }

  /** Undefined for an empty line that is left out, null for what is no text. */
  private recordOf(line: Uint8Array): RecordValue | null | undefined {
    if (this.skipsEmpty && line.length === 0) return undefined;
    if (!isUtf8(line)) return null;
    const text = Buffer.from(line.buffer as ArrayBuffer, line.byteOffset, line.byteLength).toString('utf8');
    return new RecordValue([['line', text]]);
  }

  private async send(records: readonly RecordValue[], out: Output, like: ChunkBatch | undefined): Promise<void> {
    if (records.length === 0) return;
    const batch = EventBatch.fromRecords(records, NAME, like);
    await out.emit(batch);
    batch.release();
  }
}

export const readLines = defineOperator({
  name: 'read_lines',
  summary: 'Reads lines: each becomes an event with the field `line`.',
  input: ['bytes'],
  output: 'events',
  args: { skip_empty: s.bool('Leave empty lines out.').default(false) },
  create: ({ skip_empty }, context) => new LineReader(context, skip_empty),
});

/** A scalar as it came in while nobody changed it, without the quotes and escapes of JSON; else the form of TQL. */
function wordOf(value: Value, json: string | undefined): string {
  if (typeof value === 'string') return value;
  if (json === undefined) return printTql(value, { isCompact: true });
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

function lineOf(event: RecordValue): string {
  const words: string[] = [];
  const add = (record: RecordValue): void => {
    for (const [name, value] of record.entries()) {
      if (value instanceof RecordValue) add(value);
      else if (value !== null) words.push(wordOf(value, record.textOf(name)));
    }
  };
  add(event);
  return words.join(' ');
}

export const writeLines = defineOperator({
  name: 'write_lines',
  summary: 'Writes the values of each event on a line, joined by blanks; nulls are left out.',
  input: ['events'],
  output: 'bytes',
  args: {},
  create: () => new Writer((events, row) => lineOf(events.record(row))),
});
