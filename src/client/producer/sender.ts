/**
 * Carries the windows' batches to their leaders: one Produce request takes a batch of every partition of a node that has
 * one ready, and up to five requests of a node are under way.
 *
 * Invariants
 * I1 a window is in the list of at most one node, the leader that the metadata named when it became ready.
 * I2 every batch that a request carried is answered to its window once, whatever becomes of the request.
 */
import type { Io } from '../../base/index.ts';
import {
  apis,
  errorCode,
  type ErrorName,
  errorName,
  isRetriable,
  type ProduceRequestInput,
  type ProduceResponse,
} from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import { brokerError, canPass, clientErrors } from '../errors.ts';
import type { Failure, Identity, ProducedBatch } from './batch.ts';
import type { PartitionWindow } from './window.ts';

export interface SenderSettings {
  readonly acks: 0 | 1 | -1;
  readonly deliveryTimeoutMs: number;
  readonly acknowledgeTimeoutMs: number;
  readonly isIdempotent: boolean;
  readonly canCreateTopics: boolean;
  readonly requestBytesMax: number;
  readonly onRetry?: (records: number) => void;
}

/** Requests of a node under way; more do not help, and a broker remembers five batches of a producer's partition. */
const REQUESTS_MAX = 5;
/** How often a batch is looked at whose time is over while it is under way. */
const CHECK_MS = 500;
/** How much longer than its replicas a broker may take to answer. */
const GRACE_MS = 5_000;
/** What is dealt with in other ways than by trying again or giving up. */
const KINDS: Partial<Readonly<Record<ErrorName, Failure['kind']>>> = {
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'sequence',
  UNKNOWN_PRODUCER_ID: 'sequence',
  INVALID_PRODUCER_EPOCH: 'epoch',
  MESSAGE_TOO_LARGE: 'too large',
  RECORD_LIST_TOO_LARGE: 'too large',
};

interface Node {
  readonly id: number;
  readonly ready: Set<PartitionWindow>;
  requests: number;
}

interface Carried {
  readonly window: PartitionWindow;
  readonly batch: ProducedBatch;
}

export class Sender {
  retries = 0;
  private readonly io: Io;
  private readonly cluster: Cluster;
  private readonly settings: SenderSettings;
  private readonly nodes = new Map<number, Node>();
  private readonly resolving = new Set<PartitionWindow>();
  /** Windows with batches, whose time is watched. */
  private readonly watched = new Set<PartitionWindow>();
  private awake = new Set<PartitionWindow>();
  private identity: Promise<Identity> | undefined;

  constructor(cluster: Cluster, settings: SenderSettings) {
    this.io = cluster.io;
    this.cluster = cluster;
    this.settings = settings;
  }

  push(window: PartitionWindow, batch: ProducedBatch): void {
    window.push(batch);
    this.wake(window);
    if (this.watched.has(window)) return;
    this.watched.add(window);
    this.watch(window, batch.bornMs);
  }

  /** The window may have something to send. What wakes in one turn of the event loop travels together. */
  wake(window: PartitionWindow): void {
    if (!window.canSend || this.resolving.has(window)) return;
    if (this.awake.size === 0) queueMicrotask(() => this.dispatch());
    this.awake.add(window);
  }

  private dispatch(): void {
    const windows = this.awake;
    this.awake = new Set();
    const touched = new Set<Node>();
    for (const window of windows) {
      const leader = this.cluster.knownLeader(window.topic, window.partition);
      if (leader === undefined || (this.isSequenced && !window.identity)) {
        this.resolving.add(window);
        void this.resolve(window);
        continue;
      }
      const node = this.nodeOf(leader);
      node.ready.add(window);
      touched.add(node);
    }
    for (const node of touched) this.fill(node);
  }

  private get isSequenced(): boolean {
    return this.settings.isIdempotent && this.settings.acks === -1;
  }

  /** Finds leader and identity, then wakes the window again. */
  private async resolve(window: PartitionWindow): Promise<void> {
    let failure: Failure | undefined;
    try {
      const topic = await this.cluster.topic(window.topic, this.settings.canCreateTopics);
      if ((topic.leaders[window.partition] ?? -1) < 0) {
        this.cluster.forget(window.topic);
        const what = `to ${window.topic}/${window.partition}`;
        failure = { kind: 'again', error: clientErrors.notReady({ api: 'Produce', what, error: 'no leader' }) };
      } else if (this.isSequenced) window.identity ??= await this.sharedIdentity(window);
    } catch (error) {
      failure = failureOf(error);
    }
    this.resolving.delete(window);
    if (!failure) this.wake(window);
    else if (window.refused(failure)) this.retry(window);
  }

  /** One identity for all windows, until one of them has to renew its own. */
  private sharedIdentity(window: PartitionWindow): Promise<Identity> {
    if (this.identity && !window.needsNewId) return this.identity;
    window.needsNewId = false;
    const made = this.newIdentity();
    this.identity = made;
    made.catch(() => {
      if (this.identity === made) this.identity = undefined;
    });
    return made;
  }

  private async newIdentity(): Promise<Identity> {
    const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
    const { errorCode: code, producerEpoch, producerId } = await this.cluster.ask(apis.initProducerId, request);
    if (code !== 0) throw brokerError('InitProducerId', 'for an idempotent producer', code);
    return { id: producerId, epoch: producerEpoch };
  }

  private nodeOf(id: number): Node {
    let node = this.nodes.get(id);
    if (!node) {
      node = { id, ready: new Set(), requests: 0 };
      this.nodes.set(id, node);
    }
    return node;
  }

