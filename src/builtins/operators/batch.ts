/**
 * `batch`: gathers small batches into larger ones. Batches of different stores cannot share one without a copy, so events
 * are gathered as records; it holds nothing across an epoch.
 */
import { EventBatch, type RecordValue } from '../../data/index.ts';
import { defineOperator, type Output, s, type StageContext, type Transform } from '../../sdk/index.ts';

class Rebatch implements Transform {
  private readonly limit: number;
  private readonly timeoutMs: number;
  private readonly context: StageContext;
  private records: RecordValue[] = [];
  private name = '';
  private sinceMs = 0;

  constructor(limit: number, timeoutMs: number, context: StageContext) {
    this.limit = limit;
    this.timeoutMs = timeoutMs;
    this.context = context;
  }

  get heldEvents(): number {
    return this.records.length;
  }

  async process(batch: EventBatch, out: Output): Promise<void> {
    if (this.records.length > 0 && batch.name !== this.name) await this.send(out);
    if (this.records.length === 0) this.sinceMs = this.context.io.clock.monotonic();
    this.name = batch.name;
    for (let row = 0; row < batch.count; row++) {
      this.records.push(batch.record(row));
      if (this.records.length >= this.limit) await this.send(out);
    }
  }

  epoch(out: Output): Promise<void> {
    return this.send(out);
  }

  end(out: Output): Promise<void> {
    return this.send(out);
  }

  async tick(out: Output): Promise<void> {
    if (this.context.io.clock.monotonic() - this.sinceMs >= this.timeoutMs) await this.send(out);
  }

  private async send(out: Output): Promise<void> {
    if (this.records.length === 0) return;
    const batch = EventBatch.fromRecords(this.records, this.name);
    this.records = [];
    await out.emit(batch);
    batch.release();
  }
}

export default defineOperator({
  name: 'batch',
  summary: 'Gathers events into batches of a size, or of what came within a time.',
  input: ['events'],
  output: 'events',
  args: {
    limit: s.uint('Events a batch, at most.').positional().default(65_536),
    timeout: s.duration('How long an incomplete batch waits.').default(60_000),
  },
  examples: [{ tql: 'from {a: 1}, {a: 2}\nbatch 1', out: ['{"a":1}', '{"a":2}'] }],
  create: ({ limit, timeout }, context) => new Rebatch(Math.max(1, limit), timeout, context) as Transform,
});
