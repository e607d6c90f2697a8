/**
 * `set`, `select`, `drop`: new events from old ones.
 *
 * In one `set` or `select` all values are computed on the original event first; then the fields named by `move` vanish;
 * then values are assigned from left to right. So `set a=b, b=a` swaps, and `x = move x` puts x at the end.
 */
import { type EventBatch, RecordValue, typeOf, type Value } from '../data/index.ts';
import {
  type Assignment,
  type Evaluator,
  type Node,
  type Output,
  type Batch,
  type Transform,
  walkExpr,
} from '../sdk/index.ts';
import type { Compiler } from './expression/compiler.ts';
import type { Maybe } from './receiver.ts';
import { eventsOf } from './simple-stages.ts';

interface Step {
  readonly assignment: Assignment;
  readonly evaluator: Evaluator;
}

export class Projection implements Transform {
  private readonly compiler: Compiler;
  private readonly isSelect: boolean;
  private readonly steps: readonly Step[];
  private readonly moved: readonly (readonly string[])[];

  constructor(node: Extract<Node, { kind: 'project' }>, compiler: Compiler) {
    this.compiler = compiler;
    this.isSelect = node.mode === 'select';
    this.steps = node.assignments.map(assignment => ({ assignment, evaluator: compiler.compile(assignment.value) }));
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
    const records: RecordValue[] = [];
    let { name } = events;
    for (let row = 0; row < events.count; row++) {
      const values = this.steps.map(step => step.evaluator.value(events, row));
      let record = this.isSelect ? new RecordValue() : events.record(row);
      if (!this.isSelect) for (const path of this.moved) record = record.withoutAt(path);
      this.steps.forEach(({ assignment }, i) => {
        const { target } = assignment;
        if (target.kind === 'path') record = this.assign(record, assignment, values[i]!);
        else if (typeof values[i] === 'string') name = values[i];
      });
      records.push(record);
    }
    return emitAndRelease(events.withRecords(records, name), out);
  }

  private assign(record: RecordValue, { target, value: expr }: Assignment, value: Value): RecordValue {
    const path = target.kind === 'path' ? target.path : [];
    if (path.length > 0) return record.withAt(path, value);
    if (value instanceof RecordValue) return value;
    const message = `assignment to \`this\` requires \`record\`, but got \`${typeOf(value)}\``;
    this.compiler.warn({ code: 'MR6212', message, span: expr.span });
    return record;
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
      for (const { path, quiet, span } of this.fields) {
        if (record.at(path) !== undefined) record = record.withoutAt(path);
        else if (!quiet) {
          const hints = ['append `?` to suppress this warning'];
          this.compiler.warn({ code: 'MR6213', message: `field \`${path.join('.')}\` not found`, span, hints });
        }
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
