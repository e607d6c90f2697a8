/**
 * `read_json`, `read_ndjson`, `write_json`, `write_ndjson`: bytes to events and back.
 *
 * Reading: the end of a chunk that came from a Kafka record always ends a document or line, so an unclosed `{` never eats
 * the next record. Chunks of a stream (standard input) are cut at any byte: what is left over waits for the next chunk
 * (`json-split.ts`, `pending.ts`). The common case, one document a chunk, is checked and scanned where it lies; several in a chunk are
 * split first.
 *
 * Writing: one chunk for each event; an unchanged event is the bytes that it came in.
 */
import {
  ByteStore,
  ChunkBatch,
  type Columns,
  documentEnd,
  EventBatch,
  findDefect,
  type JsonReading,
  type JsonStyle,
  printJson,
  printTql,
  RecordValue,
  scanDocuments,
} from '../../data/index.ts';
import type { Diagnostic } from '../../base/index.ts';
import {
  type ArgumentPlaces,
  type Batch,
  defineOperator,
  type Output,
  s,
  type StageContext,
  type Transform,
} from '../../sdk/index.ts';
import { FORMAT_CODES } from './errors.ts';
import { documentsOf, isSpace, lines, type Splitter, type Stream } from './json-split.ts';
import { Pending } from './pending.ts';
import { Writer } from './writer.ts';
import { refuseTooLong } from './refuse.ts';

const NAME = 'tenzir.json';
const NONE: ReadonlySet<number> = new Set();
const OPEN_OBJECT = 0x7b;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;

interface ReaderSettings {
  readonly split: Splitter;
  readonly reading: JsonReading;
  /** A list at the top gives an event for each object in it. */
  readonly takesLists: boolean;
  /** Keys with it become nested records. */
  readonly separator: string | undefined;
}

/** Chunks to documents. */
class JsonReader implements Transform {
  private readonly context: StageContext;
  private readonly settings: ReaderSettings;
  private readonly split: Splitter;
  private readonly bytes: Stream;
  private readonly pending = new Pending();

  constructor(context: StageContext, settings: ReaderSettings) {
    this.context = context;
    this.settings = settings;
    this.split = settings.split;
    this.bytes = settings.split.stream();
  }

  process(batch: Batch, out: Output): void | Promise<void> {
    const chunks = batch as ChunkBatch;
    return chunks.store.origins ? this.records(chunks, out) : this.stream(piecesOf(chunks), false, out);
  }

  end(out: Output): Promise<void> {
    return this.stream([], true, out);
  }

  /** Each chunk is whole. */
  private records(chunks: ChunkBatch, out: Output): void | Promise<void> {
    const { store } = chunks;
    const isPlain = chunks.rows === undefined;
    const scan = isPlain ? scanDocuments(store, this.context.paths) : undefined;
    if (scan && scan.defects.length === 0 && this.areObjects(store)) {
      return this.send(EventBatch.fromDocuments(store, NAME, scan.columns, this.settings.reading), out);
    }
    return this.emit(chunks, out);
  }

  private areObjects(store: ByteStore): boolean {
    for (let row = 0; row < store.count; row++) if (firstByte(store, row) !== OPEN_OBJECT) return false;
    return true;
  }

  private async stream(pieces: readonly Uint8Array[], isEnd: boolean, out: Output): Promise<void> {
    let mayEnd = isEnd;
    for (const piece of pieces) if (this.bytes.mayEnd(this.pending.add(piece))) mayEnd = true;
    if (!mayEnd && !this.pending.hasDoubled) return;
    const bytes = this.pending.take();
    const spans: number[] = [];
    const refused: Uint8Array[] = [];
    const done = this.bytes.take(
      bytes,
      isEnd,
      (start, end) => spans.push(start, end - start),
      (start, end) => {
        if (end > start) refused.push(bytes.subarray(start, end));
        else this.warnMalformed('a list lacks a comma, an element or its end');
      },
    );
    const tooLong = this.pending.keep(bytes.subarray(done));
    const store = new ByteStore({ bytes, spans: Uint32Array.from(spans), count: spans.length / 2 });
    const batch = ChunkBatch.of(store);
    if (spans.length > 0) await this.emit(batch, out, false);
    batch.release();
    const bad = ChunkBatch.fromChunks([...refused, ...(tooLong ? [tooLong] : [])]);
    refused.forEach((piece, row) => this.refuse(bad, row, piece, 0, piece.length));
    if (tooLong) {
      this.bytes.skipped();
      refuseTooLong(this.context, bad, refused.length, 'document');
    }
    bad.release();
  }

