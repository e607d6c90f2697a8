/** A row as a dead letter: what came from the source if that is known, else the event as it stands. Bytes are copied. */
import type { Io } from '../base/index.ts';
import { EventBatch } from '../data/index.ts';
import type { Batch, DeadLetter, RowFailure } from '../sdk/index.ts';

/** Messages carry what other systems said. */
const MESSAGE_CHARS_MAX = 2_000;

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
  const value = origins
    ? origins.value(originRow)
    : batch instanceof EventBatch
      ? batch.jsonOf(row)
      : batch.bytesOf(row);
  return {
    pipelineId,
    stageId,
    code: failure.code,
    message: failure.message.slice(0, MESSAGE_CHARS_MAX),
    origin: origins?.describe(originRow),
    position: failure.position,
    timeMs: io.clock.now(),
    key: copyOf(origins?.key(originRow) ?? null),
    value: copyOf(value),
    headers: (origins?.headers(originRow) ?? []).map(([name, bytes]) => [name, copyOf(bytes)] as const),
  };
}

function copyOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes && Uint8Array.from(bytes);
}
