/** A row as a dead letter: what came from the source if that is known, else the event as it stands. Bytes are copied. */
import type { Io } from '../base/index.ts';
import { EventBatch } from '../data/index.ts';
import type { Batch, DeadLetter, RowFailure } from '../sdk/index.ts';

const POSITION = /at byte (\d+)/;

export function letterOf(
  io: Io,
  pipelineId: string,
  stageId: string,
  batch: Batch,
  row: number,
  failure: RowFailure,
): DeadLetter {
  const { origins } = batch.store;
  const originRow = batch.store.originRow(batch.storeRow(row));
  const value = origins?.value(originRow) ?? (batch instanceof EventBatch ? batch.jsonOf(row) : batch.bytesOf(row));
  const position = POSITION.exec(failure.message)?.[1];
  return {
    pipelineId,
    stageId,
    code: failure.code,
    message: failure.message,
    origin: origins?.describe(originRow),
    position: position === undefined ? undefined : Number(position),
    timeMs: io.clock.now(),
    key: copyOf(origins?.key(originRow) ?? null),
    value: copyOf(value),
    headers: (origins?.headers(originRow) ?? []).map(([name, bytes]) => [name, copyOf(bytes)] as const),
  };
}

function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && Uint8Array.from(bytes);
}
