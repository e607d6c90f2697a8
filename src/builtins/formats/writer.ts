/** Writers: one chunk an event. Its line end only parts it from the next, and is left out where chunks are records. */
import { ChunkBatch, type EventBatch } from '../../data/index.ts';
import type { Batch, Output, Transform } from '../../sdk/index.ts';

const LINE_END = Buffer.from('\n');

/** A chunk without its line end. */
export type Print = (events: EventBatch, row: number) => Uint8Array | string;

export class Writer implements Transform {
  private readonly print: Print;
  private readonly between: Uint8Array;

  constructor(print: Print, between: Uint8Array = LINE_END) {
    this.print = print;
    this.between = between;
  }

  process(batch: Batch, out: Output): void | Promise<void> {
    const events = batch as EventBatch;
    const pieces: Uint8Array[] = [];
    for (let row = 0; row < events.count; row++) {
      const text = this.print(events, row);
      pieces.push(typeof text === 'string' ? Buffer.from(text) : text);
    }
    const chunks = ChunkBatch.written(events, pieces, this.between);
    const sent = out.emit(chunks);
    if (sent) return sent.then(() => chunks.release());
    chunks.release();
  }
}
