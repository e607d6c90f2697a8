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

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

interface Sums {
  /** What was summed first decides what the sum is; the others are counted apart, so that merging is exact. */
  first: 'number' | 'duration' | null;
  ints: bigint;
  floats: number;
  hasFloat: boolean;
  hasUint: boolean;
  numbers: bigint;
  ns: bigint;
  durations: bigint;
}

const NOTHING: Readonly<Sums> = {
  first: null,
  ints: 0n,
  floats: 0,
  hasFloat: false,
  hasUint: false,
  numbers: 0n,
  ns: 0n,
  durations: 0n,
};

class Total implements Accumulator {
  private readonly sums: Sums;
  private readonly isMean: boolean;
  private readonly warn: (message: string) => void;

  constructor(isMean: boolean, warn: (message: string) => void, sums: Readonly<Sums> = NOTHING) {
    this.isMean = isMean;
    this.warn = warn;
    this.sums = { ...sums };
  }

  update(value: Value): void {
    if (value === null) return;
    const { sums } = this;
    const kind = value instanceof Duration ? 'duration' : 'number';
    if (value instanceof Duration) {
      sums.ns += value.ns;
      sums.durations++;
    } else if (typeof value === 'bigint') {
      sums.ints += value;
      sums.hasUint ||= value > INT_MAX;
      sums.numbers++;
    } else if (typeof value === 'number') {
      sums.floats += value;
      sums.hasFloat = true;
      sums.numbers++;
    } else {
      this.warn(`expected a number or a duration, got \`${typeOf(value)}\``);
      return;
    }
    sums.first ??= kind;
    if (sums.first !== kind) this.warn(`expected a ${sums.first}, got \`${typeOf(value)}\``);
  }

  merge({ sums: more }: Total): void {
    const { sums } = this;
    sums.first ??= more.first;
    sums.ints += more.ints;
    sums.floats += more.floats;
    sums.hasFloat ||= more.hasFloat;
    sums.hasUint ||= more.hasUint;
    sums.numbers += more.numbers;
    sums.ns += more.ns;
    sums.durations += more.durations;
  }

  finish(): Value {
    const { durations, first, floats, hasFloat, hasUint, ints, ns, numbers } = this.sums;
    if (first === null) return null;
    if (first === 'duration') {
      const result = this.isMean ? ns / durations : ns;
      return result >= INT_MIN && result <= INT_MAX ? new Duration(result) : this.overflow('duration');
    }
    if (this.isMean) return (Number(ints) + floats) / Number(numbers);
    if (hasFloat) return Number(ints) + floats;
    return ints >= INT_MIN && ints <= (hasUint ? UINT_MAX : INT_MAX) ? ints : this.overflow('integer');
  }

  encode(): Value {
    return new RecordValue(Object.entries(this.sums) as [keyof Sums, Sums[keyof Sums]][]);
  }

  static decode(isMean: boolean, state: Value, warn: (message: string) => void): Total {
    const saved = state as RecordValue;
    if (saved.has('sum')) return new Total(isMean, warn, earlier(saved));
    const sums = Object.keys(NOTHING).map(name => [name, saved.get(name)]);
    return new Total(isMean, warn, Object.fromEntries(sums) as Sums);
  }

  private overflow(kind: string): null {
    this.warn(`${kind} overflow`);
    return null;
  }
}

/** The state of earlier versions: one sum and one count. */
function earlier(saved: RecordValue): Sums {
  const sum = saved.get('sum') as bigint | number | null;
  const count = saved.get('count') as bigint;
  if (sum === null) return NOTHING;
  if (saved.get('duration') === true) return { ...NOTHING, first: 'duration', ns: sum as bigint, durations: count };
  if (typeof sum === 'bigint') return { ...NOTHING, first: 'number', ints: sum, numbers: count };
  return { ...NOTHING, first: 'number', floats: sum, hasFloat: true, numbers: count };
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

const ORDERED: ReadonlySet<string> = new Set(['number', 'string', 'bool', 'time', 'duration', 'ip', 'subnet', 'blob']);

/** Values of one class have a common order. */
function classOf(value: Value): string {
  return typeof value === 'bigint' || typeof value === 'number' ? 'number' : typeOf(value);
}

/** The extreme of each class; the class of the first value is the one that is asked for, so that merging is exact. */
class Extreme implements Accumulator {
  private readonly best: Map<string, Value>;
  private readonly sign: 1 | -1;
  private readonly warn: (message: string) => void;

  constructor(sign: 1 | -1, warn: (message: string) => void, best = new Map<string, Value>()) {
    this.sign = sign;
    this.warn = warn;
    this.best = best;
  }

  update(value: Value): void {
    if (value === null) return;
    const kind = classOf(value);
    if (!ORDERED.has(kind)) {
      this.warn(`\`${kind}\` has no order`);
      return;
    }
    const [first] = this.best;
    if (first && first[0] !== kind) this.warn(`cannot compare \`${typeOf(value)}\` with \`${typeOf(first[1])}\``);
    const before = this.best.get(kind);
    if (before === undefined || this.isBetter(value, before)) this.best.set(kind, value);
  }

  merge(other: Extreme): void {
    for (const value of other.best.values()) this.update(value);
  }

  finish(): Value {
    const [first] = this.best.values();
    return first ?? null;
  }

  encode(): Value {
    return [...this.best.values()];
  }

  /** Any number is better than NaN; of equal values the first stays. */
  private isBetter(value: Value, before: Value): boolean {
    const isNan = Number.isNaN(value);
    if (isNan || Number.isNaN(before)) return !isNan;
    return compare(value, before)! * this.sign > 0;
  }

  static decode(sign: 1 | -1, state: Value, warn: (message: string) => void): Extreme {
    // Earlier versions kept the one value.
    const values = (Array.isArray(state) ? state : state === null ? [] : [state]) as readonly Value[];
    return new Extreme(sign, warn, new Map(values.map(value => [classOf(value), value])));
  }
}

function extreme(name: string, sign: 1 | -1, summary: string, out: string): AggregateDefinition {
  return defineAggregate({
    name,
    summary,
    examples: [{ tql: `[1, 3, 2].${name}()`, out }],
    create: warn => new Extreme(sign, warn),
    decode: (state, warn) => Extreme.decode(sign, state, warn),
  });
}

export const aggregates: readonly AggregateDefinition[] = [
  count,
  total('sum', false, 'Sum of the values.', '3'),
  total('mean', true, 'Mean of the values.', '1.5'),
  extreme('min', -1, 'The smallest value.', '1'),
  extreme('max', 1, 'The largest value.', '3'),
];
