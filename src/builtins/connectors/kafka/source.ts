/**
 * `load_kafka` and `from_kafka`: records of a topic as chunks or as `{message}` events.
 *
 * Epochs are cut after `commit_batch_size` messages or `commit_timeout`; offsets are committed when the sinks have confirmed
 * them, so a kill between source and sink loses nothing. The reader is the embedded log's unless `bootstrap.servers` names a
 * cluster; the group is the pipeline's id unless `group.id` names one.
 *
 * Invariants
 * I1 `count` never over-reads: a batch is cut at the last message wanted.
 * I2 positions of an epoch are those behind the last message emitted before it was cut.
 */
import type { Diagnostic } from '../../../base/index.ts';
import { clientSettings } from '../../../client/index.ts';
import { EventBatch, RecordValue, type Value } from '../../../data/index.ts';
import {
  type ArgumentPlaces,
  defineOperator,
  embeddedLog,
  s,
  type Source,
  type SourceOutput,
  type StageContext,
} from '../../../sdk/index.ts';
import {
  checkOffset,
  checkShared,
  offsetArguments,
  propertiesOf,
  sharedArguments,
  type StartOffset,
  startOffset,
} from './arguments.ts';
import { BatchHeader } from '../../../wire/records/index.ts';
import { chunksOf } from './batch.ts';
import { ClusterReader, EmbeddedReader, type OnRevoke, type ReadBatch, type TopicReader } from './reader.ts';

interface Settings {
  readonly topic: string;
  readonly count: number | undefined;
  readonly exits: boolean;
  readonly start: StartOffset;
  readonly commitBatchSize: number;
  readonly commitTimeoutMs: number;
  readonly asEvents: boolean;
}

/** What a cut keeps: its number, the next offset of each partition, and in which assignment it was read. */
interface Positions {
  readonly cut: number;
  readonly assignment: number;
  readonly offsets: readonly (readonly [partition: number, offset: number])[];
}

class KafkaSource implements Source {
  private readonly context: StageContext;
  private readonly settings: Settings;
  private readonly reader: TopicReader;
  private readonly offsets = new Map<number, number>();
  /** Newest record timestamp of each partition: the least of them is the watermark. */
  private readonly times = new Map<number, number>();
  private watermarkMs = Number.NEGATIVE_INFINITY;
  /** Counts the times that partitions were given back; what was cut before is not committed after. */
  private assignment = 0;
  /** Set while partitions are to be given back; called when what was read of them is delivered and committed. */
  private givenBack: (() => void) | undefined;
  /** The cut behind which nothing of them was emitted; one before it does not cover everything. */
  private lastOfAssignment = Number.POSITIVE_INFINITY;
  private cuts = 0;
  private isStopped = false;
  private emitted = 0;
  private sinceCut = 0;
  private cutMs = 0;

  constructor(context: StageContext, settings: Settings, makeReader: (onRevoke: OnRevoke) => TopicReader) {
    this.context = context;
    this.settings = settings;
    this.reader = makeReader(withinMs => this.giveBack(withinMs));
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    const saved = positions === undefined ? [] : (JSON.parse(positions) as Positions).offsets;
    await this.reader.open(this.settings.start, new Map(saved));
    this.cutMs = this.context.io.clock.monotonic();
    while (!this.isStopped && this.left > 0) {
      const batches = await this.reader.poll();
      const { assignment } = this;
      for (const read of batches) {
        if (this.isStopped || this.left <= 0 || this.givenBack || assignment !== this.assignment) read.owner?.release();
        else await this.emit(out, read);
      }
      if (this.givenBack) await this.cutToGiveBack(out);
      else await this.cutWhenDue(out);
      if (this.settings.exits && batches.length === 0 && this.reader.isAtEnd) break;
    }
    if (this.givenBack) await this.cutToGiveBack(out);
    else await this.cut(out);
  }

  stop(): void {
    this.isStopped = true;
  }

