/**
 * What must hold in every simulated run. Every value is unique, so that what is seen anywhere tells which send it came from.
 *
 * Invariants, with the names that the anomalies of logs go by
 * I1 no acknowledged record is lost (lost write, unseen); an idempotent producer's are there once (duplicate).
 * I2 a producer's records stand in a partition in the order in which it sent them (reordering).
 * I3 an offset means one record for ever: whoever reads it, and whenever, sees the same (inconsistent offsets).
 * I4 a group's committed offset never goes back, but by a request of its own that was held up on the way and came late.
 * I5 every record of the input is in every sink, at least once; nothing is in a sink that was not sent.
 * I6 with the faults gone everything settles, and nothing is given up.
 * I7 a reader that goes on past an offset has seen the record there (lost write, gap), unless retention has taken it.
 * I8 what a group has committed, some member has processed before.
 * I9 with everything ended, all memory is given back: slabs, budgets, connections, open files.
 * I10 damage is told of where there is some, and nowhere else.
 * I11 a topic that is made anew under the name of a deleted one holds what was written into it, and nothing of the other.
 */
import type { DeadLetter } from '../../src/sdk/index.ts';
import { INPUT, PARTITIONS } from './run.ts';

/** After a late request so long a committed offset may go back: the disk has to sync it, and may be full. */
const LATE_MS = 5_000;
/** Of one invariant. */
const VIOLATIONS_MAX = 5;

interface Poll {
  readonly session: string;
  readonly place: string;
  readonly from: number;
  readonly next: number;
  readonly offsets: ReadonlySet<number>;
}

export class Checks {
  readonly violations: string[] = [];
  /** Bytes of the disk read wrong now, or did a moment ago. */
  isDamaged = false;
  private readonly everSent = new Set<string>();
  private readonly promised = new Set<string>();
  private readonly abandonedBy: string[] = [];
  private readonly seen = new Map<string, string>();
  private readonly polls: Poll[] = [];
  private readonly nextOf = new Map<string, number>();
  /** Where readers went on behind a gap. */
  private readonly jumps: { readonly session: string; readonly place: string; readonly to: number }[] = [];
  private readonly commits = new Map<string, number>();
  private readonly furthest = new Map<string, number>();
  private readonly processedBy = new Map<string, Set<number>>();
  /** Places that members passed without a record: control records. */
  private readonly passed = new Map<string, Set<number>>();
  private readonly contents = new Map<string, Map<number, string>>();
  private readonly taken = new Map<string, Set<string>>();
  private deadLetters = 0;
  private lateMs = Number.NEGATIVE_INFINITY;

  get acknowledgedCount(): number {
    return this.promised.size;
  }

  fail(violation: string): void {
    const invariant = violation.slice(0, violation.indexOf(':'));
    const known = this.violations.filter(other => other.startsWith(`${invariant}:`)).length;
    if (known < VIOLATIONS_MAX) this.violations.push(violation);
  }

  sent(value: string): void {
    this.everSent.add(value);
  }

  acknowledged(value: string): void {
    this.promised.add(value);
  }

  /** The producer was killed: what it sent and nobody acknowledged is there or not. */
  abandoned(producer: string): void {
    this.abandonedBy.push(`${producer}:`);
  }

  /** A record was seen at a place by somebody. */
  read(topic: string, partition: number, offset: number, value: string): void {
    const place = `${topic}/${partition}/${offset}`;
    const before = this.seen.get(place);
    if (before !== undefined && before !== value) this.fail(`I3: ${place} was ${before} and is ${value}`);
    this.seen.set(place, value);
  }

  /** One piece of a reader that reads from the beginning on. */
  polled(
    session: string,
    piece: {
      readonly topic: string;
      readonly partition: number;
      readonly fromOffset: number;
      readonly nextOffset: number;
    },
    records: readonly (readonly [number, string])[],
  ): void {
    const { fromOffset: from, nextOffset: next, partition, topic } = piece;
    const place = `${topic}/${partition}`;
    const key = `${session} ${place}`;
    const expected = this.nextOf.get(key) ?? 0;
    if (from < expected) this.fail(`I7: ${session} went from ${expected} to ${from} in ${place}`);
    if (from > expected) this.jumps.push({ session, place, to: from });
    this.nextOf.set(key, next);
    let last = from - 1;
    for (const [offset, value] of records) {
      if (offset <= last || offset >= next) this.fail(`I7: ${session} got ${offset} behind ${last} in ${place}`);
      last = offset;
      this.read(topic, partition, offset, value);
    }
    this.polls.push({ session, place, from, next, offsets: new Set(records.map(([offset]) => offset)) });
  }

  /** A member of a group has done with what is from one offset to the next. */
  processed(
    group: string,
    partition: number,
    from: number,
    next: number,
    records: readonly (readonly [number, string])[],
  ): void {
    const key = `${group}/${partition}`;
    const done = listed(this.processedBy, key, () => new Set<number>());
    const passed = listed(this.passed, key, () => new Set<number>());
    for (let offset = from; offset < next; offset++) passed.add(offset);
    for (const [offset, value] of records) {
      done.add(offset);
      this.read(INPUT, partition, offset, value);
    }
  }

  /** A request arrived whose sender does not wait for it any more. */
  late(nowMs: number): void {
    this.lateMs = nowMs;
  }

  wasLateSince(ms: number): boolean {
    return this.lateMs >= ms;
  }