  /** Splits each row, keeps what is a valid object, sends the rest to the dead letters. */
  private async emit(chunks: ChunkBatch, out: Output, takesLists = this.settings.takesLists): Promise<void> {
    const spans: number[] = [];
    const origins: number[] = [];
    const { store } = chunks;
    for (let row = 0; row < chunks.count; row++) {
      const at = chunks.storeRow(row);
      const start = store.spans[2 * at]!;
      const end = start + store.spans[2 * at + 1]!;
      const before = spans.length;
      const behind = this.split.row(store.bytes, start, end, (from, to) => {
        spans.push(from, to - from);
        origins.push(store.originRow(at));
      });
      if (behind < end) {
        // What follows does not begin a complete document: the whole row is refused, so that nothing of it is half taken.
        spans.length = before;
        origins.length = before / 2;
        this.refuse(chunks, row, store.bytes, start, end);
      }
    }
    const derived = store.derive(Uint32Array.from(spans), spans.length / 2, Uint32Array.from(origins));
    const { columns, defects } = scanDocuments(derived, this.context.paths);
    const bad = new Set(defects.map(({ row }) => row));
    if (takesLists && this.hasList(derived)) await this.emitElements(derived, bad, out);
    else await this.emitObjects(derived, columns, bad, out);
    derived.release();
  }

  private async emitObjects(store: ByteStore, columns: Columns, bad: ReadonlySet<number>, out: Output): Promise<void> {
    const good: number[] = [];
    const whole = ChunkBatch.of(store);
    for (let row = 0; row < store.count; row++) {
      const start = store.spans[2 * row]!;
      if (bad.has(row)) this.refuse(whole, row, store.bytes, start, start + store.spans[2 * row + 1]!);
      else if (firstByte(store, row) === OPEN_OBJECT) good.push(row);
      else this.refuseShape(whole, row);
    }
    if (good.length === 0) return;
    const events = EventBatch.fromDocuments(store, NAME, columns, this.settings.reading);
    await this.send(good.length === store.count ? events : events.select(Uint32Array.from(good)), out);
  }

  private hasList(store: ByteStore): boolean {
    for (let row = 0; row < store.count; row++) if (firstByte(store, row) === OPEN_LIST) return true;
    return false;
  }

  /** Lists among the documents: their objects take their place. */
  private async emitElements(store: ByteStore, bad: ReadonlySet<number>, out: Output): Promise<void> {
    const spans: number[] = [];
    const origins: number[] = [];
    const whole = ChunkBatch.of(store);
    for (let row = 0; row < store.count; row++) {
      const start = store.spans[2 * row]!;
      const end = start + store.spans[2 * row + 1]!;
      if (bad.has(row)) {
        this.refuse(whole, row, store.bytes, start, end);
        continue;
      }
      const add = (from: number, to: number): void => {
        spans.push(from, to - from);
        origins.push(store.originRow(row));
      };
      if (firstByte(store, row) === OPEN_LIST) elementsOf(store.bytes, start, end, add);
      else add(start, end);
    }
    const derived = store.derive(Uint32Array.from(spans), spans.length / 2, Uint32Array.from(origins));
    const { columns } = scanDocuments(derived, this.context.paths);
    await this.emitObjects(derived, columns, NONE, out);
    derived.release();
  }

  private async send(events: EventBatch, out: Output): Promise<void> {
    const { separator } = this.settings;
    if (separator === undefined) {
      await out.emit(events);
      return;
    }
    const records = Array.from({ length: events.count }, (_, row) => unflatten(events.record(row), separator));
    const batch = events.withRecords(records);
    await out.emit(batch);
    batch.release();
  }

