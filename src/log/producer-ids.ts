/**
 * Ids of idempotent producers, given out from blocks.
 *
 *   table `producer-ids`   key `end`   value: end of the block that was taken last
 *
 * Invariants
 * I1 a block is durable before its first id is given out: no id is given out twice, whatever stops in between.
 */
import type { StateChange, StateTables } from './state-tables.ts';

const TABLE = 'producer-ids';
const BLOCK = 1_000;

export class ProducerIds {
  private readonly change: (states: readonly StateChange[]) => Promise<void>;
  private next = 0;
  private end = 0;
  private taking: Promise<void> | undefined;

  constructor(change: (states: readonly StateChange[]) => Promise<void>) {
    this.change = change;
  }

  restore(states: StateTables): void {
    const stored = states.get(TABLE, 'end');
    this.end = stored ? Number(Buffer.from(stored).toString()) : 0;
    this.next = this.end;
  }

  async take(): Promise<number> {
    while (this.next >= this.end) {
      this.taking ??= this.takeBlock();
      await this.taking;
    }
    return this.next++;
  }

  private async takeBlock(): Promise<void> {
    const start = this.end;
    const end = start + BLOCK;
    try {
      await this.change([{ table: TABLE, key: 'end', value: Buffer.from(String(end)) }]);
      this.next = start;
      this.end = end;
    } finally {
      this.taking = undefined;
    }
  }
}
