/**
 * The same pipeline in other circumstances: sources that cut their batches small, and sources that are killed and begin
 * again where their last committed epoch ended. A pipeline gives the same events in all of them.
 */
import { ByteStore, ChunkBatch, storeOf } from '../data/index.ts';
import type { Batch, OperatorDefinition, Registry, Source, SourceOutput, StageContext } from '../sdk/index.ts';

export interface EngineMode {
  /** Rows of a batch that a source gives, at most. */
  readonly rowsMax?: number;
  /** Every expression by the row interpreter: no columns, no folded constants. */
  readonly isInterpreted?: boolean;
  /** Each line of the input is a record of a topic: a chunk of its own that has an origin. */
  readonly isTopic?: boolean;
  /** Kills the pipeline behind every n rows of its source, when their epoch is committed, and starts it again. */
  readonly restartEvery?: number;
}

/** The registry with every source behind `wrap`. */
function wrapSources(registry: Registry, wrap: (source: Source) => Source): Registry {
  const operators = new Map<string, OperatorDefinition>();
  for (const [name, definition] of registry.operators) {
    const { create } = definition;
    const isSource = definition.input.includes('void') && create !== undefined;
    operators.set(
      name,
      isSource
        ? {
            ...definition,
            create: (args: never, context: StageContext) => wrap(create(args, context) as Source),
          }
        : definition,
    );
  }
  return { ...registry, operators };
}

/** `killed` is called when an epoch is committed that is not the last. */
export function registryFor(registry: Registry, mode: EngineMode, killed: () => void): Registry {
  const { isTopic, restartEvery, rowsMax } = mode;
  return wrapSources(registry, inner => {
    const source = isTopic === true ? new Topic(inner) : inner;
    if (restartEvery !== undefined) return new Restarting(source, restartEvery, killed);
    return rowsMax === undefined ? source : new Cutting(source, rowsMax);
  });
}

/** Lines of a stream as the records of a topic. */
class Topic implements Source {
  private readonly inner: Source;

  constructor(inner: Source) {
    this.inner = inner;
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    const pieces: Uint8Array[] = [];
    await this.inner.run(
      {
        cutEpoch: () => undefined,
        watermark: () => undefined,
        emit: batch => {
          const chunks = batch as ChunkBatch;
          for (let row = 0; row < chunks.count; row++) pieces.push(Uint8Array.from(chunks.bytesOf(row)));
        },
      },
      positions,
    );
    const lines = Buffer.concat(pieces).toString('latin1').split('\n');
    if (lines.at(-1) === '') lines.pop();
    const { bytes, count, spans } = storeOf(lines.map(line => Buffer.from(line, 'latin1')));
    const origins = {
      describe: (row: number) => `input/0/${row}`,
      key: () => null,
      headers: () => [],
      value: (row: number) => Buffer.from(lines[row]!, 'latin1'),
    };
    const batch = ChunkBatch.of(new ByteStore({ bytes, spans, count, origins }));
    await out.emit(batch);
    batch.release();
    await out.cutEpoch('end');
  }

  stop(): void {
    this.inner.stop();
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }
}

function rowsOf(batch: Batch, from: number, to: number): Batch {
  return batch.select(Uint32Array.from({ length: to - from }, (_, i) => from + i));
}

class Cutting implements Source {
  private readonly inner: Source;
  private readonly rowsMax: number;
  private isStopped = false;

  constructor(inner: Source, rowsMax: number) {
    this.inner = inner;
    this.rowsMax = rowsMax;
  }

  run(out: SourceOutput, positions: string | undefined): Promise<void> {
    return this.inner.run(
      {
        cutEpoch: cut => out.cutEpoch(cut),
        watermark: timeMs => out.watermark(timeMs),
        emit: async batch => {
          const isStream = batch instanceof ChunkBatch && !batch.store.origins;
          const rows = isStream ? cutChunks(batch, this.rowsMax) : batch;
          for (let from = 0; from < rows.count && !this.isStopped; from += this.rowsMax)
            await out.emit(rowsOf(rows, from, Math.min(rows.count, from + this.rowsMax)));
        },
      },
      positions,
    );
  }

  stop(): void {
    this.isStopped = true;
    this.inner.stop();
  }

  commit(positions: string): Promise<void> {
    return this.inner.commit(positions);
  }

  async close(): Promise<void> {
    await this.inner.close?.();
  }
}

/** A stream has no rows: its chunks are cut into pieces of so many bytes, inside characters and documents alike. */
function cutChunks(batch: ChunkBatch, bytesMax: number): ChunkBatch {
  const pieces: Uint8Array[] = [];
  for (let row = 0; row < batch.count; row++) {
    const bytes = batch.bytesOf(row);
    for (let at = 0; at < bytes.length; at += bytesMax) pieces.push(bytes.subarray(at, at + bytesMax));
  }
  return ChunkBatch.fromChunks(pieces);
}

/** Gives `every` rows behind the last committed ones, cuts an epoch and waits to be killed; at the end it ends. */
class Restarting implements Source {
  private readonly inner: Source;
  private readonly every: number;
  private readonly killed: () => void;
  private readonly batches: Batch[] = [];
  private stopped: () => void = () => undefined;
  private readonly whenStopped = new Promise<void>(resolve => {
    this.stopped = resolve;
  });
  private isLast = false;
  private isStopped = false;

  constructor(inner: Source, every: number, killed: () => void) {
    this.inner = inner;
    this.every = every;
    this.killed = killed;
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    await this.inner.run(
      {
        cutEpoch: () => undefined,
        watermark: () => undefined,
        emit: batch => {
          batch.hold();
          this.batches.push(batch);
        },
      },
      undefined,
    );
    const total = this.batches.reduce((sum, batch) => sum + batch.count, 0);
    const from = Number(positions ?? 0);
    const to = Math.min(total, from + this.every);
    let start = 0;
    for (const batch of this.batches) {
      const [low, high] = [Math.max(0, from - start), Math.min(batch.count, to - start)];
      if (low < high) await out.emit(rowsOf(batch, low, high));
      start += batch.count;
      batch.release();
    }
    this.isLast = to === total;
    await out.cutEpoch(String(to));
    if (!this.isLast && !this.isStopped) await this.whenStopped;
  }

  stop(): void {
    this.isStopped = true;
    this.inner.stop();
    this.stopped();
  }

  commit(): Promise<void> {
    if (!this.isLast && !this.isStopped) this.killed();
    return Promise.resolve();
  }
}
