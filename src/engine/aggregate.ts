/**
 * `summarize`: groups, their aggregates, and when they are given.
 *
 *   boundary   final: the end of the input · events: each so many events of the whole input · timer: each so many milliseconds
 *              since the first event behind the last boundary (looked at about every 100 ms)
 *   output     summary: a record for each group that got events since the last boundary · trigger: the event that reaches the
 *              boundary, or the last one, with the values of its group · events: all events with the final values of theirs
 *
 * Groups are kept in the order of their first event. The state is the groups with their encoded accumulators, how far the next
 * boundary is, and the events that wait for it, so that a run goes on where its last committed epoch ended.
 *
 * Invariants
 * I1 a final summary without groups is always one record, also without input; all other outputs are empty then.
 * I2 snapshot, restore and the rest of the input give what the whole input gives; a timer begins anew.
 * I3 what would go beyond the limit is refused, as the pipeline's `on_error` says, and changes nothing.
 */
import { assert, type Clock } from '../base/index.ts';
import { decodeValue, encodeValue, EventBatch, keyOf, parseJsonText, RecordValue, type Value } from '../data/index.ts';
import type {
  Accumulator,
  AggregateDefinition,
  Batch,
  Emission,
  Evaluator,
  Node,
  Output,
  Registry,
  RowFailure,
  Transform,
} from '../sdk/index.ts';
import { engineNotices } from './errors.ts';
import type { Compiler } from './expression/compiler.ts';
import { emitAndRelease } from './project.ts';
import type { Maybe } from './receiver.ts';
import { eventsOf } from './simple-stages.ts';

interface Group {
  readonly keys: readonly Value[];
  readonly accumulators: readonly Accumulator[];
  /** It got events since the last boundary. */
  isNew: boolean;
}

interface Waiting {
  readonly group: Group;
  readonly record: RecordValue;
  readonly name: string;
}

interface Column {
  readonly path: readonly string[];
  readonly evaluator: Evaluator | undefined;
}

export interface AggregationParts {
  readonly compiler: Compiler;
  readonly registry: Registry;
  readonly clock: Clock;
  refuse(batch: Batch, row: number, failure: RowFailure): void;
}

const NAME = 'tenzir.summarize';
/** Events of a batch that is made of events that waited. */
const BATCH_EVENTS = 10_000;

export class Aggregation implements Transform {
  private readonly node: Extract<Node, { kind: 'aggregate' }>;
  private readonly emission: Emission;
  private readonly parts: AggregationParts;
  private readonly keys: readonly Column[];
  private readonly columns: readonly (Column & {
    readonly definition: AggregateDefinition;
    warn(message: string): void;
  })[];
  private groups = new Map<string, Group>();
  /** Events that wait for the boundary: all with `events`, the newest with `trigger`. */
  private waiting: Waiting[] = [];
  /** When the timer's next boundary is, once there were events. */
  private deadlineMs: number | undefined;
  heldEvents = 0;

  constructor(node: Extract<Node, { kind: 'aggregate' }>, parts: AggregationParts) {
    const { compiler, registry } = parts;
    this.node = node;
    this.emission = node.emission;
    this.parts = parts;
    this.keys = node.groups.map(({ path, value }) => ({ path, evaluator: compiler.compile(value) }));
    this.columns = node.aggregates.map(call => {
      const definition = registry.aggregates.get(call.aggregate);
      assert(definition !== undefined, `the checker let an unknown aggregate through: ${call.aggregate}`);
      const argument = call.args[0];
      return {
        path: call.path,
        definition,
        evaluator: argument && compiler.compile(argument),
        warn: message => compiler.warn({ code: engineNotices.aggregate, message, span: call.span }),
      };
    });
  }

  process(batch: Batch, out: Output): Maybe {
    const events = eventsOf(batch);
    const { boundary, limit, output } = this.emission;
    const rows: number[] = [];
    const enriched: RecordValue[] = [];
    for (let row = 0; row < events.count; row++) {
      if (output === 'events' && this.waiting.length >= limit) {
        this.refuse(events, row, 'events');
        continue;
      }
      const group = this.groupOf(this.keys.map(key => key.evaluator!.value(events, row)));
      if (!group) {
        this.refuse(events, row, 'groups');
        continue;
      }
      this.columns.forEach((column, i) => {
        const value = column.evaluator?.value(events, row);
        // Nulls are ignored; without an argument every event counts.
        if (value !== null) group.accumulators[i]!.update(value ?? null);
      });
      group.isNew = true;
      this.heldEvents++;
      if (output === 'events') this.waiting.push({ group, record: events.record(row), name: events.name });
      if (boundary.kind !== 'events') continue;
      if (this.heldEvents >= boundary.every) {
        rows.push(row);
        enriched.push(this.enriched(events.record(row), group));
        this.passBoundary();
      } else if (row === events.count - 1) {
        this.waiting = [{ group, record: events.record(row), name: events.name }];
      }
    }
    if (boundary.kind === 'timer' && this.heldEvents > 0)
      this.deadlineMs ??= this.parts.clock.monotonic() + boundary.every;
    if (rows.length > 0) return emitAndRelease(events.select(Uint32Array.from(rows)).withRecords(enriched), out);
  }

