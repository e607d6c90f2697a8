/** `read_lines` and `write_lines`. The end of a chunk from a Kafka record ends a line; a stream's rest waits. */
import { ByteStore, ChunkBatch, EventBatch, printTql, RecordValue, type Value } from '../../data/index.ts';
import { type Batch, defineOperator, type Output, s, type Transform } from '../../sdk/index.ts';

const NEWLINE = 0x0a;

class LineReader implements Transform {
  private readonly skipsEmpty: boolean;
  /** The line that a stream has begun, in the pieces that it came in: a piece may end inside a character. */
  private rest: Uint8Array[] = [];

  constructor(skipsEmpty: boolean) {
    this.skipsEmpty = skipsEmpty;
  }

  async process(batch: Batch, out: Output): Promise<void> {
    const chunks = batch as ChunkBatch;
    for (let row = 0; row < chunks.count; row++) {
      const bytes = chunks.bytesOf(row);
      const lines: string[] = [];
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        lines.push(this.line(bytes.subarray(start, end)));
        start = end + 1;
      }
      const isWhole = chunks.store.origins !== undefined;
      if (isWhole && start < bytes.length) lines.push(this.line(bytes.subarray(start)));
      else if (start < bytes.length) this.rest.push(Uint8Array.from(bytes.subarray(start)));
      const like = chunks.select(Uint32Array.from({ length: lines.length }, () => row));
      await this.send(lines, out, like);
    }
  }

  async end(out: Output): Promise<void> {
    if (this.rest.length > 0) await this.send([this.line(new Uint8Array(0))], out, undefined);
  }

  private line(last: Uint8Array): string {
    const line = Buffer.concat([...this.rest, last]).toString('utf8');
    this.rest = [];
    return line;
  }

  private async send(lines: readonly string[], out: Output, like: ChunkBatch | undefined): Promise<void> {
    const kept: RecordValue[] = [];
    const rows: number[] = [];
    lines.forEach((line, i) => {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (this.skipsEmpty && text === '') return;
      kept.push(new RecordValue([['line', text]]));
      rows.push(i);
    });
    if (kept.length === 0) return;
    const batch = EventBatch.fromRecords(kept, 'tenzir.line', like?.select(Uint32Array.from(rows)));
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
  create: ({ skip_empty }) => new LineReader(skip_empty),
});

function lineOf(record: RecordValue): string {
  const texts: string[] = [];
  const add = (value: Value): void => {
    if (value === null) return;
    if (value instanceof RecordValue) for (const [, inner] of value.entries()) add(inner);
    else texts.push(typeof value === 'string' ? value : printTql(value, { isCompact: true }));
  };
  add(record);
  return texts.join(' ');
}

export const writeLines = defineOperator({
  name: 'write_lines',
  summary: 'Writes the values of each event on a line, joined by blanks; nulls are left out.',
  input: ['events'],
  output: 'bytes',
  args: {},
  create: (): Transform => ({
    process: (batch, out) => {
      const events = batch as EventBatch;
      const pieces = Array.from({ length: events.count }, (_, row) => Buffer.from(`${lineOf(events.record(row))}\n`));
      const { bytes, count, spans } = ChunkBatch.fromChunks(pieces).store;
      const originRows = Uint32Array.from({ length: count }, (_, row) => events.store.originRow(events.storeRow(row)));
      return out.emit(ChunkBatch.of(new ByteStore({ bytes, spans, count, origins: events.store.origins, originRows })));
    },
  }),
});
