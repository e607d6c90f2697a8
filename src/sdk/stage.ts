/**
 * What runs: sources, transforms and sinks, and the contract between them and the engine.
 *
 * Elements on an edge are batches, epoch markers and watermarks, in order; then the end. A watermark says that what comes
 * behind it is not older than its time, but for late events. A source cuts an epoch; the marker passes
 * every stage; a sink confirms it when everything before it is delivered or durably dead-lettered; when all sinks have
 * confirmed, the engine saves the checkpoint and lets the source commit its positions. Several epochs may be in
 * flight; they are committed in order and never after an error.
 *
 * Invariants
 * I1 `process` and `write` are never called again before the promise they returned has settled: that is back-pressure.
 * I2 a batch passed on is the receiver's to hold and release; who keeps one beyond the call holds it.
 * I3 each row of a batch written to a sink is settled exactly once through its `Delivery`: delivered, dead-lettered or
 *    returned.
 * I4 `snapshot` is taken right behind an epoch marker and `restore` happens before the first batch, so that
 *    snapshot, restore and replay from the epoch's positions give the same output as an undisturbed run.
 * I5 after `abort` a stage holds no batch, and every promise that it gave settles.
 */
import type { Arena, Diagnostic, Io, Span } from '../base/index.ts';
import type { ChunkBatch, EventBatch, Owner, Value } from '../data/index.ts';
import type { Expr } from './expression.ts';
import type { ServiceToken } from './services.ts';

export type Batch = EventBatch | ChunkBatch;

export interface Output {
  /** Passes a batch on; a promise means: wait before you send more. */
  emit(batch: Batch): void | Promise<void>;
}

export interface Transform {
  process(batch: Batch, out: Output): void | Promise<void>;
  /** Right before the epoch marker passes: send what must not be held back across it. */
  epoch?(out: Output): void | Promise<void>;
  /** Event time has reached `timeMs` (ms since 1970). */
  watermark?(timeMs: number, out: Output): void | Promise<void>;
  /** The input ended: send what is left. */
  end?(out: Output): void | Promise<void>;
  /** Time has passed (about every 100 ms): send what has waited long enough. */
  tick?(out: Output): void | Promise<void>;
  /** Memory is short, or the pipeline drains: the next `tick` sends what is held. */
  flush?(): void;
  /** Durable state, text of its own form. Present exactly on stateful transforms. */
  snapshot?(): string;
  restore?(state: string): void;
  /** Events taken in and neither passed on nor part of the state's result yet, for the ledger. */
  readonly heldEvents?: number;
  /** True once more input cannot change the output (`head`): the engine stops the source. */
  readonly isDone?: boolean;
  /** The pipeline has failed: let go of the batches that are held. */
  abort?(): void;
}

/** None of these rejects: when the pipeline fails, the source is stopped. */
export interface SourceOutput extends Output {
  /**
   * Everything emitted so far belongs to the epoch; `positions` come back in `commit` and after a restart. While states are
   * large the engine leaves out epochs whose turn comes too soon, but never one that is `urgent`.
   */
  cutEpoch(positions: string, options?: { readonly urgent?: boolean }): void | Promise<void>;
  /** What comes from now on is not older than `timeMs` (ms since 1970); never less than the one before. */
  watermark(timeMs: number): void | Promise<void>;
}

export interface Source {
  /** Reads until the data ends or `stop`; `positions` are those of the last committed checkpoint, if one is kept. */
  run(out: SourceOutput, positions: string | undefined): Promise<void>;
  /** Ends reading; what was emitted still drains. */
  stop(): void;
  /** Everything up to these positions is delivered. */
  commit(positions: string): Promise<void>;
  close?(): Promise<void>;
  /** How far behind the end each partition is that it reads. */
  lag?(): readonly PartitionLag[];
  /** Why nothing comes, where that is known; undefined where nobody else is asked. */
  health?(): SinkHealth | undefined;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  /** Age of the newest record that was read; 0 when it is the last. */
  readonly seconds: number;
}

export interface RowFailure {
  readonly code: string;
  readonly message: string;
  /** Byte position of the defect in the value that came from the source, where one is known. */
  readonly position?: number;
}

/** Fate of the rows of one batch that was written to a sink. Rows are positions in that batch. */
export interface Delivery {
  delivered(rows: number): void;
  /** By the operator's rules there is nothing to deliver of these (an empty chunk): they count as filtered. */
  skipped(rows: number): void;
  deadLetter(row: number, failure: RowFailure): void;
  /** True inside a balance: another endpoint can take the rows. */
  readonly canReturn: boolean;
  returnRows(rows: readonly number[]): void;
}

export interface SinkHealth {
  readonly isUp: boolean;
  /** Why it is not up, one sentence. */
  readonly reason?: string;
  /** Milliseconds until the next try. */
  readonly nextTryMs?: number;
  /** Requests that may be under way at a time, where the sink finds that out by itself. */
  readonly concurrencyLimit?: number;
}

export interface Sink {
  write(batch: Batch, delivery: Delivery): void | Promise<void>;
  /** Undefined when a batch can be taken now; else resolves when it is worth asking again. In a balance the others are served meanwhile. */
  ready?(): void | Promise<void>;
  /** Send what is buffered without waiting for more. */
  flush(): void;
  /** Nothing more comes; resolves when all is settled or the sink has given up by its own rules. */
  close(): Promise<void>;
  /** The pipeline has failed: give up what is unsettled and free everything at once; a `write` that waits returns. */
  abort?(): void;
  health?(): SinkHealth;
  /** Bytes that wait to be sent or to be acknowledged. */
  readonly bufferedBytes?: number;
  /** A short name of the endpoint for ledger and metrics. */
  readonly endpoint?: string;
}

export type CounterName =
  | 'retried'
  | 'possible_duplicates'
  /** Records that retention had removed before they could be read. */
  | 'overtaken'
  | 'received_bytes'
  | 'sent_bytes';

/**
 * What a source may have on its way: bytes of batches that it emitted and that somebody still holds. A source takes a credit
 * for what it has read, gives it to the batch as an owner, and waits with the next reading while all are taken.
 */
export interface Credits {
  take(bytes: number): Owner;
  /** Undefined while there are credits; else resolves when some came back. */
  room(): void | Promise<void>;
  readonly usedBytes: number;
}

/** Evaluates one expression for rows of batches. */
export interface Evaluator {
  value(batch: EventBatch, row: number): Value;
}

export interface StageContext {
  readonly io: Io;
  readonly arena: Arena;
  readonly pipelineId: string;
  readonly stageId: string;
  /** Where the stage stands in the pipeline's text. */
  readonly span: Span;
  /** Field paths that the plan reads from events behind this stage, for readers that extract columns at once. */
  readonly paths: readonly (readonly string[])[];
  /** Some stage of the pipeline keeps a state: it belongs to the positions of its epoch. */
  readonly keepsState: boolean;
  readonly credits: Credits;
  compile(expr: Expr): Evaluator;
  warn(warning: Omit<Diagnostic, 'severity' | 'file'>): void;
  /** A row that this stage cannot pass on: counted, sampled, written to the dead letters before its epoch closes. */
  deadLetter(batch: Batch, row: number, failure: RowFailure): void;
  count(counter: CounterName, by: number): void;
  /** A failure of the stage's own work that is being dealt with: `kind` is one of few words. */
  countError(kind: string): void;
  /** Ends the pipeline with an error. */
  fail(error: unknown): void;
  service<T>(token: ServiceToken<T>): T | undefined;
}
