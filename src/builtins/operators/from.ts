/** `from`: events that stand in the pipeline's text. */
import { EventBatch, RecordValue, typeOf, type Value } from '../../data/index.ts';
import { operatorNotices } from './errors.ts';
import { defineOperator, s, type Source, type SourceOutput } from '../../sdk/index.ts';

class Literals implements Source {
  private readonly events: readonly RecordValue[];
  private isStopped = false;

  constructor(values: readonly Value[]) {
    this.events = values
      .flatMap(value => (Array.isArray(value) ? (value as readonly Value[]) : [value]))
      .map(value => {
        if (value instanceof RecordValue) return value;
        throw new Error(`from: expected records, got \`${typeOf(value)}\``);
      });
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    // A run that goes on after a restart has given its events already.
    if (positions === 'done' || this.isStopped) return;
    if (this.events.length > 0) {
      const batch = EventBatch.fromRecords(this.events, 'tenzir.from');
      await out.emit(batch);
      batch.release();
    }
    await out.cutEpoch('done');
  }

  stop(): void {
    this.isStopped = true;
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }
}

export default defineOperator({
  name: 'from',
  summary: 'Gives the records that it is written with.',
  input: ['void'],
  output: 'events',
  args: { events: s.value('Records, or lists of records.').variadic() },
  examples: [{ tql: 'from {a: 1, b: "x"}', out: ['{"a":1,"b":"x"}'] }],
  validate: ({ events }, places) => {
    return (events ?? []).flatMap((value, i) => {
      const wrong = (Array.isArray(value) ? (value as readonly Value[]) : [value]).find(
        candidate => !(candidate instanceof RecordValue),
      );
      if (wrong === undefined) return [];
      const message = `\`from\` takes records, or lists of records, got \`${typeOf(wrong)}\``;
      return [{ code: operatorNotices.noRecord, severity: 'error', message, span: places.of('events', i) }];
    });
  },
  create: ({ events }) => new Literals(events),
});
