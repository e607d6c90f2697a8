/**
 * What the source reads from: partitions of topics in the embedded log (`embedded-reader.ts`) or in a cluster
 * (`cluster-reader.ts`). Both give whole record batches in order and keep offsets of a group.
 */
import { wholePattern } from '../../../base/index.ts';
import type { ResetPolicy } from './start.ts';
import type { LogPosition, PartitionLag, SinkHealth } from '../../../sdk/index.ts';
import type { StartOffset } from './arguments.ts';
import type { ReadBatch } from './batch.ts';

export interface ReaderSettings {
  /** A name, or behind `^` a regular expression for whole names. */
  readonly topic: string;
  readonly group: string;
  readonly start: StartOffset;
  readonly reset: ResetPolicy;
  readonly readsCommitted: boolean;
}

/** A position of the last checkpoint, and of which topic of its name, where that is known. */
export type SavedPosition = Pick<LogPosition, 'offset' | 'topicId'>;

export interface TopicReader {
  /** Prepares reading. `saved`: by `partitionKey`. */
  open(saved: ReadonlyMap<string, SavedPosition>): Promise<void>;
  /** Batches that are there, or none after a wait of about `waitMs`. */
  poll(waitMs: number): Promise<readonly ReadBatch[]>;
  /** Everything assigned has been read to its end; false while partitions change hands. */
  readonly isAtEnd: boolean;
  /** Nothing more of the partition is wanted. */
  finish(topic: string, partition: number): void;
  /** False: the partitions are no longer ours, and nothing was committed. */
  commit(offsets: readonly LogPosition[]): Promise<boolean>;
  /** Records between what was read and the end. */
  lag(): readonly Omit<PartitionLag, 'seconds'>[];
  health?(): SinkHealth;
  close(): Promise<void>;
}

/** Awaited before partitions are given back: what was read of them can still be delivered and committed. */
export type OnRevoke = (withinMs: number) => Promise<void>;

export function partitionKey(topic: string, partition: number): string {
  return `${topic}\n${partition}`;
}

export interface TopicMatcher {
  readonly isPattern: boolean;
  /** What is wrong with the expression, which then matches nothing. */
  readonly defect?: string;
  matches(name: string): boolean;
}

/** Which topics are meant. */
export function topicMatcher(topic: string): TopicMatcher {
  if (!topic.startsWith('^')) return { isPattern: false, matches: name => name === topic };
  const pattern = wholePattern(topic);
  if ('defect' in pattern) return { isPattern: true, defect: pattern.defect, matches: () => false };
  // Internal topics are read by name only.
  return { isPattern: true, matches: name => !name.startsWith('__') && pattern(name) };
}
