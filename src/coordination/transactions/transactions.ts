/**
 * Transactions: which producer owns a transactional id, and how its transactions end. No wire formats.
 *
 * A transaction ends in one frame of the journal: markers in all its partitions, the offsets that it commits, and the
 * id's new state. There is no time in which it is half committed, and nothing to be completed after a crash.
 *
 * Invariants
 * I1 of the producers that name an id only the newest may write, add or end: older epochs are fenced in memory before the
 *    new one is told to anybody, and durably before it is.
 * I2 what was added is durable before, or together with, the first batch that relies on it.
 * I3 a transaction that is open for longer than its producer allowed is aborted, and its producer fenced.
 * I4 what a peer can make the coordinator keep is bounded: ids and their length.
 */
import { type Io, MillraceError } from '../../base/index.ts';
import type { Log, Partition, StateChange } from '../../log/index.ts';
import type { OffsetToCommit } from '../offsets.ts';
import { ANSWERS, type TransactionError } from './states.ts';
import {
  type GroupOffset,
  hasNextEpoch,
  isSame,
  type Producer,
  Transaction,
  TRANSACTIONS,
  transactionKey,
} from './transaction.ts';

export interface TransactionSettings {
  /** Longest time that a producer may ask for (Kafka's `transaction.max.timeout.ms`). */
  readonly transactionTimeoutMaxMs: number;
  /** An id that nobody used for so long is forgotten (Kafka's `transactional.id.expiration.ms`). */
  readonly transactionalIdExpiryMs: number;
  readonly transactionalIdsMax: number;
  readonly transactionalIdCharsMax: number;
}

export const TRANSACTION_DEFAULTS: TransactionSettings = {
  transactionTimeoutMaxMs: 900_000,
  transactionalIdExpiryMs: 604_800_000,
  transactionalIdsMax: 100_000,
  transactionalIdCharsMax: 1_000,
};

const CHECK_MS = 10_000;
const NOBODY: Producer = { producerId: -1, producerEpoch: -1 };

export interface TransactionHost {
  /** Committed offsets of a group, for who makes the states durable and says so. */
  storing(
    namespace: string,
    groupId: string,
    offsets: readonly OffsetToCommit[],
  ): { readonly states: readonly StateChange[]; readonly applied: () => void };
}

export interface Initialised extends Producer {
  readonly error: TransactionError;
}

/** Whose transaction is meant. */
export interface TransactionOf extends Producer {
  readonly namespace: string;
  readonly id: string;
}

/** What a batch brings into its frame. */
export interface Adding {
  readonly states: readonly StateChange[];
  /** The frame is durable. */
  synced(): void;
}

const NOTHING_TO_ADD: Adding = { states: [], synced: () => undefined };

export class Transactions {
  readonly settings: TransactionSettings;
  private readonly io: Io;
  private readonly log: Log;
  private readonly host: TransactionHost;
  private readonly known = new Map<string, Transaction>();
  /** Those that commit offsets when they end: few of all that are known, and asked for with every OffsetFetch. */
  private readonly withOffsets = new Set<Transaction>();

  constructor(io: Io, log: Log, host: TransactionHost, settings: TransactionSettings) {
    this.io = io;
    this.log = log;
    this.host = host;
    this.settings = settings;
    const tick = io.clock.monotonic();
    for (const [key, value] of log.states.entries(TRANSACTIONS)) {
      const transaction = Transaction.restore(key, value, tick);
      this.known.set(key, transaction);
      if (transaction.offsets.size > 0) this.withOffsets.add(transaction);
    }
    this.checkLater();
  }

  find(namespace: string, id: string): Transaction | undefined {
    return this.known.get(transactionKey(namespace, id));
  }

  list(namespace: string): Transaction[] {
    return [...this.known.values()].filter(transaction => transaction.namespace === namespace);
  }

