/** Aggregation functions: count, sum, min, max, mean. Nulls are ignored; exact integers stay exact. */
import { compare, Duration, RecordValue, typeOf, type Value } from '../../data/index.ts';
import { type Accumulator, type AggregateDefinition, defineAggregate } from '../../sdk/index.ts';

class Count implements Accumulator {
  private count: bigint;
  constructor(count: bigint) {
    this.count = count;
  }
  update(): void {
    this.count++;
  }
  merge(other: Count): void {
    this.count += other.count;
  }
  finish(): Value {
    return this.count;
  }
  encode(): Value {
    return this.count;
  }
}

const count = defineAggregate({
  name: 'count',
  summary: 'Number of events, or of values that are not null.',
  isArgumentOptional: true,
  examples: [{ tql: '[1, 2].count()', out: '2' }],
  create: () => new Count(0n),
  decode: state => new Count(state as bigint),
});

type Sum = bigint | number | Duration;

function plus(a: Sum, b: Sum): Sum {
  if (a instanceof Duration || b instanceof Duration) return new Duration((a as Duration).ns + (b as Duration).ns);
  return typeof a === 'bigint' && typeof b === 'bigint' ? a + b : Number(a) + Number(b);
}

class Total implements Accumulator {
  private sum: Sum | null;
  private count: bigint;
  private readonly isMean: boolean;
  private readonly warn: (message: string) => void;

  constructor(isMean: boolean, warn: (message: string) => void, sum: Sum | null = null, counted = 0n) {
    this.isMean = isMean;
    this.warn = warn;
    this.sum = sum;
    this.count = counted;
  }

  update(value: Value): void {
    if (value === null) return;
    const isSummable = typeof value === 'bigint' || typeof value === 'number' || value instanceof Duration;
    const isAlike = this.sum === null || this.sum instanceof Duration === value instanceof Duration;
    if (!isSummable || !isAlike) {
      this.warn(`expected a number or a duration, got \`${typeOf(value)}\``);
      return;
    }
    this.sum = this.sum === null ? value : plus(this.sum, value);
    this.count++;
  }

  merge(other: Total): void {
    if (other.sum !== null) this.sum = this.sum === null ? other.sum : plus(this.sum, other.sum);
    this.count += other.count;
  }

  finish(): Value {
    if (!this.isMean || this.sum === null) return this.sum;
    if (this.sum instanceof Duration) return new Duration(this.sum.ns / this.count);
    return Number(this.sum) / Number(this.count);
  }

  encode(): Value {
    const sum = this.sum instanceof Duration ? this.sum.ns : this.sum;
    return new RecordValue([
      ['sum', sum],
      ['count', this.count],
      ['duration', this.sum instanceof Duration],
    ]);
  }

  static decode(isMean: boolean, state: Value, warn: (message: string) => void): Total {
    const saved = state as RecordValue;
    const sum = saved.get('sum') as bigint | number | null;
    const value = saved.get('duration') === true ? new Duration(sum as bigint) : sum;
    return new Total(isMean, warn, value, saved.get('count') as bigint);
  }
}

function total(name: string, isMean: boolean, summary: string, out: string): AggregateDefinition {
  return defineAggregate({
    name,
    summary,
    examples: [{ tql: `[1, 2, null].${name}()`, out }],
    create: warn => new Total(isMean, warn),
    decode: (state, warn) => Total.decode(isMean, state, warn),
  });
}

class Extreme implements Accumulator {
  private value: Value;
  private readonly sign: 1 | -1;
  private readonly warn: (message: string) => void;

  constructor(sign: 1 | -1, warn: (message: string) => void, value: Value = null) {
    this.sign = sign;
    this.warn = warn;
    this.value = value;
  }

  update(value: Value): void {
    if (value === null) return;
    if (this.value === null) {
      this.value = value;
      return;
    }
    const order = compare(value, this.value);
    if (order === undefined) this.warn(`cannot compare \`${typeOf(value)}\` with \`${typeOf(this.value)}\``);
    else if (order * this.sign > 0) this.value = value;
  }

  merge(other: Extreme): void {
    this.update(other.value);
  }

  finish(): Value {
    return this.value;
  }

  encode(): Value {
    return this.value;
  }
}

function extreme(name: string, sign: 1 | -1, summary: string, out: string): AggregateDefinition {
  return defineAggregate({
    name,
    summary,
    examples: [{ tql: `[1, 3, 2].${name}()`, out }],
    create: warn => new Extreme(sign, warn),
    decode: (state, warn) => new Extreme(sign, warn, state),
  });
}

export const aggregates: readonly AggregateDefinition[] = [
  count,
  total('sum', false, 'Sum of the values.', '3'),
  total('mean', true, 'Mean of the values.', '1.5'),
  extreme('min', -1, 'The smallest value.', '1'),
  extreme('max', 1, 'The largest value.', '3'),
];