  async commit(positions: string): Promise<void> {
    const { assignment, cut, offsets } = JSON.parse(positions) as Positions;
    if (assignment === this.assignment) {
      const { topic } = this.settings;
      const isOurs = await this.reader.commit(offsets.map(([partition, offset]) => ({ topic, partition, offset })));
      if (!isOurs) this.warnOfRepetition();
    }
    if (cut >= this.lastOfAssignment) this.givenBack?.();
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  /** Partitions are about to be taken away: what was read of them is delivered and committed first, within a bound. */
  private async giveBack(withinMs: number): Promise<void> {
    if (!this.isStopped && this.offsets.size > 0) {
      await new Promise<void>(resolve => {
        const timer = this.context.io.clock.after(withinMs, resolve);
        this.givenBack = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.givenBack = undefined;
    this.lastOfAssignment = Number.POSITIVE_INFINITY;
    this.assignment++;
    this.offsets.clear();
    this.times.clear();
  }

  private async cutToGiveBack(out: SourceOutput): Promise<void> {
    if (this.lastOfAssignment <= this.cuts) return;
    this.lastOfAssignment = this.cuts + 1;
    await this.cut(out);
    if (this.offsets.size === 0) this.givenBack?.();
  }

  private warnOfRepetition(): void {
    this.context.warn({
      code: 'MR7222',
      message:
        'the group gave partitions to another member before their offsets were committed; some events come again',
      span: this.context.span,
    });
  }

  private get left(): number {
    return this.settings.count === undefined ? Number.MAX_SAFE_INTEGER : this.settings.count - this.emitted;
  }

  private async emit(out: SourceOutput, read: ReadBatch): Promise<void> {
    const { chunks, next } = chunksOf(read, this.left);
    this.offsets.set(read.partition, next);
    const { maxTimestamp } = new BatchHeader(read.batch);
    this.times.set(read.partition, Math.max(maxTimestamp, this.times.get(read.partition) ?? maxTimestamp));
    this.emitted += chunks.count;
    this.sinceCut += chunks.count;
    if (chunks.count > 0) {
      const batch = this.settings.asEvents ? messagesOf(chunks) : chunks;
      await out.emit(batch);
      if (batch !== chunks) batch.release();
    }
    chunks.release();
  }

  private async cutWhenDue(out: SourceOutput): Promise<void> {
    const { commitBatchSize, commitTimeoutMs } = this.settings;
    const isLate = this.sinceCut > 0 && this.context.io.clock.monotonic() - this.cutMs >= commitTimeoutMs;
    if (this.sinceCut >= commitBatchSize || isLate) await this.cut(out);
  }

  private async cut(out: SourceOutput): Promise<void> {
    this.sinceCut = 0;
    this.cutMs = this.context.io.clock.monotonic();
    if (this.offsets.size === 0) return;
    const watermarkMs = Math.min(...this.times.values());
    if (watermarkMs > this.watermarkMs) await out.watermark((this.watermarkMs = watermarkMs));
    const cut: Positions = { cut: ++this.cuts, assignment: this.assignment, offsets: [...this.offsets] };
    await out.cutEpoch(JSON.stringify(cut), { urgent: this.givenBack !== undefined });
  }
}

function messagesOf(chunks: ReturnType<typeof chunksOf>['chunks']): EventBatch {
  const records = Array.from({ length: chunks.count }, (_, row) => new RecordValue([['message', chunks.textOf(row)]]));
  return EventBatch.fromRecords(records, 'tenzir.kafka', chunks);
}

function makeSource(
  context: StageContext,
  args: {
    readonly topic: string;
    readonly count: number | undefined;
    readonly exit: boolean;
    readonly offset: Value;
    readonly options: ReadonlyMap<string, Value> | undefined;
    readonly group_id?: string | undefined;
    readonly commit_batch_size: number;
    readonly commit_timeout: number;
  },
  asEvents: boolean,
): KafkaSource {
  const properties = propertiesOf(args.options);
  const settings = clientSettings(context.io, properties);
  const group = args.group_id ?? settings.group.groupId ?? context.pipelineId;
  const log = properties.has('bootstrap.servers') ? undefined : context.service(embeddedLog);
  return new KafkaSource(
    context,
    {
      topic: args.topic,
      count: args.count,
      exits: args.exit,
      start: startOffset(args.offset) ?? { kind: 'stored' },
      commitBatchSize: Math.max(1, args.commit_batch_size),
      commitTimeoutMs: args.commit_timeout,
      asEvents,
    },
    onRevoke =>
      log
        ? new EmbeddedReader(context, log, args.topic, group)
        : new ClusterReader(context, settings, args.topic, group, onRevoke),
  );
}

const commitArguments = {
  commit_batch_size: s.uint('Commits after that many messages.').default(10_000).alias('batch_size'),
  commit_timeout: s.duration('Commits at least that often.').default(1_000),
};

function validate(
  args: {
    readonly offset?: Value;
    readonly commit_batch_size?: number;
    readonly options?: ReadonlyMap<string, Value> | undefined;
  },
  places: ArgumentPlaces,
): Diagnostic[] {
  const found = [...checkShared(args, places), ...checkOffset(args.offset, places)];
  if (args.commit_batch_size === 0) {
    found.push({
      code: 'MR7211',
      severity: 'error',
      message: 'the batch size must be greater than zero',
      span: places.of('commit_batch_size'),
    });
  }
  return found;
}

export const loadKafka = defineOperator({
  name: 'load_kafka',
  summary: 'Reads a Kafka topic: each record’s value is one chunk of bytes.',
  input: ['void'],
  output: 'bytes',
  args: { topic: s.string('The topic.').positional(), ...offsetArguments, ...commitArguments, ...sharedArguments },
  validate,
  create: (args, context) => makeSource(context, args, false),
});

export const fromKafka = defineOperator({
  name: 'from_kafka',
  summary: 'Reads a Kafka topic: each record becomes an event with the field `message`.',
  input: ['void'],
  output: 'events',
  args: {
    topic: s.string('The topic.').positional(),
    group_id: s.string('The consumer group; the same as `options."group.id"`.').optional(),
    ...offsetArguments,
    ...commitArguments,
    ...sharedArguments,
  },
  validate,
  create: (args, context) => makeSource(context, args, true),
});
