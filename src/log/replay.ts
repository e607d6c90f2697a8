/**
 * What a start takes over from the newest file: states at once, and for each partition number how far it had come and what
 * it knew of producers. Partitions are made from the states when all are known, and get theirs then.
 */
import { decodeCheckpoint } from './checkpoint.ts';
import { type History, NO_HISTORY } from './file-index.ts';
import type { TableCursor } from './frame-table.ts';
import type { Partition } from './partition.ts';
import { ProducerStates } from './producer-state.ts';
import type { StateTables } from './state-tables.ts';

export class Replay {
  private readonly states: StateTables;
  private readonly nowMs: number;
  private readonly histories = new Map<number, { -readonly [K in keyof History]: History[K] }>();
  private readonly producers = new Map<number, ProducerStates>();

  constructor(states: StateTables, nowMs: number) {
    this.states = states;
    this.nowMs = nowMs;
  }

  visit(entry: TableCursor): void {
    if (entry.kind === 'append') this.append(entry);
    else if (entry.kind === 'state') this.states.apply(entry.change);
    else {
      for (const { history, id, producers } of decodeCheckpoint(entry.checkpoint)) {
        this.histories.set(id, { ...history });
        for (const producer of producers) this.producersOf(id).restore(producer, this.nowMs);
      }
    }
  }

  restore(partitions: Iterable<Partition>): void {
    for (const partition of partitions) {
      const history = this.histories.get(partition.id);
      if (history) partition.restore(history, this.producers.get(partition.id));
    }
  }

  private append(entry: TableCursor): void {
    const { baseOffset, lastOffset, partitionId, producerId, time } = entry;
    let history = this.histories.get(partitionId);
    if (!history) {
      history = { ...NO_HISTORY };
      this.histories.set(partitionId, history);
    }
    history.end = lastOffset + 1;
    history.bytes += entry.length;
    if (time > history.newest) history.newest = time;
    if (producerId < 0) return;
    const { baseSequence, producerEpoch } = entry;
    const recordCount = lastOffset - baseOffset + 1;
    const batch = { producerId, producerEpoch, baseSequence, recordCount, baseOffset, maxTimestamp: time };
    this.producersOf(partitionId).add(batch, this.nowMs, undefined);
  }

  private producersOf(id: number): ProducerStates {
    let known = this.producers.get(id);
    if (!known) {
      known = new ProducerStates();
      this.producers.set(id, known);
    }
    return known;
  }
}