  tick(out: Output): Maybe {
    if (this.deadlineMs === undefined || this.parts.clock.monotonic() < this.deadlineMs) return;
    return this.emitSummary(out);
  }

  end(out: Output): Maybe {
    const { boundary, output } = this.emission;
    if (output === 'summary') {
      if (boundary.kind === 'final' && this.keys.length === 0) this.groupOf([])!.isNew = true;
      return this.emitSummary(out);
    }
    return this.emitWaiting(out);
  }

  private emitSummary(out: Output): Maybe {
    const records = [...this.groups.values()].filter(({ isNew }) => isNew).map(group => this.result(group));
    this.passBoundary();
    if (records.length > 0 || this.emission.boundary.kind === 'final')
      return emitAndRelease(EventBatch.fromRecords(records, NAME), out);
  }

  private async emitWaiting(out: Output): Promise<void> {
    const { waiting } = this;
    for (let from = 0; from < waiting.length; ) {
      const { name } = waiting[from]!;
      const records: RecordValue[] = [];
      for (; from < waiting.length && records.length < BATCH_EVENTS && waiting[from]!.name === name; from++)
        records.push(this.enriched(waiting[from]!.record, waiting[from]!.group));
      await emitAndRelease(EventBatch.fromRecords(records, name), out);
    }
    this.passBoundary();
  }

  private passBoundary(): void {
    if (this.emission.resets || this.emission.boundary.kind === 'final') this.groups = new Map();
    else for (const group of this.groups.values()) group.isNew = false;
    this.waiting = [];
    this.deadlineMs = undefined;
    this.heldEvents = 0;
  }

  private refuse(batch: Batch, row: number, what: string): void {
    const { limit } = this.emission;
    const message = `\`summarize\` keeps ${limit} ${what} already`;
    this.parts.refuse(batch, row, { code: engineNotices.limit, message });
  }

  /** Written: `encodeValue` of the record. Read: also the plain JSON record of earlier versions, whose types are JSON's. */
  snapshot(): string {
    const places = new Map([...this.groups.values()].map((group, i) => [group, BigInt(i)]));
    const groups = [...this.groups.values()].map(
      ({ accumulators, isNew, keys }) =>
        new RecordValue([
          ['keys', keys],
          ['states', accumulators.map(accumulator => accumulator.encode())],
          ['new', isNew],
        ]),
    );
    const waiting = this.waiting.map(
      ({ group, name, record }) =>
        new RecordValue([
          ['group', places.get(group)!],
          ['name', name],
          ['record', record],
        ]),
    );
    return encodeValue(
      new RecordValue([
        ['events', BigInt(this.heldEvents)],
        ['groups', groups],
        ['waiting', waiting],
      ]),
    );
  }

  restore(state: string): void {
    const saved = state.startsWith('{') ? parseJsonText(state) : decodeValue(state);
    assert(saved instanceof RecordValue, 'the state of summarize is a record');
    this.heldEvents = Number(saved.get('events'));
    const groups = (saved.get('groups') as readonly RecordValue[]).map(group => {
      const keys = group.get('keys') as readonly Value[];
      const states = group.get('states') as readonly Value[];
      const accumulators = this.columns.map((column, i) => column.definition.decode(states[i]!, column.warn));
      const restored = { keys, accumulators, isNew: group.get('new') !== false };
      this.groups.set(keyOf(keys), restored);
      return restored;
    });
    this.waiting = ((saved.get('waiting') ?? []) as readonly RecordValue[]).map(each => ({
      group: groups[Number(each.get('group'))]!,
      name: each.get('name') as string,
      record: each.get('record') as RecordValue,
    }));
    const { boundary } = this.emission;
    if (boundary.kind === 'timer' && this.heldEvents > 0)
      this.deadlineMs = this.parts.clock.monotonic() + boundary.every;
  }

  /** Undefined when there are as many as may be. */
  private groupOf(keys: readonly Value[]): Group | undefined {
    const text = keyOf(keys);
    let group = this.groups.get(text);
    if (!group && this.groups.size < this.emission.limit) {
      const accumulators = this.columns.map(({ definition, warn }) => definition.create(warn));
      group = { keys, accumulators, isNew: false };
      this.groups.set(text, group);
    }
    return group;
  }

  private enriched(event: RecordValue, group: Group): RecordValue {
    let record = event;
    this.columns.forEach(({ path }, i) => (record = record.withAt(path, group.accumulators[i]!.finish())));
    return record;
  }

  private result(group: Group): RecordValue {
    let record = new RecordValue();
    let nextKey = 0;
    let nextColumn = 0;
    for (const kind of this.node.order) {
      if (kind === 'group') {
        record = record.withAt(this.keys[nextKey]!.path, group.keys[nextKey]!);
        nextKey++;
      } else {
        record = record.withAt(this.columns[nextColumn]!.path, group.accumulators[nextColumn]!.finish());
        nextColumn++;
      }
    }
    return record;
  }
}
