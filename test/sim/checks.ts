/**
 * What must hold in every simulated run.
 *
 * Invariants
 * I1 no acknowledged record is lost; an idempotent producer's are there once.
 * I2 a producer's records stand in a partition in the order in which it sent them.
 * I3 an offset means one record for ever: whoever reads it sees the same.
 * I4 a group's committed offset never goes back.
 * I5 every record of the input is in the output, at least once; nothing is in the output that was not sent.
 * I6 with the faults gone everything settles, and nothing is given up.
 */
import type { DeadLetter } from '../../src/sdk/index.ts';
import { INPUT, OUTPUT, PARTITIONS } from './scenario.ts';

export class Checks {
  readonly violations: string[] = [];
  private readonly everSent = new Set<string>();
  private readonly promised = new Set<string>();
  private readonly seen = new Map<string, string>();
  private readonly contents = new Map<string, string[]>();
  private readonly commits = new Map<number, number>();
  private deadLetters = 0;

  get acknowledgedCount(): number {
    return this.promised.size;
  }

  get copiedCount(): number {
    return this.valuesOf(OUTPUT).length;
  }

  fail(violation: string): void {
    if (this.violations.length < 20) this.violations.push(violation);
  }

  sent(value: string): void {
    this.everSent.add(value);
  }

  acknowledged(value: string): void {
    this.promised.add(value);
  }

  read(topic: string, partition: number, offset: number, value: string): void {
    const place = `${topic}/${partition}/${offset}`;
    const before = this.seen.get(place);
    if (before !== undefined && before !== value) this.fail(`I3: ${place} was ${before} and is ${value}`);
    this.seen.set(place, value);
  }

  committed(partition: number, offset: number | undefined): void {
    const before = this.commits.get(partition) ?? -1;
    const now = offset ?? -1;
    if (now < before) this.fail(`I4: the committed offset of ${partition} went from ${before} back to ${now}`);
    else this.commits.set(partition, now);
  }

  letters(list: readonly DeadLetter[]): void {
    this.deadLetters += list.length;
  }

  final(topic: string, partition: number, offset: number, value: string): void {
    this.read(topic, partition, offset, value);
    const key = `${topic}/${partition}`;
    const list = this.contents.get(key) ?? [];
    this.contents.set(key, list);
    if (offset !== list.length) this.fail(`I3: ${key} goes on with ${offset} behind ${list.length - 1}`);
    list.push(value);
  }

  finish(isSettled: boolean): void {
    if (!isSettled) this.fail('I6: a producer is not done');
    if (this.deadLetters > 0) this.fail(`I6: the pipeline gave ${this.deadLetters} events up`);
    const input = this.valuesOf(INPUT);
    const counts = new Map<string, number>();
    for (const value of input) counts.set(value, (counts.get(value) ?? 0) + 1);
    for (const value of this.everSent) {
      const count = counts.get(value) ?? 0;
      if (count === 0 && this.promised.has(value)) this.fail(`I1: ${value} was acknowledged and is lost`);
      if (count === 0 && !this.promised.has(value)) this.fail(`I6: ${value} was given up`);
      if (count > 1 && value.startsWith('i')) this.fail(`I1: ${value} is there ${count} times`);
    }
    for (const value of counts.keys()) if (!this.everSent.has(value)) this.fail(`I1: ${value} was never sent`);
    for (let partition = 0; partition < PARTITIONS; partition++) this.order(partition);
    const copies = new Set(this.valuesOf(OUTPUT));
    for (const value of counts.keys()) if (!copies.has(value)) this.fail(`I5: ${value} was not copied`);
    for (const value of copies) if (!counts.has(value)) this.fail(`I5: ${value} was copied from nowhere`);
    for (const [place, value] of this.seen) {
      const [topic, partition, offset] = place.split('/');
      const found = this.contents.get(`${topic}/${partition}`)?.[Number(offset)];
      if (found === undefined) this.fail(`I3: ${place} was read as ${value} and is gone`);
    }
  }

  /** Numbers of a producer rise; those of the plain one may come again. */
  private order(partition: number): void {
    const last = new Map<string, number>();
    for (const value of this.contents.get(`${INPUT}/${partition}`) ?? []) {
      const [producer, , text] = value.split(':') as [string, string, string];
      const number = Number(text);
      const before = last.get(producer) ?? -1;
      if (producer.startsWith('i') && number <= before) this.fail(`I2: ${value} stands behind number ${before}`);
      last.set(producer, Math.max(before, number));
    }
  }

  private valuesOf(topic: string): string[] {
    return Array.from(
      { length: PARTITIONS },
      (_, partition) => this.contents.get(`${topic}/${partition}`) ?? [],
    ).flat();
  }
}
