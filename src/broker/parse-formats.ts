/**
 * How the values of a Logstore were meant when they were written: as text, or as JSON that the index takes apart (a producer
 * said so by writing to `NAME.json`). Records are stored as they came, so this is kept beside them, for whoever indexes them.
 *
 *   table `parse-formats`   key [partition number, offset]   value `json` or `text`: from this offset on, up to the next mark
 *
 * Without a mark values are text. A record's own header `data-parse-format` says more than any mark.
 *
 * Invariants
 * I1 a mark is durable together with the first batch that it is for.
 * I2 a partition has a mark where the format changes, not for every batch; marks below its log start but the last go with the
 *    next one that is made.
 */
import type { Log, Partition, StateChange } from '../log/index.ts';

export type ParseFormat = 'text' | 'json';

interface Mark {
  readonly offset: number;
  readonly format: ParseFormat;
}

const TABLE = 'parse-formats';

export class ParseFormats {
  /** By partition number, offsets rising; what is on its way to be durable among them. */
  private readonly marks = new Map<number, Mark[]>();

  constructor(log: Log) {
    const live = new Set<number>();
    for (const topic of log.topics()) for (const { id } of topic.partitions) live.add(id);
    const stale: StateChange[] = [];
    for (const [key, value] of log.states.entries(TABLE)) {
      const [id, offset] = JSON.parse(key) as [number, number];
      if (live.has(id)) this.marksOf(id).push({ offset, format: Buffer.from(value).toString() as ParseFormat });
      else stale.push({ table: TABLE, key, value: undefined });
    }
    for (const marks of this.marks.values()) marks.sort((a, b) => a.offset - b.offset);
    // Marks of partitions that are gone; what cannot be deleted now is at the next start.
    if (stale.length > 0) log.change(stale).catch(() => undefined);
  }

  formatAt(partition: Partition, offset: number): ParseFormat {
    return this.marks.get(partition.id)?.findLast(mark => mark.offset <= offset)?.format ?? 'text';
  }

  /** The state changes that go with a batch of this format; undefined when there is nothing to be marked. */
  changesFor(
    partition: Partition,
    format: ParseFormat,
  ): { at(baseOffset: number): readonly StateChange[]; failed(): void } | undefined {
    const marks = this.marks.get(partition.id);
    if ((marks?.at(-1)?.format ?? 'text') === format) return undefined;
    let made: Mark | undefined;
    return {
      at: baseOffset => {
        made = { offset: baseOffset, format };
        const all = this.marksOf(partition.id);
        all.push(made);
        const changes: StateChange[] = [change(partition.id, made)];
        while (all.length > 1 && all[1]!.offset <= partition.startOffset)
          changes.push({ ...change(partition.id, all.shift()!), value: undefined });
        return changes;
      },
      failed: () => {
        const all = this.marksOf(partition.id);
        const at = made ? all.indexOf(made) : -1;
        if (at >= 0) all.splice(at, 1);
      },
    };
  }

  private marksOf(id: number): Mark[] {
    let marks = this.marks.get(id);
    if (!marks) {
      marks = [];
      this.marks.set(id, marks);
    }
    return marks;
  }
}

function change(id: number, { format, offset }: Mark): StateChange {
  return { table: TABLE, key: JSON.stringify([id, offset]), value: Buffer.from(format) };
}
