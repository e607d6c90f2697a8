/**
 * `batch`: gathers small batches into larger ones. What it gathers keeps its memory, and with it the source's credits, until it
 * goes on; so it goes on early when the events are large or memory is short, and it holds nothing across an epoch.
 */
import { EventBatch } from '../../data/index.ts';
import { defineOperator, type Output, s, type StageContext, type Transform } from '../../sdk/index.ts';

/** A fraction of what a source may have on its way. */
const BYTES_MAX = 4 * 1024 * 1024;
/** Events whose size stands for that of their batch. */
const SAMPLES = 8;

class Rebatch implements Transform {
  private readonly limit: number;
  private readonly timeoutMs: number;
  private readonly context: StageContext;
  private gathered: EventBatch[] = [];
  private count = 0;
  private bytes = 0;
  private sinceMs = 0;
  private isDue = false;

  constructor(limit: number, timeoutMs: number, context: StageContext) {
    this.limit = limit;
    this.timeoutMs = timeoutMs;
    this.context = context;
  }

  get heldEvents(): number {
    return this.count;
  }

  async process(batch: EventBatch, out: Output): Promise<void> {
    if (this.count > 0 && batch.name !== this.gathered[0]!.name) await this.send(out);
    const bytesPerEvent = sizeOf(batch);
    let from = 0;
    while (from < batch.count) {
      const byBytes = Math.max(1, Math.ceil((BYTES_MAX - this.bytes) / bytesPerEvent));
      const to = Math.min(batch.count, from + this.limit - this.count, from + byBytes);
      this.add(batch, from, to, bytesPerEvent);
      if (this.count >= this.limit || this.bytes >= BYTES_MAX) await this.send(out);
      from = to;
    }
  }

  epoch(out: Output): Promise<void> {
    return this.send(out);
  }

  end(out: Output): Promise<void> {
    return this.send(out);
  }

  async tick(out: Output): Promise<void> {
    if (this.isDue || this.context.io.clock.monotonic() - this.sinceMs >= this.timeoutMs) await this.send(out);
    this.isDue = false;
  }

  flush(): void {
    this.isDue = true;
  }

  abort(): void {
    for (const batch of this.gathered) batch.release();
    this.gathered = [];
    this.count = 0;
  }

  private add(batch: EventBatch, from: number, to: number, bytesPerEvent: number): void {
    if (this.count === 0) this.sinceMs = this.context.io.clock.monotonic();
    const rows = Uint32Array.from({ length: to - from }, (_, i) => from + i);
    const part = rows.length === batch.count ? batch : batch.select(rows);
    part.hold();
    this.gathered.push(part);
    this.count += rows.length;
    this.bytes += rows.length * bytesPerEvent;
  }

  private async send(out: Output): Promise<void> {
    const { gathered } = this;
    if (gathered.length === 0) return;
    const batch = gathered.length === 1 ? gathered[0]! : EventBatch.concat(gathered);
    this.gathered = [];
    this.count = 0;
    this.bytes = 0;
    try {
      await out.emit(batch);
    } finally {
      if (gathered.length > 1) batch.release();
      for (const part of gathered) part.release();
    }
  }
}

/** Bytes of an event of the batch, about: the mean of some. */
function sizeOf(batch: EventBatch): number {
  const step = Math.max(1, Math.ceil(batch.count / SAMPLES));
  let bytes = 0;
  let samples = 0;
  for (let row = 0; row < batch.count; row += step, samples++) bytes += batch.jsonOf(row).length;
  return Math.max(1, bytes / samples);
}

export default defineOperator({
  name: 'batch',
  summary: 'Gathers events into batches of a size, or of what came within a time; large ones, of 4 MiB, go on early.',
  input: ['events'],
  output: 'events',
  args: {
    limit: s.uint('Events a batch, at most.').positional().default(65_536),
    timeout: s.duration('How long an incomplete batch waits.').default(60_000),
  },
  examples: [{ tql: 'from {a: 1}, {a: 2}\nbatch 1', out: ['{"a":1}', '{"a":2}'] }],
  create: ({ limit, timeout }, context) => new Rebatch(Math.max(1, limit), timeout, context) as Transform,
});
