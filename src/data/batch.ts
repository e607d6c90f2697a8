/**
 * Batches: what travels on edges. Events that travel together, up to 65,536, kept as raw bytes plus columns that are
 * extracted when first asked for; or chunks of bytes before they are read.
 *
 *   ByteStore    the bytes (`byte-store.ts`): documents or chunks as spans over the arena or over private memory, with the
 *                slabs that hold them and where each row came from
 *   ChunkBatch   rows of a byte store, meaning nothing yet
 *   EventBatch   rows of a byte store whose spans are validated JSON documents, or rows that exist as records only
 *
 * A selection is a new batch over the same store: filtering copies row numbers, never bytes.
 *
 * Invariants
 * I1 a batch begins with one holder of its store, its maker.
 * I2 an event that nobody changed leaves as the bytes that it came in (`jsonOf`).
 * I3 row numbers that cross this interface are positions in the batch; `storeRow` maps them to the store.
 * I4 a row keeps its id through everything that makes a new event out of it; a row that is made anew gets a new one. Ids
 *    are numbers of this thread: they find a row again on other edges, they do not outlive the run (`originOf` does).
 */
import { assert } from '../base/index.ts';
import { type Column, type Columns, type Path, TAG } from './column.ts';
import { inferText } from './infer.ts';
import { type JsonReading, parseJson } from './json.ts';
import { printJson } from './print.ts';
import { ByteStore, type Origins, storeOf } from './byte-store.ts';
import { scanColumns } from './scan.ts';
import { RecordValue, type Value } from './value.ts';

export const BATCH_EVENTS_MAX = 65_536;
/** Columns are extracted for whole stores: for less than one row in so many, rows are read one by one. */
const WORTH = 8;

abstract class RowsOf {
  readonly store: ByteStore;
  /** Rows of the store that are in this batch; all of them where absent. */
  readonly rows: Uint32Array | undefined;
  readonly count: number;

  constructor(store: ByteStore, rows: Uint32Array | undefined) {
    this.store = store;
    this.rows = rows;
    this.count = rows ? rows.length : store.count;
  }

  storeRow(row: number): number {
    return this.rows ? this.rows[row]! : row;
  }

  /** The row's id: the same wherever the row is seen. */
  idOf(row: number): number {
    return this.store.idOf(this.storeRow(row));
  }

  hold(): void {
    this.store.hold();
  }

  release(): void {
    this.store.release();
  }

  /** What the source knows of the row beside its bytes; undefined for a name that it does not know. */
  metaOf(row: number, name: string): Value | undefined {
    return this.store.origins?.meta?.(this.store.originRow(this.storeRow(row)), name);
  }

  /** `topic/partition/offset` of the row, where it came from a topic. */
  originOf(row: number): string | undefined {
    const { origins } = this.store;
    return origins?.describe(this.store.originRow(this.storeRow(row)));
  }

  protected mapped(rows: Uint32Array): Uint32Array {
    if (!this.rows) return rows;
    const mapped = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) mapped[i] = this.rows[rows[i]!]!;
    return mapped;
  }
}

export class ChunkBatch extends RowsOf {
  static of(store: ByteStore): ChunkBatch {
    return new ChunkBatch(store, undefined);
  }

  /** Batches of private bytes, a chunk each. */
  static fromChunks(chunks: readonly Uint8Array[]): ChunkBatch {
    return ChunkBatch.of(storeOf(chunks));
  }

  /**
   * What a writer made of events: a chunk for each, with `end` behind it, which only parts it from the next. The events'
   * memory is kept for the sake of their origins.
   */
  static written(events: EventBatch, pieces: readonly Uint8Array[], end: Uint8Array): ChunkBatch {
    const { bytes, spans } = storeOf(pieces, end);
    const { bornMs, origins } = events.store;
    if (origins) events.hold();
    const store = new ByteStore({
      bytes,
      spans,
      count: pieces.length,
      owners: origins ? [events] : [],
      origins,
      originRows: originRowsOf(events),
      endBytes: end.length,
    });
    store.bornMs = bornMs;
    return ChunkBatch.of(store);
  }

  bytesOf(row: number): Uint8Array {
    return this.store.bytesOf(this.storeRow(row));
  }

  /** The chunk as something of its own: without what parts it from the next. */
  bodyOf(row: number): Uint8Array {
    const bytes = this.bytesOf(row);
    return bytes.subarray(0, bytes.length - this.store.endBytes);
  }

  textOf(row: number): string {
    return utf8(this.bytesOf(row));
  }

  /** The rows given (ascending positions), over the same store; shares the holders. */
  select(rows: Uint32Array): ChunkBatch {
    return new ChunkBatch(this.store, this.mapped(rows));
  }
}

