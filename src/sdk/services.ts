/**
 * Services: what a connector gets from the process around it, asked for by token, so that the engine hands through
 * things it knows nothing about. All of them may be called from a worker thread; the process bridges them.
 */

export interface ServiceToken<T> {
  readonly name: string;
  /** Carries the type only. */
  readonly type?: T;
}

export function serviceToken<T>(name: string): ServiceToken<T> {
  return { name };
}

/** A piece of a log file that holds whole record batches of one partition. */
export interface LogExtent {
  readonly path: string;
  readonly position: number;
  readonly length: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

export interface LogPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Which topic of that name is meant, where it is known. */
  readonly topicId?: string | undefined;
  /** Records of open and aborted transactions are seen, too. */
  readonly readsUncommitted?: boolean | undefined;
}

export interface LogLocation {
  readonly extents: readonly LogExtent[];
  /** Changes when the topic is deleted and made again. */
  readonly topicId?: string;
  /** There is no such partition any more. */
  readonly isGone?: boolean;
  readonly startOffset: number;
  /** Behind what may be read: the synced end, or the last stable offset for who reads committed records only. */
  readonly endOffset: number;
  /** Transactions with anything in the extents that are not to be seen; absent for who reads everything. */
  readonly aborted?: readonly { readonly producerId: number; readonly firstOffset: number }[];
}

/** The embedded log, as pipelines see it. Topics are those of the pipeline's namespace. */
export interface EmbeddedLog {
  /** Partition count, or undefined when there is no such topic. */
  partitions(topic: string): Promise<number | undefined>;
  topics(): Promise<readonly string[]>;
  /**
   * Where the batches at each position lie, in the order of the positions. Waits up to `waitMs` until there is something at
   * one of them; extents hold whole batches, the first containing the offset, `bytesMax` of each position at most.
   */
  locate(at: readonly LogPosition[], bytesMax: number, waitMs: number): Promise<readonly LogLocation[]>;
  offsetForTime(topic: string, partition: number, timestampMs: number): Promise<number>;
  /**
   * Appends one finished record batch; resolves when it is synced, or with what is wrong with the batch: it is judged as a
   * producer's is, and is refused again however often it is tried. Rejects while nothing can be written. The bytes may lie in
   * the arena.
   */
  append(topic: string, partition: number, batch: Uint8Array): Promise<string | undefined>;
  /**
   * For writing: how many partitions the topic has, or why there is none. One that is not there is made if `mayCreate`, where
   * topics are made so.
   */
  partitionsFor(topic: string, mayCreate: boolean): Promise<number | string>;
  /** With as many partitions as new topics have unless `partitions` says otherwise; fails where topics are not made so. */
  createTopic(topic: string, partitions?: number): Promise<void>;
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** Offsets of a topic that has been deleted, whether or not there is another one of its name, are left out. */
  commit(group: string, offsets: readonly LogPosition[]): Promise<void>;
}

export const embeddedLog: ServiceToken<EmbeddedLog> = serviceToken('embedded-log');

/** Looks a secret up by name; undefined when no store has it. Called when the pipeline starts. */
export interface Secrets {
  get(name: string): string | undefined;
  /** The text with asterisks in place of every secret that was found so far, for what people see. */
  mask(text: string): string;
}

export const secrets: ServiceToken<Secrets> = serviceToken('secrets');

export interface StandardStreams {
  /** Next chunk of standard input; undefined at its end. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves when more may be written. */
  write(bytes: Uint8Array): Promise<void>;
}

export const standardStreams: ServiceToken<StandardStreams> = serviceToken('standard-streams');

/** A row that could not be passed on. Bytes are the letter's own, not views of a slab. */
export interface DeadLetter {
  readonly pipelineId: string;
  readonly stageId: string;
  readonly code: string;
  readonly message: string;
  /** `topic/partition/offset`, or what else names the place that the event came from. */
  readonly origin: string | undefined;
  /** Byte position of the defect in the value, where one is known. */
  readonly position: number | undefined;
  readonly timeMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [string, Uint8Array | null])[];
}

export interface DeadLetterStore {
  /** Resolves when durable. All letters are of one pipeline. */
  write(letters: readonly DeadLetter[]): Promise<void>;
}

export const deadLetterStore: ServiceToken<DeadLetterStore> = serviceToken('dead-letters');
