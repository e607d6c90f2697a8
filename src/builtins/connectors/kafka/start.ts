/**
 * Where reading a partition begins.
 *
 *   stored, with states          the checkpoint's position: the states belong to it; else as below
 *   stored                       the group's committed offset; else the checkpoint's position; else `auto.offset.reset`
 *   anything else                the checkpoint's position; else what was asked for
 *
 * A position that the partition does not have any more is moved by `auto.offset.reset`; records that are gone are counted.
 */
import type { ClientSettings } from '../../../client/index.ts';
import type { StageContext } from '../../../sdk/index.ts';
import type { StartOffset } from './arguments.ts';
import { kafkaNotices } from './errors.ts';

export type ResetPolicy = ClientSettings['consumer']['reset'];

export interface Partition {
  readonly topic: string;
  readonly partition: number;
  /** Committed by the group. */
  readonly committed: number | undefined;
  /** Of the last checkpoint. */
  readonly saved: number | undefined;
  /** It was made after reading had begun: everything in it is new. */
  readonly isNew: boolean;
}

/** What is known about a partition when it is asked; `time` gives the end where nothing is that new. */
export interface Bounds {
  start(): Promise<number>;
  end(): Promise<number>;
  time(ms: number): Promise<number>;
}

export interface Beginning {
  readonly offset: number;
  /** Records behind the position that was wanted which are gone. */
  readonly overtaken: number;
  /** The position was moved: why, as the end of a sentence. */
  readonly moved: string | undefined;
}

export async function beginningOf(
  partition: Partition,
  start: StartOffset,
  reset: ResetPolicy,
  keepsState: boolean,
  bounds: Bounds,
): Promise<Beginning> {
  const [low, high] = [await bounds.start(), await bounds.end()];
  const position = resumed(partition, start, keepsState);
  const wanted = position ?? (partition.isNew ? low : await asked(start, low, high, bounds));
  if (wanted === undefined) return { offset: resetTo(partition, reset, low, high), overtaken: 0, moved: undefined };
  if (wanted >= low && wanted <= high) return { offset: wanted, overtaken: 0, moved: undefined };
  const offset = resetTo(partition, reset, low, high);
  const overtaken = position !== undefined && wanted < low ? low - wanted : 0;
  const moved = wanted < low ? `offset ${wanted} is gone` : `offset ${wanted} is beyond the end`;
  return { offset, overtaken, moved };
}

function resumed({ committed, saved }: Partition, start: StartOffset, keepsState: boolean): number | undefined {
  if (start.kind !== 'stored') return saved;
  return keepsState ? (saved ?? committed) : (committed ?? saved);
}

async function asked(start: StartOffset, low: number, high: number, bounds: Bounds): Promise<number | undefined> {
  switch (start.kind) {
    case 'stored':
      return undefined;
    case 'beginning':
      return low;
    case 'end':
      return high;
    case 'absolute':
      return start.offset;
    case 'from_end':
      return Math.max(low, high - start.offset);
    case 'time':
      return bounds.time(start.ms);
  }
}

function resetTo({ partition, topic }: Partition, reset: ResetPolicy, low: number, high: number): number {
  if (reset === 'error')
    throw new Error(`${topic}/${partition} has no offset to begin with, and \`auto.offset.reset\` is \`error\``);
  return reset === 'latest' ? high : low;
}

/** A position that was moved is told, and what is gone is counted. */
export function tellOfMove(context: StageContext, topic: string, partition: number, beginning: Beginning): void {
  const { moved, offset, overtaken } = beginning;
  if (overtaken > 0) context.count('overtaken', overtaken);
  const lost = overtaken > 0 ? `: ${overtaken} records were removed before they could be read` : '';
  context.warn({
    code: kafkaNotices.moved,
    message: `${topic}/${partition} goes on at ${offset}, because ${moved}${lost}`,
    span: context.span,
    ...(overtaken > 0 && { hints: ['raise the retention of the topic, or find out what kept the pipeline back'] }),
  });
}
