/**
 * `set`, `select`, `drop`: new events from old ones.
 *
 * In one `set` or `select` all values are computed on the original event first; then the fields named by `move` vanish;
 * then values are assigned from left to right. So `set a=b, b=a` swaps, and `x = move x` puts x at the end.
 */
import { type Change, type EventBatch, RecordValue, typeOf, type Value } from '../data/index.ts';
import { type Assignment, type Node, type Output, type Batch, type Transform, walkExpr } from '../sdk/index.ts';
import { engineNotices } from './errors.ts';
import type { Compiler, FieldEvaluator } from './expression/compiler.ts';
import type { Maybe } from './receiver.ts';
import { eventsOf } from './simple-stages.ts';

interface Step {
  readonly assignment: Assignment;
  readonly evaluator: FieldEvaluator;
  /** Of a target with computed keys: its path, undefined where a key is no string. */
  readonly pathOf: ((batch: EventBatch, row: number) => readonly string[] | undefined) | undefined;
}

export class Projection implements Transform {
  private readonly compiler: Compiler;
  private readonly isSelect: boolean;
  private readonly steps: readonly Step[];
  private readonly moved: readonly (readonly string[])[];

  constructor(node: Extract<Node, { kind: 'project' }>, compiler: Compiler) {
    this.compiler = compiler;
    this.isSelect = node.mode === 'select';
    this.steps = node.assignments.map(assignment => ({
      assignment,
      evaluator: compiler.compile(assignment.value),
      pathOf: this.pathOf(assignment.target),
    }));
    const moved: (readonly string[])[] = [];
    for (const { value } of node.assignments) {
      walkExpr(value, expr => {
        if (expr.kind === 'move') moved.push(expr.path);
      });
    }
    this.moved = moved;
  }

  process(batch: Batch, out: Output): Maybe {
    const events = eventsOf(batch);
    const names: string[] = [];
    const records: RecordValue[] = [];
    for (let row = 0; row < events.count; row++) records.push(this.project(events, row, names));
    if (names.every(name => name === names[0])) return emitAndRelease(events.withRecords(records, names[0]), out);
    return this.emitByName(events, records, names, out);
  }

  private project(events: EventBatch, row: number, names: string[]): RecordValue {
    let record = this.isSelect ? new RecordValue() : events.record(row);
    let removed = this.isSelect ? [] : this.moved;
    let changes: Change[] = [];
    let { name } = events;
    const values = this.steps.map(step => step.evaluator.value(events, row));
    const paths = this.steps.map(step => step.pathOf?.(events, row));
    this.steps.forEach(({ assignment, evaluator, pathOf }, i) => {
      const { target } = assignment;
      const value = values[i]!;
      if (target.kind === 'meta') {
        name = this.nameOf(assignment, value, name);
        return;
      }
      const path = pathOf ? paths[i] : target.kind === 'path' ? target.path : undefined;
      if (!path) return;
      if (path.length > 0) changes.push({ path, value, text: evaluator.text(events, row) });
      else if (value instanceof RecordValue) {
        record = value;
        removed = [];
        changes = [];
      } else {
        const message = `assignment to \`this\` requires \`record\`, but got \`${typeOf(value)}\``;
        this.compiler.warn({ code: engineNotices.wrongTarget, message, span: assignment.value.span });
      }
    });
    names.push(name);
    return record.changed(removed, changes);
  }

  /** A batch has one name: rows that got another leave in batches of their own, in order. */
  private async emitByName(
    events: EventBatch,
    records: readonly RecordValue[],
    names: readonly string[],
    out: Output,
  ): Promise<void> {
    for (let from = 0; from < records.length; ) {
      let to = from;
      while (to < records.length && names[to] === names[from]) to++;
      const rows = events.select(Uint32Array.from({ length: to - from }, (_, i) => from + i));
      await emitAndRelease(rows.withRecords(records.slice(from, to), names[from]), out);
      from = to;
    }
  }

  private pathOf(target: Assignment['target']): Step['pathOf'] {
    if (target.kind !== 'dynamic') return undefined;
    // Of a key that is written down the checker has warned.
    if (target.steps.some(step => typeof step !== 'string' && step.kind === 'constant')) return () => undefined;
    const keys = target.steps.map(step => (typeof step === 'string' ? step : this.compiler.compile(step)));
    return (batch, row) => {
      const path: string[] = [];
      for (const key of keys) {
        const value = typeof key === 'string' ? key : key.value(batch, row);
        if (typeof value !== 'string') {
          const message = `expected \`string\` as the key of an assignment, got \`${typeOf(value)}\``;
          this.compiler.warn({ code: engineNotices.wrongKey, message, span: target.span });
          return undefined;
        }
        path.push(value);
      }
      return path;
    };
  }

  private nameOf({ value: expr }: Assignment, value: Value, before: string): string {
    if (typeof value === 'string') return value;
    const message = `assignment to \`@name\` requires \`string\`, but got \`${typeOf(value)}\``;
    this.compiler.warn({ code: engineNotices.wrongTarget, message, span: expr.span });
    return before;
  }
}

export class Removal implements Transform {
  private readonly fields: Extract<Node, { kind: 'remove' }>['fields'];
  private readonly compiler: Compiler;

  constructor(fields: Extract<Node, { kind: 'remove' }>['fields'], compiler: Compiler) {
    this.fields = fields;
    this.compiler = compiler;
  }

  process(batch: Batch, out: Output): Maybe {
    const events = eventsOf(batch);
    const records: RecordValue[] = [];
    for (let row = 0; row < events.count; row++) {
      let record = events.record(row);
      for (const field of this.fields) {
        const { path } = field;
        if (record.at(path) !== undefined) record = record.withoutAt(path);
        else this.compiler.missing(field, record);
      }
      records.push(record);
    }
    return emitAndRelease(events.withRecords(records), out);
  }
}

/** Passes on a batch that its maker does not keep. */
export function emitAndRelease(batch: EventBatch, out: Output): Maybe {
  const sent = out.emit(batch);
  if (sent === undefined) {
    batch.release();
    return;
  }
  return sent.finally(() => batch.release());
}
