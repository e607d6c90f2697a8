/**
 * Record data between what is stored, which is format 2 alone, and what clients of older versions send and take.
 *
 *   Produce 0 to 2   message sets become batches (`toBatches`)
 *   Fetch 0 to 3     batches become message sets (`toMessages`): format 0 up to Fetch 1, then format 1
 *   Fetch below 10   knows no zstd: what such a client gets ends in front of the first batch of it (`takeable`)
 *
 * Conversion computes for long, so it goes in steps and lets the thread's other work in between.
 */
import { type Io, MillraceError, TimeSlice } from '../base/index.ts';
import { BatchHeader, CODEC, downConvert, upConvert } from '../wire/records/index.ts';

const FETCH_OF_FORMAT_1 = 2;
/** First Fetch that delivers batches. */
export const FETCH_OF_FORMAT_2 = 4;
/** First Produce that carries batches. */
export const PRODUCE_OF_FORMAT_2 = 3;
/** First Fetch whose clients know zstd. */
export const FETCH_OF_ZSTD = 10;

/** What of read batches a client can take. */
export interface Takeable {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** True where a batch follows that this client has no codec for. */
  readonly endsAtZstd: boolean;
  /** Behind the batches that were looked through; undefined without any. */
  readonly nextOffset: number | undefined;
}

/** The part of `pieces` (whole batches, several a piece) that a Fetch of `version` delivers. */
export function takeable(pieces: readonly Uint8Array[], version: number): Takeable {
  if (version >= FETCH_OF_ZSTD) return { pieces, bytes: sizeOf(pieces), endsAtZstd: false, nextOffset: undefined };
  const taken: Uint8Array[] = [];
  let nextOffset: number | undefined;
  let endsAtZstd = false;
  for (const piece of pieces) {
    const header = new BatchHeader(piece);
    let start = 0;
    let at = 0;
    while (at < piece.length && !endsAtZstd) {
      const { codec, isControl, lastOffset, sizeBytes } = header.at(at);
      const isHidden = isControl && version < FETCH_OF_FORMAT_2;
      endsAtZstd = codec === CODEC.zstd;
      if ((isHidden || endsAtZstd) && at > start) taken.push(piece.subarray(start, at));
      at += endsAtZstd ? 0 : sizeBytes;
      if (isHidden) start = at;
      if (!endsAtZstd) nextOffset = lastOffset + 1;
    }
    if (endsAtZstd) break;
    if (at > start) taken.push(piece.subarray(start, at));
  }
  return { pieces: taken, bytes: sizeOf(taken), endsAtZstd, nextOffset };
}

/** Batches of a whole message set; throws when anything in it is wrong. */
export async function toBatches(io: Io, set: Uint8Array, messageBytesMax: number): Promise<Uint8Array[]> {
  const slice = new TimeSlice(io.clock);
  const batches: Uint8Array[] = [];
  for (const batch of upConvert(set, { messageBytesMax })) {
    batches.push(batch);
    await slice.pass();
  }
  return batches;
}

/** Messages from `fromOffset` on, up to `bytesMax`; the first piece whatever its size. Throws where even that fails. */
export async function toMessages(
  io: Io,
  batches: readonly Uint8Array[],
  wish: { readonly version: number; readonly fromOffset: number; readonly bytesMax: number },
): Promise<Uint8Array[]> {
  const slice = new TimeSlice(io.clock);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (const piece of downConvert(batches, wish.version < FETCH_OF_FORMAT_1 ? 0 : 1, wish.fromOffset)) {
      if (bytes > 0 && bytes + piece.length > wish.bytesMax) break;
      pieces.push(piece);
      bytes += piece.length;
      await slice.pass();
    }
  } catch (error) {
    // What stands before the damage is delivered; the client comes again for what follows, and hears of it then.
    if (!(error instanceof MillraceError) || bytes === 0) throw error;
  }
  return pieces;
}

export function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