/** What is known of a store's rows beyond their bytes, shared by all selections of it. */
interface EventRows {
  /** Rows as values: made on demand from bytes, or the only form there is. */
  readonly records: (RecordValue | undefined)[];
  /** 1: the record is the event and its bytes are stale or absent. Absent: bytes are the event everywhere. */
  readonly isChanged: boolean;
  columns: Columns | undefined;
  /** How rows are read from their bytes. */
  readonly reading: JsonReading | undefined;
}

export class EventBatch extends RowsOf {
  /** The schema's name, `@name`. */
  readonly name: string;
  private readonly events: EventRows;

  private constructor(store: ByteStore, rows: Uint32Array | undefined, name: string, events: EventRows) {
    super(store, rows);
    this.name = name;
    this.events = events;
  }

  /** Every span of the store is one valid JSON object; `columns` are those already extracted. */
  static fromDocuments(store: ByteStore, name: string, columns?: Columns, reading?: JsonReading): EventBatch {
    return new EventBatch(store, undefined, name, { records: [], isChanged: false, columns, reading });
  }

  static fromRecords(records: readonly RecordValue[], name: string, like?: EventBatch | ChunkBatch): EventBatch {
    const store = like
      ? like.store.derive(new Uint32Array(0), records.length, originRowsOf(like), idsFor(like))
      : new ByteStore({ bytes: new Uint8Array(0), spans: new Uint32Array(0), count: records.length });
    return new EventBatch(store, undefined, name, {
      records: [...records],
      isChanged: true,
      columns: undefined,
      reading: undefined,
    });
  }

  /** The events of all, in order, under the name of the first. The new batch has a holder of its own. */
  static concat(batches: readonly EventBatch[]): EventBatch {
    const [first] = batches;
    assert(first !== undefined, 'at least one batch');
    const { reading } = first.events;
    const areDocuments = batches.every(batch => batch.hasDocuments && batch.events.reading === reading);
    const records = areDocuments ? [] : batches.flatMap(batch => batch.records());
    const events = {
      records,
      isChanged: !areDocuments,
      columns: undefined,
      reading: areDocuments ? reading : undefined,
    };
    return new EventBatch(joinedStore(batches, areDocuments), undefined, first.name, events);
  }

  private records(): RecordValue[] {
    return Array.from({ length: this.count }, (_, row) => this.record(row));
  }

  /** The row as a value. */
  record(row: number): RecordValue {
    const at = this.storeRow(row);
    let record = this.events.records[at];
    if (!record) {
      const start = this.store.spans[2 * at]!;
      const value = parseJson(this.store.bytes, start, start + this.store.spans[2 * at + 1]!, this.events.reading);
      assert(value instanceof RecordValue, 'I2: a document of an event batch is an object');
      record = value;
      this.events.records[at] = record;
    }
    return record;
  }

  /** The row as a value, if somebody has asked for it before. */
  madeRecord(row: number): RecordValue | undefined {
    return this.events.records[this.storeRow(row)];
  }

  /** True when texts of documents may stand for other values than their characters (`inferText`). */
  get infersTexts(): boolean {
    return this.events.reading?.infers === true;
  }

  /** True while rows are the bytes they came in, so that columns can be extracted. */
  get hasDocuments(): boolean {
    return !this.events.isChanged;
  }

  /**
   * Columns over the store's rows for these paths, extracted together at the first call; undefined when the batch
   * holds records only. Use `storeRow` to address them.
   */
  columns(paths: readonly Path[]): Columns | undefined {
    if (this.events.isChanged) return undefined;
    const { columns } = this.events;
    if (columns && paths.every(path => columns.has(path))) return columns;
    this.events.columns = scanColumns(this.store, paths, columns);
    return this.events.columns;
  }

  /** Whether columns are there already, or rows enough to be worth extracting them. */
  isWorthColumns(paths: readonly Path[]): boolean {
    const { columns, isChanged } = this.events;
    if (isChanged) return false;
    return this.count * WORTH >= this.store.count || (columns !== undefined && paths.every(path => columns.has(path)));
  }

  /** Whether the column tells the row's value: a missing field and a repeated key are told by the record. */
  columnState(column: Column, row: number): 'value' | 'missing' | 'repeated' {
    const tag = column.tags[this.storeRow(row)];
    return tag === TAG.missing ? 'missing' : tag === TAG.repeated ? 'repeated' : 'value';
  }

  /** What the field of a row is; not for tags `missing` and `repeated`. */
  valueIn(column: Column, row: number): Value {
    const at = this.storeRow(row);
    const start = column.spans[2 * at]!;
    const end = start + column.spans[2 * at + 1]!;
    switch (column.tags[at]) {
      case TAG.int:
        return column.ints[at]!;
      case TAG.float:
        return column.floats[at]!;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.null:
        return null;
      case TAG.string: {
        const text = utf8(this.store.bytes.subarray(start, end));
        return this.infersTexts ? inferText(text) : text;
      }
      case TAG.escaped:
        return parseJson(this.store.bytes, start - 1, end + 1, this.events.reading);
      default:
        return parseJson(this.store.bytes, start, end, this.events.reading);
    }
  }

