/**
 * CRC-32C (Castagnoli): the library's where its binary loads, else sliced tables in JavaScript, which are also the oracle
 * in tests. The one place that names the library.
 */
import { createRequire } from 'node:module';

type Crc = (bytes: Uint8Array) => number;

let tables: Uint32Array[] | undefined;

function makeTables(): Uint32Array[] {
  const made = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    made[0]![i] = crc >>> 0;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let i = 0; i < 256; i++) {
      const before = made[slice - 1]![i]!;
      made[slice]![i] = (before >>> 8) ^ made[0]![before & 0xff]!;
    }
  }
  return made;
}

/** Eight bytes a step. */
export function crc32cPortable(bytes: Uint8Array): number {
  tables ??= makeTables();
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  let crc = 0xffff_ffff;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 0xff]!;
  return (crc ^ 0xffff_ffff) >>> 0;
}

function load(): Crc {
  try {
    // Declared for buffers; it takes any view, of shared memory too (tested).
    const { crc32c: native } = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc };
    // A binary that loads and computes wrongly must not be trusted with anybody's data.
    if (native(Buffer.from('123456789')) === 0xe306_9283) return native;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return crc32cPortable;
}

let chosen: Crc | undefined;

export function crc32c(bytes: Uint8Array): number {
  chosen ??= load();
  return chosen(bytes);
}