  private refuse(batch: ChunkBatch, row: number, bytes: Uint8Array, start: number, end: number): void {
    const defect = findDefect(bytes, start, end) ?? { position: 0, reason: 'no complete document' };
    const position = placeIn(batch, row, bytes, start) + defect.position;
    const message = `malformed JSON at byte ${position}: ${defect.reason}`;
    this.context.deadLetter(batch, row, { code: FORMAT_CODES.malformedJson, message, position });
    this.warnMalformed(message);
  }

  private warnMalformed(note: string): void {
    const { span } = this.context;
    this.context.warn({ code: FORMAT_CODES.malformedJson, message: 'malformed JSON', notes: [note], span });
  }

  private refuseShape(batch: ChunkBatch, row: number): void {
    const isList = firstByte(batch.store, batch.storeRow(row)) === OPEN_LIST;
    const code = isList ? FORMAT_CODES.topLevelArray : FORMAT_CODES.notAnObject;
    const message = isList ? 'a top-level array where an object must be' : 'not a JSON object';
    this.context.deadLetter(batch, row, { code, message });
    this.context.warn({
      code,
      message: isList ? 'top-level JSON array' : message,
      notes: [message],
      ...(isList &&
        !this.settings.takesLists && {
          hints: ['`read_json arrays_of_objects=true` gives an event for each object of it'],
        }),
      span: this.context.span,
    });
  }
}

/** Where a document begins in the value that came from the source: a record may hold several. */
function placeIn(batch: ChunkBatch, row: number, bytes: Uint8Array, start: number): number {
  const { store } = batch;
  const value = store.origins?.value(store.originRow(batch.storeRow(row)));
  return value?.buffer === bytes.buffer ? bytes.byteOffset + start - value.byteOffset : 0;
}

function piecesOf(chunks: ChunkBatch): readonly Uint8Array[] {
  return Array.from({ length: chunks.count }, (_, row) => chunks.bytesOf(row));
}

function firstByte(store: ByteStore, row: number): number {
  let at = store.spans[2 * row]!;
  const end = at + store.spans[2 * row + 1]!;
  while (at < end && isSpace(store.bytes[at]!)) at++;
  return at < end ? store.bytes[at]! : -1;
}

/** Where the elements of a valid list stand; blanks and commas part them. */
function elementsOf(bytes: Uint8Array, start: number, end: number, found: (start: number, end: number) => void): void {
  let at = bytes.indexOf(OPEN_LIST, start) + 1;
  for (;;) {
    while (isSpace(bytes[at]!) || bytes[at] === COMMA) at++;
    if (bytes[at] === CLOSE_LIST) return;
    const next = documentEnd(bytes, at, end)!;
    found(next.start, next.end);
    at = next.end;
  }
}

/** Nested records in place of keys such as `a.b`; what is no record on the way is replaced, as assignments do it. */
function unflatten(record: RecordValue, separator: string): RecordValue {
  const changes = Array.from(record.entries(), ([name, value]) => ({
    path: separator === '' ? [name] : name.split(separator),
    value: value instanceof RecordValue ? unflatten(value, separator) : value,
    text: record.textOf(name),
  }));
  return new RecordValue().changed([], changes);
}

const READER_ARGS = {
  merge: s.bool('Of a key that appears again the last value wins, instead of a list of all.').default(false),
  raw: s.bool('Keep texts as texts, without looking for numbers, times and addresses in them.').default(false),
  unflatten_separator: s.string('Keys with this separator become nested records.').alias('unflatten').optional(),
  schema: s.string('Schema of all events.').optional(),
  selector: s.string('Field that names the schema of an event.').optional(),
  schema_only: s.bool('Keep only the fields of the schema.').default(false),
};

const READER_ARRAYS = s.bool('A list gives an event for each object in it.').default(false);

/** Schemas are not there yet: an option that would do nothing is refused. */
function refuseSchemas(
  args: { readonly schema?: unknown; readonly selector?: unknown; readonly schema_only?: boolean },
  places: ArgumentPlaces,
): readonly Diagnostic[] {
  const names = ['schema', 'selector', 'schema_only'] as const;
  return names
    .filter(name => args[name] !== undefined && args[name] !== false)
    .map(name => ({
      code: FORMAT_CODES.schemas,
      severity: 'error',
      message: `\`${name}\` is not implemented in this version`,
      span: places.of(name),
      hints: ['remove it: events get the types that their texts have'],
    }));
}