  committed(group: string, partition: number, offset: number | undefined, nowMs: number, isWatched: boolean): void {
    const key = `${group}/${partition}`;
    const before = this.commits.get(key) ?? 0;
    const now = offset ?? 0;
    if (now === before) return;
    if (now < before && nowMs - this.lateMs > LATE_MS)
      this.fail(`I4: the committed offset of ${key} went from ${before} back to ${now}`);
    this.commits.set(key, now);
    this.furthest.set(key, Math.max(now, this.furthestCommit(group, partition)));
    if (!isWatched) return;
    const passed = this.passed.get(key);
    let at = before;
    while (at < now && passed?.has(at)) at++;
    if (at < now) this.fail(`I8: ${key} is committed to ${now}, and nobody has processed ${at}`);
  }

  /** However a late request has set it back: a group that is quiet then commits nothing more. */
  furthestCommit(group: string, partition: number): number {
    return this.furthest.get(`${group}/${partition}`) ?? 0;
  }

  /** A sink outside has it, for good. */
  delivered(sink: string, value: string): void {
    listed(this.taken, sink, () => new Set<string>()).add(value);
  }

  letters(list: readonly DeadLetter[]): void {
    this.deadLetters += list.length;
    if (list[0]) this.fail(`I6: ${list.length} events were given up: ${list[0].message}`);
  }

  /** Somebody was refused for good. */
  refusal(error: unknown): void {
    if (!this.isDamaged) this.fail(`I10: refused, and there is no damage: ${String(error)}`);
  }

  /** What is in the topics at the end, from the first offset to the last. */
  final(topic: string, partition: number, offset: number, value: string): void {
    this.read(topic, partition, offset, value);
    listed(this.contents, `${topic}/${partition}`, () => new Map<number, string>()).set(offset, value);
  }

  /** `starts`: the first offset that a place still has, where that is not the first of all. */
  finish(sinks: readonly string[], starts: ReadonlyMap<string, number>): void {
    const counts = new Map<string, number>();
    for (const value of this.valuesOf(INPUT)) counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const value of this.everSent) {
      const count = counts.get(value) ?? 0;
      if (count === 0 && this.promised.has(value)) this.fail(`I1: ${value} was acknowledged and is lost`);
      if (count === 0 && !this.promised.has(value) && !this.isAbandoned(value)) this.fail(`I6: ${value} was given up`);
      if (count > 1 && value.startsWith('i')) this.fail(`I1: ${value} is there ${count} times`);
    }
    for (const value of counts.keys()) if (!this.everSent.has(value)) this.fail(`I1: ${value} was never sent`);
    for (let partition = 0; partition < PARTITIONS; partition++) this.order(partition);
    for (const sink of sinks) this.compare(sink, counts);
    for (const [place, value] of this.seen) {
      const at = place.lastIndexOf('/');
      const [where, offset] = [place.slice(0, at), Number(place.slice(at + 1))];
      const isGone = offset >= (starts.get(where) ?? 0) && this.contents.get(where)?.get(offset) === undefined;
      if (isGone) this.fail(`I3: ${place} was read as ${value} and is gone`);
    }
    for (const { place, session, to } of this.jumps)
      if (to > (starts.get(place) ?? 0)) this.fail(`I7: ${session} jumped to ${to} in ${place}, and nothing had gone`);
    this.passedOver();
  }

  private compare(sink: string, sent: ReadonlyMap<string, number>): void {
    const copies = this.taken.get(sink) ?? new Set(this.valuesOf(sink));
    for (const value of sent.keys()) if (!copies.has(value)) this.fail(`I5: ${value} is not in ${sink}`);
    for (const value of copies) if (!sent.has(value)) this.fail(`I5: ${value} is in ${sink}, from nowhere`);
  }

  private passedOver(): void {
    for (const { from, next, offsets, place, session } of this.polls) {
      const content = this.contents.get(place);
      for (let offset = from; offset < next; offset++)
        if (content?.has(offset) && !offsets.has(offset)) this.fail(`I7: ${session} passed over ${place}/${offset}`);
    }
    for (const [key, passed] of this.passed) {
      const place = `${INPUT}/${key.slice(key.lastIndexOf('/') + 1)}`;
      const done = this.processedBy.get(key);
      for (const offset of this.contents.get(place)?.keys() ?? [])
        if (passed.has(offset) && !done?.has(offset)) this.fail(`I7: ${key} passed over ${offset}`);
    }
  }

  private isAbandoned(value: string): boolean {
    return this.abandonedBy.some(producer => value.startsWith(producer));
  }

  /** Numbers of a producer rise; those of one without sequences may come again. */
  private order(partition: number): void {
    const last = new Map<string, number>();
    const content = [...(this.contents.get(`${INPUT}/${partition}`) ?? [])].sort(([a], [b]) => a - b);
    for (const [, value] of content) {
      const [producer, , text] = value.split(':') as [string, string, string];
      const number = Number(text);
      const before = last.get(producer) ?? -1;
      if (producer.startsWith('i') && number <= before) this.fail(`I2: ${value} stands behind number ${before}`);
      last.set(producer, Math.max(before, number));
    }
  }

  private valuesOf(topic: string): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => [
      ...(this.contents.get(`${topic}/${partition}`)?.values() ?? []),
    ]).flat();
  }
}

function listed<V>(map: Map<string, V>, key: string, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}
