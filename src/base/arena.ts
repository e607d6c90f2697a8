/**
 * The arena: one shared `WebAssembly.Memory` for the process, cut into ranges, one for each thread, and a thread's
 * range into slabs.
 *
 * Views of it work with file and socket calls, compression and checksums; every thread's kernel sees it; its pages
 * cost memory only once touched. It is made with its final size (initial = maximum), so no view is ever detached.
 *
 *   start … start + reservedBytes   never a slab: the thread's kernel keeps query tables and scratch here
 *   … end                           slabs of `slabBytes` each
 *
 * **Slabs are the credit**: who gets no slab stops reading and asks `whenFree`.
 *
 * Invariants
 * I1 a slab's count of holders never goes below zero; at zero it is free at once and waiters run in order.
 * I2 64 bytes at the end of a range belong to no slab, so that vector loads may run past a document's end.
 * I3 only the thread that owns a range hands out its slabs; other threads get (offset, length) and never free.
 */
import { assert } from './errors.ts';

const PAGE_BYTES = 65_536;

/** The process's memory: `bytes` of address space, touched page by page. */
export function makeArenaMemory(bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export interface Slab {
  readonly id: number;
  /** Byte offset in the arena's memory. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  hold(): void;
  release(): void;
}

/** Memory for bytes that are about to be read: part of a slab, or private memory that the garbage collector owns. */
export interface Room {
  readonly bytes: Uint8Array;
  /** Holds the slab; released when the bytes are no longer used. Absent for private memory. */
  readonly owner?: Slab;
}

/** More than that is not taken before it is filled. */
const PRIVATE_BYTES_MAX = 1024 * 1024;

/** Private memory, `bytes` of it at most: what is larger grows as it fills. */
export function privateRoom(bytes: number): Room {
  return { bytes: new Uint8Array(Math.min(bytes, PRIVATE_BYTES_MAX)) };
}

export interface ArenaSettings {
  readonly slabBytes: number;
  readonly reservedBytes: number;
  /** The thread's range of the memory, in bytes; the whole memory unless given. */
  readonly start?: number;
  readonly end?: number;
}

export const ARENA_DEFAULTS: ArenaSettings = {
  slabBytes: 4 * 1024 * 1024,
  reservedBytes: 16 * 1024 * 1024,
};

export class Arena {
  readonly memory: WebAssembly.Memory;
  /** The whole memory, not only this range: offsets are the memory's. */
  readonly bytes: Uint8Array;
  readonly slabBytes: number;
  /** The reserved part of the range. */
  readonly reserved: { readonly offset: number; readonly length: number };
  private readonly free: number[] = [];
  private readonly holders: Int32Array;
  private readonly waiters: (() => void)[] = [];
  private readonly firstSlab: number;
  /** The slab that rooms are cut from, held once for itself. */
  private open: Slab | undefined;
  private openFilled = 0;

  constructor(memory: WebAssembly.Memory, settings: ArenaSettings = ARENA_DEFAULTS) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.slabBytes = settings.slabBytes;
    const start = settings.start ?? 0;
    const end = settings.end ?? this.bytes.length;
    this.reserved = { offset: start, length: settings.reservedBytes };
    this.firstSlab = start + settings.reservedBytes;
    const count = Math.floor((end - this.firstSlab - 64) / settings.slabBytes);
    assert(count > 0, 'I2: the range holds no slab');
    this.holders = new Int32Array(count);
    for (let id = count - 1; id >= 0; id--) this.free.push(id);
  }

  get freeSlabs(): number {
    return this.free.length;
  }

  get slabs(): number {
    return this.holders.length;
  }

  /** Slabs that somebody holds; the one that rooms are cut from is not counted while it has no other holder. */
  get heldSlabs(): number {
    const isOpenOnly = this.open !== undefined && this.holders[this.open.id] === 1;
    return this.slabs - this.freeSlabs - (isOpenOnly ? 1 : 0);
  }

  /** A slab with one holder, or undefined when none is free. */
  take(): Slab | undefined {
    const id = this.free.pop();
    if (id === undefined) return undefined;
    this.holders[id] = 1;
    return new ArenaSlab(this, id, this.firstSlab + id * this.slabBytes);
  }

  /**
   * Room for `bytes`: a part of a slab, shared with what came before if it fits; private memory when it is larger than a
   * slab or none is free.
   */
  room(bytes: number): Room {
    if (bytes > this.slabBytes) return privateRoom(bytes);
    if (!this.open || this.openFilled + bytes > this.slabBytes) {
      this.open?.release();
      this.open = this.take();
      this.openFilled = 0;
    }
    const owner = this.open;
    if (!owner) return privateRoom(bytes);
    const start = this.openFilled;
    this.openFilled = start + ((bytes + 7) & ~7);
    owner.hold();
    return { bytes: owner.bytes.subarray(start, start + bytes), owner };
  }

  /** Calls back once when a slab is free; the caller tries `take` again. */
  whenFree(callback: () => void): void {
    if (this.free.length > 0) callback();
    else this.waiters.push(callback);
  }

  /** @internal called by slabs */
  count(id: number, change: 1 | -1): void {
    const now = this.holders[id]! + change;
    assert(now >= 0 && (change === -1 || now > 1), 'I1: slab used after it was freed');
    this.holders[id] = now;
    if (now > 0) return;
    this.free.push(id);
    this.waiters.shift()?.();
  }
}

class ArenaSlab implements Slab {
  readonly bytes: Uint8Array;
  private readonly arena: Arena;
  readonly id: number;
  readonly offset: number;

  constructor(arena: Arena, id: number, offset: number) {
    this.arena = arena;
    this.id = id;
    this.offset = offset;
    this.bytes = arena.bytes.subarray(offset, offset + arena.slabBytes);
  }

  hold(): void {
    this.arena.count(this.id, 1);
  }

  release(): void {
    this.arena.count(this.id, -1);
  }
}
