/** Arena: slabs are counted, freed once, and handed to waiters in order; ranges do not overlap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena, makeArenaMemory } from './arena.ts';

const MIB = 1024 * 1024;

function smallArena(start = 0, end = 4 * MIB): Arena {
  return new Arena(makeArenaMemory(4 * MIB), { slabBytes: MIB, reservedBytes: MIB / 2, start, end });
}

test('a slab is free again when its last holder releases it', () => {
  const arena = smallArena();
  assert.equal(arena.slabs, 3);
  const slab = arena.take();
  assert.ok(slab);
  slab.hold();
  slab.release();
  assert.equal(arena.freeSlabs, 2);
  slab.release();
  assert.equal(arena.freeSlabs, 3);
});

test('a waiter runs when a slab becomes free, and not before', () => {
  const arena = smallArena();
  const taken = [arena.take(), arena.take(), arena.take()];
  assert.equal(arena.take(), undefined);
  let calls = 0;
  arena.whenFree(() => {
    calls++;
  });
  assert.equal(calls, 0);
  taken[1]?.release();
  assert.equal(calls, 1);
});

test('releasing a free slab is a broken invariant', () => {
  const slab = smallArena().take();
  slab?.release();
  assert.throws(() => slab?.release(), /I1/);
});

test('slabs lie inside their range, behind its reserved part', () => {
  const arena = smallArena(2 * MIB, 4 * MIB);
  const slab = arena.take();
  assert.equal(slab?.offset, 2.5 * MIB);
  assert.equal(arena.take(), undefined);
});