  private fill(node: Node): void {
    while (node.ready.size > 0 && node.requests < REQUESTS_MAX) {
      const carried = this.collect(node);
      if (carried.length > 0) void this.send(node, carried);
    }
  }

  /** A batch of each ready window, up to the size of a request. Windows that have more go behind the others. */
  private collect(node: Node): Carried[] {
    const carried: Carried[] = [];
    let bytes = 0;
    for (const window of [...node.ready]) {
      node.ready.delete(window);
      const batch = window.next();
      if (!batch) continue;
      carried.push({ window, batch });
      if (window.canSend) node.ready.add(window);
      bytes += batch.bytes.length;
      if (bytes >= this.settings.requestBytesMax) break;
    }
    return carried;
  }

  private async send(node: Node, carried: readonly Carried[]): Promise<void> {
    node.requests++;
    let judge: (entry: Carried) => Failure | undefined;
    try {
      const isSilent = this.settings.acks === 0;
      const { requestTimeoutMs } = this.cluster.settings;
      const timeoutMs = Math.max(requestTimeoutMs, this.settings.acknowledgeTimeoutMs + GRACE_MS);
      const connection = await this.cluster.node(node.id);
      const answer = await connection.request(apis.produce, this.requestOf(carried), { isSilent, timeoutMs });
      judge = isSilent ? () => undefined : judgeBy(answer, id => this.cluster.topicName(id));
    } catch (error) {
      const failure = failureOf(error);
      judge = () => failure;
    }
    node.requests--;
    for (const entry of carried) this.answered(entry, judge(entry));
    this.fill(node);
  }

  private requestOf(carried: readonly Carried[]): ProduceRequestInput {
    const topics = new Map<string, { index: number; records: Uint8Array }[]>();
    for (const { batch, window } of carried) {
      batch.seal(window.identity);
      const entry = { index: window.partition, records: batch.bytes };
      const partitions = topics.get(window.topic);
      if (partitions) partitions.push(entry);
      else topics.set(window.topic, [entry]);
    }
    return {
      acks: this.settings.acks,
      timeoutMs: this.settings.acknowledgeTimeoutMs,
      topicData: Array.from(topics, ([name, partitionData]) => ({
        name,
        topicId: this.cluster.topicId(name),
        partitionData,
      })),
    };
  }

  private answered({ batch, window }: Carried, failure: Failure | undefined): void {
    const what = `producing to ${window.topic}/${window.partition}`;
    if (failure) {
      this.cluster.forget(window.topic);
      if (window.failedTries > 0) this.cluster.troubled(what, failure.error);
    } else this.cluster.calmed(what);
    if (window.answered(batch, failure)) this.retry(window);
    else this.wake(window);
  }

  /** Nothing of the window is under way, and something failed. */
  private retry(window: PartitionWindow): void {
    if (!window.recover(this.deadlineMs, (batch, reason) => this.late(window, batch, reason))) return;
    this.retries++;
    this.settings.onRetry?.(window.waitingRecords);
    window.isPaused = true;
    void this.cluster.backoff(Math.max(0, window.failedTries - 1)).then(() => {
      window.isPaused = false;
      this.wake(window);
    });
  }

  /** Batches born before are given up. */
  private get deadlineMs(): number {
    return this.io.clock.monotonic() - this.settings.deliveryTimeoutMs;
  }

  private late({ partition, topic }: PartitionWindow, { recordCount }: ProducedBatch, reason: string): Error {
    const { deliveryTimeoutMs: ms } = this.settings;
    return clientErrors.deliveryTimeout({ records: recordCount, topic, partition, ms, reason });
  }

  /** Also gives up what could not even be tried in its time; what is under way is judged by its answer. */
  private watch(window: PartitionWindow, bornMs: number): void {
    const leftMs = Math.max(1, bornMs - this.deadlineMs);
    const check = (): void => {
      if (window.isIdle) window.giveUp(this.deadlineMs, batch => this.late(window, batch, window.lastReason));
      const oldest = window.oldestMs;
      if (oldest === undefined) this.watched.delete(window);
      else this.watch(window, Math.max(oldest, this.deadlineMs + CHECK_MS));
    };
    this.io.clock.after(leftMs, check, { background: true });
  }
}

/** What an answer says of each batch. Newer versions name topics by id alone. */
function judgeBy(
  answer: ProduceResponse,
  nameOf: (topicId: string) => string | undefined,
): (entry: Carried) => Failure | undefined {
  const codes = new Map<string, number>();
  for (const { name, partitionResponses, topicId } of answer.responses) {
    const topic = name === '' ? nameOf(topicId) : name;
    for (const { errorCode: code, index } of partitionResponses) codes.set(`${topic}\n${index}`, code);
  }
  return ({ window }) => {
    const code = codes.get(`${window.topic}\n${window.partition}`);
    if (code === 0 || code === errorCode('DUPLICATE_SEQUENCE_NUMBER')) return undefined;
    const what = `to ${window.topic}/${window.partition}`;
    if (code === undefined) {
      return { kind: 'again', error: clientErrors.notReady({ api: 'Produce', what, error: 'left out of the answer' }) };
    }
    const kind = KINDS[errorName(code)] ?? (isRetriable(code) ? 'again' : 'fatal');
    return { kind, error: brokerError('Produce', what, code) };
  };
}

function failureOf(error: unknown): Failure {
  return { kind: canPass(error) ? 'again' : 'fatal', error: error instanceof Error ? error : new Error(String(error)) };
}