  /**
   * Makes the caller the producer of the id: earlier ones are fenced, what they left open is aborted. `current` is what the
   * caller takes itself for, where it says so.
   */
  async initialise(namespace: string, id: string, timeoutMs: number, current: Producer = NOBODY): Promise<Initialised> {
    const failed = (error: TransactionError): Initialised => ({ error, ...NOBODY });
    if (id === '' || id.length > this.settings.transactionalIdCharsMax) return failed('INVALID_REQUEST');
    if (timeoutMs <= 0 || timeoutMs > this.settings.transactionTimeoutMaxMs)
      return failed('INVALID_TRANSACTION_TIMEOUT');
    try {
      let transaction = this.find(namespace, id) ?? (await this.open(namespace, id, timeoutMs));
      if (!transaction) return failed('COORDINATOR_NOT_AVAILABLE');
      while (transaction.flight) await transaction.flight;
      const { before, producer } = transaction;
      if (current.producerId >= 0 && !isSame(producer, current)) {
        // The answer to the same request was lost.
        if (isSame(before, current) && transaction.state === 'empty') return { error: 'NONE', ...producer };
        if (producer.producerEpoch >= 0) return failed('PRODUCER_FENCED');
      }
      // Only who says what it has can ask for the same again.
      const known = current.producerId >= 0 ? producer : undefined;
      if (transaction.isOpen) {
        const error = await this.end(transaction, false, true);
        if (error !== 'NONE') return failed(error);
        transaction = this.find(namespace, id);
        if (!transaction) return failed('COORDINATOR_NOT_AVAILABLE');
        // The abort has raised the epoch.
        if (!transaction.flight && !transaction.isOpen) {
          return await this.begin(transaction, timeoutMs, transaction.producer, known);
        }
        return failed('CONCURRENT_TRANSACTIONS');
      }
      const next = await this.nextOf(producer);
      if (transaction.flight || transaction.isOpen) return failed('CONCURRENT_TRANSACTIONS');
      return await this.begin(transaction, timeoutMs, next, known);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return failed('COORDINATOR_NOT_AVAILABLE');
    }
  }

