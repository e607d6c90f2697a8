/**
 * `summarize`: one result a group when the input ends. Groups are kept in the order of their first event; the state is the
 * list of groups with the encoded accumulators, so that a run goes on where its last committed epoch ended.
 *
 * Invariants
 * I1 without groups there is always one result, also without input.
 * I2 snapshot, restore and the rest of the input give what the whole input gives.
 */
import { assert } from '../base/index.ts';
import { decodeValue, encodeValue, EventBatch, keyOf, parseJsonText, RecordValue, type Value } from '../data/index.ts';
import type {
  Accumulator,
  AggregateDefinition,
  Batch,
  Evaluator,
  Node,
  Output,
  Registry,
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
}

interface Column {
  readonly path: readonly string[];
  readonly evaluator: Evaluator | undefined;
}

export class Aggregation implements Transform {
  private readonly node: Extract<Node, { kind: 'aggregate' }>;
  private readonly keys: readonly Column[];
  private readonly columns: readonly (Column & {
    readonly definition: AggregateDefinition;
    warn(message: string): void;
  })[];
  private groups = new Map<string, Group>();
  heldEvents = 0;

  constructor(node: Extract<Node, { kind: 'aggregate' }>, compiler: Compiler, registry: Registry) {
    this.node = node;
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

  process(batch: Batch, _out: Output): Maybe {
    const events = eventsOf(batch);
    for (let row = 0; row < events.count; row++) {
      const group = this.groupOf(this.keys.map(key => key.evaluator!.value(events, row)));
      this.columns.forEach((column, i) => {
        const value = column.evaluator?.value(events, row);
        // Nulls are ignored; without an argument every event counts.
        if (value !== null) group.accumulators[i]!.update(value ?? null);
      });
    }
    this.heldEvents += events.count;
  }

  end(out: Output): Maybe {
    if (this.keys.length === 0) this.groupOf([]);
    const records = [...this.groups.values()].map(group => this.result(group));
    this.groups = new Map();
    this.heldEvents = 0;
    return emitAndRelease(EventBatch.fromRecords(records, 'tenzir.summarize'), out);
  }

  /** Written: `encodeValue` of the record. Read: also the plain JSON record of earlier versions, whose types are JSON's. */
  snapshot(): string {
    const groups = [...this.groups.values()].map(
      ({ keys, accumulators }) =>
        new RecordValue([
          ['keys', keys],
          ['states', accumulators.map(accumulator => accumulator.encode())],
        ]),
    );
    return encodeValue(
      new RecordValue([
        ['events', BigInt(this.heldEvents)],
        ['groups', groups],
      ]),
    );
  }

  restore(state: string): void {
    const saved = state.startsWith('{') ? parseJsonText(state) : decodeValue(state);
    assert(saved instanceof RecordValue, 'the state of summarize is a record');
    this.heldEvents = Number(saved.get('events'));
    for (const group of saved.get('groups') as readonly RecordValue[]) {
      const keys = group.get('keys') as readonly Value[];
      const states = group.get('states') as readonly Value[];
      const accumulators = this.columns.map((column, i) => column.definition.decode(states[i]!, column.warn));
      this.groups.set(keyOf(keys), { keys, accumulators });
    }
  }

  private groupOf(keys: readonly Value[]): Group {
    const text = keyOf(keys);
    let group = this.groups.get(text);
    if (!group) {
      group = { keys, accumulators: this.columns.map(({ definition, warn }) => definition.create(warn)) };
      this.groups.set(text, group);
    }
    return group;
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
