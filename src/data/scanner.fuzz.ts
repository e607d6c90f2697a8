/**
 * Seeded documents, whole and damaged, through kernel, plain scanner, `parseJson` and JSON.parse with a fatal UTF-8
 * decoder.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeArenaMemory, MillraceError } from '../base/index.ts';
import { fuzz } from '../testing/index.ts';
import { storeOf } from './byte-store.ts';
import { parseJson } from './json.ts';
import { ReferenceScanner } from './reference-scanner.ts';
import { JsonScanner } from './scanner.ts';
import { assertSame, CASE_PATHS, Cases, packed } from './scanner-cases.ts';

const MIB = 1024 * 1024;
const ROWS = 40;
const SEED = 20_261;

function accepts(read: () => unknown, isRefusal: (error: unknown) => boolean): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}

test('kernel, plain scanner, parseJson and JSON.parse accept the same documents and read the same values', () => {
  const reference = new ReferenceScanner();
  const memory = makeArenaMemory(2 * MIB);
  const scanner = new JsonScanner(memory, 0, MIB);
  const bytes = new Uint8Array(memory.buffer);
  fuzz(SEED, random => {
    const cases = new Cases(random);
    const run = Math.floor(random.float() * 1_000);
    const pieces = Array.from({ length: ROWS }, (_, i) => {
      const text = cases.document();
      return i % 4 === 0 ? Buffer.from(text) : cases.damaged(text);
    });
    const store = packed(pieces, bytes, MIB + (run % 64), run % 5);
    assertSame(store, CASE_PATHS, reference, scanner);
    assertSame(storeOf(pieces), CASE_PATHS, reference, scanner);
    const refused = new Set(scanner.scan(store, []).defects.map(({ row }) => row));
    pieces.forEach((piece, row) => {
      const isNative = accepts(
        () => JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(piece)),
        error => error instanceof SyntaxError || error instanceof TypeError,
      );
      const isOurs = accepts(
        () => parseJson(piece),
        error => error instanceof MillraceError,
      );
      assert.equal(!refused.has(row), isNative, piece.toString('latin1'));
      assert.equal(isOurs, isNative, piece.toString('latin1'));
    });
  });
});

test('documents of one shape are judged and read as any other', () => {
  const reference = new ReferenceScanner();
  const memory = makeArenaMemory(2 * MIB);
  const bytes = new Uint8Array(memory.buffer);
  fuzz(SEED + 1, random => {
    const cases = new Cases(random);
    const scanner = new JsonScanner(memory, 0, MIB);
    const shapes = [cases.document(), cases.document(), cases.document()];
    const pieces = Array.from({ length: ROWS }, (_, i) => {
      const text = cases.variant(shapes[random.below(random.below(2) === 0 ? 1 : shapes.length)]!);
      return i > 3 && random.below(3) === 0 ? cases.damaged(text) : Buffer.from(text);
    });
    const store = packed(pieces, bytes, MIB + random.below(64), random.below(5));
    assertSame(store, CASE_PATHS, reference, scanner);
    assertSame(store, CASE_PATHS.slice(0, random.below(CASE_PATHS.length)), reference, scanner);
  });
});
