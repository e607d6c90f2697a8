/** Refusals that readers share: the row goes to the dead letters, and a warning tells of it. */
import type { ChunkBatch } from '../../data/index.ts';
import type { StageContext } from '../../sdk/index.ts';
import { FORMAT_CODES } from './errors.ts';
import { PENDING_BYTES_MAX } from './pending.ts';

/** The row holds the beginning of what was given up. */
export function refuseTooLong(context: StageContext, batch: ChunkBatch, row: number, what: 'document' | 'line'): void {
  const message = `${what} longer than ${PENDING_BYTES_MAX} bytes`;
  context.deadLetter(batch, row, { code: FORMAT_CODES.tooLong, message });
  context.warn({
    code: FORMAT_CODES.tooLong,
    message,
    notes: ['the dead letter has its beginning'],
    span: context.span,
  });
}

export function refuseUtf8(context: StageContext, batch: ChunkBatch, row: number): void {
  const message = 'line is not valid UTF-8';
  context.deadLetter(batch, row, { code: FORMAT_CODES.invalidUtf8, message });
  context.warn({ code: FORMAT_CODES.invalidUtf8, message, span: context.span });
}
