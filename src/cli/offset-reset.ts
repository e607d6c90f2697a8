/** Where a reset puts a group's offsets: the places that a command line can name, and what each comes to for a partition. */
import { BadValue } from './command.ts';

export type ResetTarget =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'shift'; readonly by: number }
  | { readonly kind: 'time'; readonly timeMs: number };

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** -1: nothing is committed. */
  readonly committed: number;
  readonly start: number;
  readonly end: number;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHIFT = /^[+-]\d{1,15}$/;
const OFFSET = /^\d{1,15}$/;
const AGO = /^-(\d{1,9})([smhd])$/;
const DATE = /^\d{4}-\d{2}-\d{2}/;

/** A text as `--to` takes it; `nowMs` is what times of the form `-15m` count from. */
export function resetTarget(text: string, nowMs: number): ResetTarget {
  if (text === 'earliest' || text === 'latest') return { kind: text };
  if (OFFSET.test(text)) return { kind: 'offset', offset: Number(text) };
  if (SHIFT.test(text)) return { kind: 'shift', by: Number(text) };
  const ago = AGO.exec(text);
  if (ago) return { kind: 'time', timeMs: nowMs - Number(ago[1]) * UNITS_MS[ago[2]!]! };
  const timeMs = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs) || timeMs < 0)
    throw new BadValue('must be earliest, latest, an offset, a shift (+100, -100), an age (-15m) or a time (RFC 3339)');
  return { kind: 'time', timeMs };
}

/** `name` for all partitions, `name:0,2` for some. */
export function topicChoice(text: string): { readonly topic: string; readonly partitions: readonly number[] } {
  const [topic, numbers = ''] = text.split(/:(?=[\d,]*$)/);
  if (!topic || !/^(\d{1,9}(,\d{1,9})*)?$/.test(numbers)) throw new BadValue('must be a topic, or topic:0,2');
  return { topic, partitions: numbers === '' ? [] : numbers.split(',').map(Number) };
}

/** The new offset, within what the partition holds. `offsetAt` tells the first offset of a time or later. */
export async function newOffset(
  { committed, end, partition, start, topic }: PartitionState,
  target: ResetTarget,
  offsetAt: (topic: string, partition: number, timeMs: number) => Promise<number>,
): Promise<number> {
  const inside = (offset: number): number => Math.min(Math.max(offset, start), end);
  switch (target.kind) {
    case 'earliest':
      return start;
    case 'latest':
      return end;
    case 'offset':
      return inside(target.offset);
    case 'shift':
      return inside((committed < 0 ? start : committed) + target.by);
    case 'time':
      return inside(await offsetAt(topic, partition, target.timeMs));
    default:
      return target satisfies never;
  }
}