export const readJson = defineOperator({
  name: 'read_json',
  summary: 'Reads concatenated JSON objects.',
  input: ['bytes'],
  output: 'events',
  args: { arrays_of_objects: READER_ARRAYS, ...READER_ARGS },
  validate: refuseSchemas,
  create: (args, context) =>
    new JsonReader(context, {
      split: documentsOf(args.arrays_of_objects),
      reading: { infers: !args.raw, merges: args.merge },
      takesLists: args.arrays_of_objects,
      separator: args.unflatten_separator,
    }),
});

export const readNdjson = defineOperator({
  name: 'read_ndjson',
  summary: 'Reads one JSON object a line; a bad line is refused whole.',
  input: ['bytes'],
  output: 'events',
  args: READER_ARGS,
  validate: refuseSchemas,
  create: (args, context) =>
    new JsonReader(context, {
      split: lines,
      reading: { infers: !args.raw, merges: args.merge },
      takesLists: false,
      separator: args.unflatten_separator,
    }),
});

/** All events as one list. What opens and parts the events stands before each, so that a chunk stays one event. */
class ListWriter implements Transform {
  private readonly style: JsonStyle;
  private isEmpty = true;

  constructor(style: JsonStyle) {
    this.style = style;
  }

  process(batch: Batch, out: Output): void | Promise<void> {
    const writer = new Writer((events, row) => {
      const lead = this.isEmpty ? '[\n' : ',\n';
      this.isEmpty = false;
      const text = printJson(events.record(row), this.style).replaceAll('\n', '\n  ');
      return `${lead}  ${text}`;
    }, NO_END);
    return writer.process(batch, out);
  }

  async end(out: Output): Promise<void> {
    const batch = ChunkBatch.fromChunks([Buffer.from(this.isEmpty ? '[]\n' : '\n]\n')]);
    await out.emit(batch);
    batch.release();
  }

  snapshot(): string {
    return this.isEmpty ? 'empty' : 'open';
  }

  restore(state: string): void {
    this.isEmpty = state === 'empty';
  }
}

const NO_END = new Uint8Array(0);

const WRITER_ARGS = {
  strip: s.bool('Leave out null fields, nulls in lists, empty records and empty lists.').default(false),
  strip_null_fields: s.bool('Leave out null fields.').default(false),
  strip_nulls_in_lists: s.bool('Leave out nulls in lists.').default(false),
  strip_empty_records: s.bool('Leave out empty records.').default(false),
  strip_empty_lists: s.bool('Leave out empty lists.').default(false),
};

function styleOf(args: { readonly [K in keyof typeof WRITER_ARGS]: boolean }, indent: number): JsonStyle {
  return {
    indent,
    stripNullFields: args.strip || args.strip_null_fields,
    stripNullsInLists: args.strip || args.strip_nulls_in_lists,
    stripEmptyRecords: args.strip || args.strip_empty_records,
    stripEmptyLists: args.strip || args.strip_empty_lists,
  };
}

export const writeNdjson = defineOperator({
  name: 'write_ndjson',
  summary: 'Writes one JSON object a line, without blanks; an unchanged event is the bytes that it came in.',
  input: ['events'],
  output: 'bytes',
  args: WRITER_ARGS,
  create: args => {
    const style = styleOf(args, 0);
    if (!Object.values(args).includes(true)) return new Writer((events, row) => events.jsonOf(row));
    return new Writer((events, row) => printJson(events.record(row), style));
  },
});

export const writeJson = defineOperator({
  name: 'write_json',
  summary: 'Writes indented JSON objects, one after the other, or as one list.',
  input: ['events'],
  output: 'bytes',
  args: { arrays_of_objects: s.bool('Write one list of all events.').default(false), ...WRITER_ARGS },
  create: args => {
    const style = styleOf(args, 2);
    if (args.arrays_of_objects) return new ListWriter(style);
    return new Writer((events, row) => printJson(events.record(row), style));
  },
});

export const writeTql = defineOperator({
  name: 'write_tql',
  summary: 'Writes events in the form of the language itself.',
  input: ['events'],
  output: 'bytes',
  args: { compact: s.bool('One line an event.').default(false) },
  create: ({ compact }) => new Writer((events, row) => printTql(events.record(row), { isCompact: compact })),
});
