/**
 * The same pipeline in other circumstances: sources that cut their batches small, and sources that are killed and begin
 * again where their last committed epoch ended. A pipeline gives the same events in all of them.
 */
import { ChunkBatch } from '../data/index.ts';
import type { Batch, OperatorDefinition, Registry, Source, SourceOutput, StageContext } from '../sdk/index.ts';

export interface EngineMode {
  /** Rows of a batch that a source gives, at most. */
  readonly rowsMax?: number;
  /** Every expression by the row interpreter: no columns, no folded constants. */
  readonly isInterpreted?: boolean;
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
  const { restartEvery, rowsMax } = mode;
  if (restartEvery !== undefined) return wrapSources(registry, source => new Restarting(source, restartEvery, killed));
  if (rowsMax !== undefined) return wrapSources(registry, source => new Cutting(source, rowsMax));
  return registry;
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
          const rows = batch instanceof ChunkBatch ? cutChunks(batch, this.rowsMax) : batch;
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