  /** Makes partitions part of the transaction; durable when it resolves. */
  addPartitions(
    of: TransactionOf,
    places: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<TransactionError> {
    return this.add(of, transaction => {
      for (const { partition, topic } of places) transaction.addPartition(topic, partition);
      return isDurable => {
        if (isDurable) for (const { partition, topic } of places) transaction.synced(topic, partition);
      };
    });
  }

  /** Makes a group part of the transaction, so that offsets can be committed with it. */
  addGroup(of: TransactionOf, groupId: string): Promise<TransactionError> {
    return this.add(of, transaction => {
      transaction.groups.add(groupId);
      return () => undefined;
    });
  }

  /** Keeps offsets until the transaction ends. `isImplicit` makes the group part of it. */
  addOffsets(
    of: TransactionOf,
    groupId: string,
    offsets: readonly OffsetToCommit[],
    isImplicit: boolean,
  ): Promise<TransactionError> {
    const known = this.find(of.namespace, of.id);
    const isPart = known?.isOpen === true && known.groups.has(groupId);
    const error = this.errorOf(of, known);
    if (error === 'NONE' && !isImplicit && !isPart) return Promise.resolve('INVALID_TXN_STATE');
    return this.add(of, transaction => {
      transaction.groups.add(groupId);
      const undo = offsets.map(offset => transaction.addOffset({ ...offset, groupId }));
      this.withOffsets.add(transaction);
      // What was refused is not committed by a later end.
      return isDurable => {
        if (!isDurable) for (const take of undo) take();
      };
    });
  }

  /** Whether the partition is part of the producer's transaction. */
  verify(of: TransactionOf, topic: string, partition: number): TransactionError {
    const transaction = this.find(of.namespace, of.id);
    const error = this.errorOf(of, transaction);
    if (error !== 'NONE') return error;
    return transaction!.isOpen && transaction!.has(topic, partition) ? 'NONE' : 'INVALID_TXN_STATE';
  }

  /**
   * What a batch has to bring with it into its frame: the row that makes the partition part of the transaction, until that is
   * known to be durable. Without `isImplicit` only a partition that was added before is let through.
   */
  addingByBatch(of: TransactionOf, topic: string, partition: number, isImplicit: boolean): TransactionError | Adding {
    const transaction = this.find(of.namespace, of.id);
    const error = this.errorOf(of, transaction);
    if (error !== 'NONE') return error;
    const isPart = transaction!.isOpen && transaction!.has(topic, partition);
    if (!isPart && !isImplicit) return 'INVALID_TXN_STATE';
    if (isPart && transaction!.isSynced(topic, partition)) return NOTHING_TO_ADD;
    transaction!.added(this.io.clock.now(), this.io.clock.monotonic());
    transaction!.addPartition(topic, partition);
    return { states: [transaction!.row()], synced: () => transaction!.synced(topic, partition) };
  }

  /** Ends the transaction. `raisesEpoch`: the producer's next one has an epoch of its own, which is the answer. */
  async endOf(of: TransactionOf, isCommit: boolean, raisesEpoch: boolean): Promise<Initialised> {
    const transaction = this.find(of.namespace, of.id);
    const failed = (error: TransactionError): Initialised => ({ error, ...NOBODY });
    if (!transaction) return failed('INVALID_PRODUCER_ID_MAPPING');
    const { ended } = transaction;
    if (raisesEpoch && !transaction.isOpen && isSame(ended, of)) {
      const isRepetition = ended!.isCommit === isCommit && !isSame(transaction.producer, of);
      if (isRepetition) return { error: 'NONE', ...transaction.producer };
    }
    const error = this.producerError(of, transaction);
    if (error !== 'NONE') return failed(error);
    let answer = ANSWERS[transaction.state][isCommit ? 'commit' : 'abort'];
    // With an epoch for each transaction, an abort of nothing is the producer's way to a new one.
    const isOver = transaction.state !== 'committing' && transaction.state !== 'aborting';
    if (raisesEpoch && !isCommit && isOver) answer = 'end';
    if (answer === 'repeated') return { error: 'NONE', ...transaction.producer };
    if (answer !== 'end') return failed(answer);
    if (transaction.flight) return failed('CONCURRENT_TRANSACTIONS');
    const result = await this.end(transaction, isCommit, raisesEpoch);
    return result === 'NONE' ? { error: 'NONE', ...transaction.producer } : failed(result);
  }

  /** True while a transaction that is open, or about to end, commits another offset for the place. */
  isPending(namespace: string, groupId: string, topic: string, partition: number): boolean {
    const key = JSON.stringify([groupId, topic, partition]);
    for (const transaction of this.withOffsets) {
      if (transaction.namespace === namespace && transaction.offsets.has(key)) return true;
    }
    return false;
  }

  /** `change` gives what is called when it is decided whether it is durable. */
  private async add(
    of: TransactionOf,
    change: (transaction: Transaction) => (isDurable: boolean) => void,
  ): Promise<TransactionError> {
    const transaction = this.find(of.namespace, of.id);
    const error = this.errorOf(of, transaction);
    if (error !== 'NONE') return error;
    transaction!.added(this.io.clock.now(), this.io.clock.monotonic());
    const decided = change(transaction!);
    const result = await this.durable(() => this.log.change([transaction!.row()]));
    decided(result === 'NONE');
    return result;
  }

  private errorOf(of: TransactionOf, transaction: Transaction | undefined): TransactionError {
    if (!transaction) return 'INVALID_PRODUCER_ID_MAPPING';
    const error = this.producerError(of, transaction);
    return error === 'NONE' ? ANSWERS[transaction.state].add : error;
  }

  private producerError({ producerEpoch, producerId }: Producer, { producer }: Transaction): TransactionError {
    if (producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING';
    return producerEpoch === producer.producerEpoch ? 'NONE' : 'PRODUCER_FENCED';
  }

  private async open(namespace: string, id: string, timeoutMs: number): Promise<Transaction | undefined> {
    const producerId = await this.log.newProducerId();
    const other = this.find(namespace, id);
    if (other) return other;
    if (this.known.size >= this.settings.transactionalIdsMax) return undefined;
    const producer = { producerId, producerEpoch: -1 };
    const transaction = new Transaction(namespace, id, producer, timeoutMs, this.io.clock.now());
    this.known.set(transactionKey(namespace, id), transaction);
    return transaction;
  }

  private async begin(
    transaction: Transaction,
    timeoutMs: number,
    producer: Producer,
    before: Producer | undefined,
  ): Promise<Initialised> {
    transaction.step('initialised');
    transaction.producer = producer;
    transaction.before = before;
    transaction.ended = undefined;
    transaction.timeoutMs = timeoutMs;
    transaction.updatedMs = this.io.clock.now();
    const error = await this.durable(() => this.log.change([transaction.row()]));
    return error === 'NONE' ? { error, ...producer } : { error, ...NOBODY };
  }

  private async nextOf(producer: Producer): Promise<Producer> {
    const { producerEpoch, producerId } = producer;
    return hasNextEpoch(producer)
      ? { producerId, producerEpoch: producerEpoch + 1 }
      : { producerId: await this.log.newProducerId(), producerEpoch: 0 };
  }

  /** Of a transaction whose state lets it; nothing else is done with it meanwhile. */
  private end(transaction: Transaction, isCommit: boolean, raisesEpoch: boolean): Promise<TransactionError> {
    const isOpen = transaction.isOpen;
    if (isOpen) transaction.step(isCommit ? 'commit' : 'abort');
    const run = async (): Promise<TransactionError> => {
      const error = await this.durable(async () => {
        const { producer } = transaction;
        const next = raisesEpoch ? await this.nextOf(producer) : producer;
        await this.writeEnd(transaction, isCommit, next);
        transaction.producer = next;
        transaction.ended = { ...producer, isCommit };
        transaction.before = undefined;
        transaction.clear();
        this.withOffsets.delete(transaction);
      });
      if (isOpen) transaction.step(error === 'NONE' ? 'ended' : 'failed');
      transaction.flight = undefined;
      return error;
    };
    const ending = run();
    transaction.flight = ending.then(() => undefined);
    return ending;
  }

  private async writeEnd(transaction: Transaction, isCommit: boolean, next: Producer): Promise<void> {
    const { namespace, producer } = transaction;
    const now = this.io.clock.now();
    const topicOf = (name: string): { readonly partitions: readonly Partition[] } | undefined =>
      this.log.topic(namespace, name);
    const partitions = [...transaction.partitions.values()].flatMap(({ partition, topic }) => {
      const found = topicOf(topic)?.partitions[partition];
      return found ? [found] : [];
    });
    const offsets = isCommit ? [...transaction.offsets.values()].filter(({ topic }) => topicOf(topic)) : [];
    const stores = byGroup(offsets).map(([groupId, list]) => this.host.storing(namespace, groupId, list));
    const states = stores.flatMap(store => store.states);
    const row = transaction.endedRow({ ...producer, isCommit }, next, now);
    await this.log.endTransaction(producer, partitions, isCommit, [row, ...states]);
    for (const { applied } of stores) applied();
    transaction.updatedMs = now;
  }

  private async durable(change: () => Promise<void>): Promise<TransactionError> {
    try {
      await change();
      return 'NONE';
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return 'COORDINATOR_NOT_AVAILABLE';
    }
  }

  private checkLater(): void {
    const check = (): void => {
      void this.check();
      this.checkLater();
    };
    this.io.clock.after(CHECK_MS, check, { background: true });
  }

  /** Aborts what is open for too long, and forgets ids that nobody uses. */
  private async check(): Promise<void> {
    const now = this.io.clock.now();
    const tick = this.io.clock.monotonic();
    for (const transaction of [...this.known.values()]) {
      const { flight, startedTick, state, timeoutMs, updatedMs } = transaction;
      if (flight) continue;
      if (state === 'ongoing') {
        if (tick - startedTick >= timeoutMs) await this.end(transaction, false, true);
      } else if (now - updatedMs > this.settings.transactionalIdExpiryMs) {
        transaction.step('expired');
        this.known.delete(transactionKey(transaction.namespace, transaction.id));
        await this.durable(() => this.log.change([transaction.deletion()]));
      }
    }
  }
}

function byGroup(offsets: readonly GroupOffset[]): [string, OffsetToCommit[]][] {
  const groups = new Map<string, OffsetToCommit[]>();
  for (const { groupId, ...offset } of offsets) {
    const list = groups.get(groupId) ?? [];
    list.push(offset);
    groups.set(groupId, list);
  }
  return [...groups];
}
