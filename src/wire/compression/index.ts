/**
 * Codecs of record batches, both ways. Every output is bounded: a batch may inflate to `INFLATED_BYTES_MAX` unless the
 * caller allows less.
 */
import { constants, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { MillraceError, messageOf } from '../../base/index.ts';
import { wireErrors } from '../errors.ts';
import { Inflated } from './inflated.ts';
import { compressLz4, decompressLz4 } from './lz4.ts';
import { compressSnappy, decompressSnappy } from './snappy.ts';
import { decompressZstd } from './zstd.ts';

export const INFLATED_BYTES_MAX = 64 * 1024 * 1024;

const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

/** `codec` is the number in a batch's attributes. */
export function compress(codec: number, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case GZIP:
      return gzipSync(bytes);
    case SNAPPY:
      return compressSnappy(bytes);
    case LZ4:
      return compressLz4(bytes);
    case ZSTD:
      return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
    default:
      throw wireErrors.decompression({ codec: String(codec), reason: 'no such codec' });
  }
}

export function decompress(codec: number, bytes: Uint8Array, max: number = INFLATED_BYTES_MAX): Uint8Array {
  if (codec === GZIP) return guarded('gzip', () => gunzipSync(bytes, { maxOutputLength: max }));
  if (codec === ZSTD) return guarded('zstd', () => decompressZstd(bytes, max));
  if (codec !== SNAPPY && codec !== LZ4)
    throw wireErrors.decompression({ codec: String(codec), reason: 'no such codec' });
  const out = new Inflated(codec === SNAPPY ? 'snappy' : 'lz4', bytes.length * 3, max);
  if (codec === SNAPPY) decompressSnappy(bytes, out);
  else decompressLz4(bytes, out);
  return out.finish();
}

function guarded(codec: string, run: () => Uint8Array): Uint8Array {
  try {
    return run();
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw wireErrors.decompression({ codec, reason: messageOf(error) }, error);
  }
}
