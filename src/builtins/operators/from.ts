/** `from`: events that stand in the pipeline's text. */
import { EventBatch, RecordValue, type Value } from '../../data/index.ts';
import { defineOperator, s, type Source, type SourceOutput } from '../../sdk/index.ts';

class Literals implements Source {
  private readonly events: readonly RecordValue[];
  private isStopped = false;

  constructor(values: readonly Value[]) {
    this.events = values
      .flatMap(value => (Array.isArray(value) ? value : [value]))
      .filter(value => value instanceof RecordValue);
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
  create: ({ events }) => new Literals(events),
});