  /** The JSON text of the field of a row, where printing its value would not give it back. */
  textIn(column: Column, row: number): string | undefined {
    const at = this.storeRow(row);
    const start = column.spans[2 * at]!;
    const end = start + column.spans[2 * at + 1]!;
    const { bytes } = this.store;
    switch (column.tags[at]) {
      case TAG.float:
        return utf8(bytes.subarray(start, end));
      case TAG.text:
        return typeof this.valueIn(column, row) === 'string' ? utf8(bytes.subarray(start, end)) : undefined;
      case TAG.escaped:
        return utf8(bytes.subarray(start - 1, end + 1));
      case TAG.string:
        return typeof this.valueIn(column, row) === 'string' ? undefined : utf8(bytes.subarray(start - 1, end + 1));
      default:
        return undefined;
    }
  }

  /** The row as JSON on one line. An unchanged event is the bytes it came in, unless they hold line breaks. */
  jsonOf(row: number): Uint8Array {
    if (this.events.isChanged) return Buffer.from(printJson(this.record(row)));
    const bytes = this.store.bytesOf(this.storeRow(row));
    return bytes.indexOf(0x0a) < 0 ? bytes : Buffer.from(printJson(this.record(row)));
  }

  textOf(row: number): string {
    return utf8(this.jsonOf(row));
  }

  select(rows: Uint32Array): EventBatch {
    return new EventBatch(this.store, this.mapped(rows), this.name, this.events);
  }

  /** New records in place of the rows, which keep their origins. The new batch has a holder of its own. */
  withRecords(records: readonly RecordValue[], name = this.name): EventBatch {
    assert(records.length === this.count, 'one record a row');
    return EventBatch.fromRecords(records, name, this);
  }
}

function originRowsOf(batch: RowsOf): Uint32Array {
  const rows = new Uint32Array(batch.count);
  for (let row = 0; row < batch.count; row++) rows[row] = batch.store.originRow(batch.storeRow(row));
  return rows;
}

/** Events made of events are the same ones; events made of bytes are new. */
function idsFor(batch: RowsOf): Float64Array | undefined {
  return batch instanceof EventBatch ? idsOf([batch], batch.count) : undefined;
}

function idsOf(batches: readonly EventBatch[], count: number): Float64Array {
  const ids = new Float64Array(count);
  let at = 0;
  for (const batch of batches) for (let row = 0; row < batch.count; row++) ids[at++] = batch.idOf(row);
  return ids;
}

/** Rows of several stores with the origins that they have there. */
class JoinedOrigins implements Origins {
  private readonly batches: readonly EventBatch[];
  private readonly batchOf: Uint32Array;
  private readonly rowOf: Uint32Array;

  constructor(batches: readonly EventBatch[], count: number) {
    this.batches = batches;
    this.batchOf = new Uint32Array(count);
    this.rowOf = new Uint32Array(count);
    let at = 0;
    batches.forEach((batch, number) => {
      for (let row = 0; row < batch.count; row++, at++) {
        this.batchOf[at] = number;
        this.rowOf[at] = batch.store.originRow(batch.storeRow(row));
      }
    });
  }

  describe(row: number): string {
    return this.of(row)?.describe(this.rowOf[row]!) ?? '';
  }

  key(row: number): Uint8Array | null {
    return this.of(row)?.key(this.rowOf[row]!) ?? null;
  }

  headers(row: number): readonly (readonly [string, Uint8Array | null])[] {
    return this.of(row)?.headers(this.rowOf[row]!) ?? [];
  }

  value(row: number): Uint8Array | null {
    return this.of(row)?.value(this.rowOf[row]!) ?? null;
  }

  meta(row: number, name: string): Value | undefined {
    return this.of(row)?.meta?.(this.rowOf[row]!, name);
  }

  private of(row: number): Origins | undefined {
    return this.batches[this.batchOf[row]!]!.store.origins;
  }
}

/** One store of the rows of all: documents are copied as they are, where each row is one; else records are shared. */
function joinedStore(batches: readonly EventBatch[], areDocuments: boolean): ByteStore {
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const hasOrigins = batches.some(batch => batch.store.origins !== undefined);
  if (hasOrigins) for (const batch of batches) batch.hold();
  const pieces: Uint8Array[] = [];
  if (areDocuments) {
    for (const batch of batches)
      for (let row = 0; row < batch.count; row++) pieces.push(batch.store.bytesOf(batch.storeRow(row)));
  }
  const { bytes, spans } = storeOf(pieces);
  const store = new ByteStore({
    bytes,
    spans,
    count,
    owners: hasOrigins ? batches : [],
    origins: hasOrigins ? new JoinedOrigins(batches, count) : undefined,
    ids: idsOf(batches, count),
  });
  store.bornMs = batches[0]?.store.bornMs;
  return store;
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
