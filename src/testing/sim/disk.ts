/**
 * A disk for tests: files in memory that know what is synced and what is not, and that fail on command.
 *
 * Every call that changes something counts one; `crashAt` lets the machine stop at such a call. After `restart(random)`
 * the disk holds what a real one may hold after a loss of power:
 *
 *   written bytes that were not synced   each 512-byte sector of each write is there or not, in any combination; the last
 *                                        sector kept may end at any byte; a file's size is what its kept bytes reach
 *   truncations that were not synced     done or not
 *   names not synced in their directory  each creation, renaming or removal done or not
 *   a failed sync                        the bytes are still read until the crash, but count as clean: no later sync
 *                                        writes them, as Linux does it
 *
 * A process that is killed without a loss of power keeps everything: `restart()` without a random source.
 *
 * Other faults: a full disk, by `capacity` or from a call on (`fullAt`: a write leaves half of its bytes, a name is not
 * made); a sync that fails; a bit that reads wrong until it is written again or `spoil`'s result is called; and, on a disk
 * at rest, flipped bits, lost and shortened files, places that cannot be read.
 *
 * Invariants
 * I1 what was synced (bytes by `File.sync`, names by `syncDirectory`) survives every crash.
 * I2 after the crash every call fails until `restart`; files opened before it fail for ever.
 */
import type { File, FileStat, FileSystem, Random } from '../../base/index.ts';

const SECTOR = 512;

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number };

interface Inode {
  content: Uint8Array;
  durable: Uint8Array;
  unsynced: Change[];
  /** Positions whose sectors cannot be read. */
  unreadable?: number[];
  /** Bits that read wrong, by position. */
  spoiled?: Map<number, number>;
}

type Renaming =
  | { readonly kind: 'set'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode };

export class SimDisk implements FileSystem {
  /** Changing calls so far. */
  calls = 0;
  /** The call at which the machine stops. */
  crashAt = Number.POSITIVE_INFINITY;
  /** Calls of `sync` so far, and the one that fails with EIO. */
  syncs = 0;
  failSyncAt = Number.POSITIVE_INFINITY;
  capacity = Number.POSITIVE_INFINITY;
  /** From this changing call on there is no space for anything new. */
  fullAt = Number.POSITIVE_INFINITY;
  isCrashed = false;
  /** Paths of files that are open. */
  readonly openFiles: string[] = [];
  /** @internal Counts the lives of the machine. */
  epoch = 0;
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private unsyncedNames: Renaming[] = [];
  private readonly directories = new Set<string>();

  /** Starts the machine again; with `random` after a loss of power, without it after a kill. */
  restart(random?: Random): void {
    if (random) this.losePower(random);
    this.isCrashed = false;
    this.crashAt = Number.POSITIVE_INFINITY;
    this.failSyncAt = Number.POSITIVE_INFINITY;
    this.openFiles.length = 0;
    this.epoch++;
  }

  /** One bit reads wrong from now on, through crashes, until the result is called or the byte is written. */
  spoil(path: string, position: number, bit: number): () => void {
    const spoiled = (this.inode(path).spoiled ??= new Map());
    spoiled.set(position, 1 << bit);
    return () => spoiled.delete(position);
  }

  /** Changes one bit, on the disk and in what is read. */
  flipBit(path: string, position: number, bit = 0): void {
    const inode = this.inode(path);
    inode.content = Uint8Array.from(inode.content);
    inode.content[position]! ^= 1 << bit;
    inode.durable = Uint8Array.from(inode.durable);
    if (position < inode.durable.length) inode.durable[position]! ^= 1 << bit;
  }

  /** Takes a file away, durably. */
  lose(path: string): void {
    this.names.delete(path);
    this.durableNames.delete(path);
  }

  /** Cuts a file off, durably. */
  shorten(path: string, size: number): void {
    const inode = this.inode(path);
    inode.content = inode.content.slice(0, size);
    inode.durable = inode.durable.slice(0, size);
  }

  /** Reading the sector of a position fails from now on. */
  breakSector(path: string, position: number): void {
    const inode = this.inode(path);
    inode.unreadable = [...(inode.unreadable ?? []), position - (position % SECTOR)];
  }

  /** Another disk with the same content, at rest. */
  copy(): SimDisk {
    const copy = new SimDisk();
    const inodes = new Map<Inode, Inode>();
    const same = (inode: Inode): Inode => {
      const known = inodes.get(inode);
      if (known) return known;
      const made = { ...inode, unsynced: [...inode.unsynced], spoiled: new Map(inode.spoiled) };
      inodes.set(inode, made);
      return made;
    };
    copy.names = new Map(this.names.entries().map(([name, inode]) => [name, same(inode)]));
    copy.durableNames = new Map(this.durableNames.entries().map(([name, inode]) => [name, same(inode)]));
    copy.unsyncedNames = this.unsyncedNames.map(change =>
      change.kind === 'remove' ? change : { ...change, inode: same(change.inode) },
    );
    for (const path of this.directories) copy.directories.add(path);
    return copy;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const { content } of this.names.values()) bytes += content.length;
    return bytes;
  }

  open(path: string, mode: 'read' | 'write' | 'create'): File {
    this.alive();
    if (mode === 'create') {
      this.count();
      if (this.names.has(path)) throw failure('EEXIST', path);
      this.expectSpace();
      const inode = { content: new Uint8Array(0), durable: new Uint8Array(0), unsynced: [] };
      this.names.set(path, inode);
      this.unsyncedNames.push({ kind: 'set', path, inode });
      this.stop();
    }
    const file = new SimFile(this, path, this.inode(path), mode !== 'read');
    this.openFiles.push(path);
    return file;
  }

  readFile(path: string): Uint8Array {
    this.alive();
    const inode = this.inode(path);
    if (inode.unreadable?.length) throw failure('EIO', 'input/output error');
    const content = Uint8Array.from(inode.content);
    flip(content, 0, inode.spoiled);
    return content;
  }

  exists(path: string): boolean {
    this.alive();
    return this.names.has(path) || this.directories.has(path);
  }

  list(path: string): string[] {
    this.alive();
    const prefix = `${path}/`;
    return [...this.names.keys()]
      .filter(name => name.startsWith(prefix) && !name.includes('/', prefix.length))
      .map(name => name.slice(prefix.length));
  }

  stat(path: string): FileStat {
    this.alive();
    if (this.directories.has(path)) return { size: 0, mtimeMs: 0, isDirectory: true };
    return { size: this.inode(path).content.length, mtimeMs: 0, isDirectory: false };
  }

  /** Directories are durable at once; what is in them is not. */
  makeDirectory(path: string): void {
    this.alive();
    this.directories.add(path);
  }

  rename(from: string, to: string): void {
    this.alive();
    this.count();
    const inode = this.inode(from);
    this.expectSpace();
    this.names.delete(from);
    this.names.set(to, inode);
    this.unsyncedNames.push({ kind: 'rename', from, to, inode });
    this.stop();
  }

  remove(path: string): void {
    this.alive();
    this.count();
    this.inode(path);
    this.names.delete(path);
    this.unsyncedNames.push({ kind: 'remove', path });
    this.stop();
  }

  syncDirectory(path: string): void {
    this.alive();
    this.count();
    this.stop();
    const isInside = (name: string): boolean => name.startsWith(`${path}/`);
    const touched = (change: Renaming): string => (change.kind === 'rename' ? change.to : change.path);
    for (const name of this.durableNames.keys()) {
      if (isInside(name) && !this.names.has(name)) this.durableNames.delete(name);
    }
    for (const [name, inode] of this.names) if (isInside(name)) this.durableNames.set(name, inode);
    this.unsyncedNames = this.unsyncedNames.filter(change => !isInside(touched(change)));
  }

  freeBytes(_path: string): number {
    if (this.isFull) return 0;
    return Math.max(0, this.capacity - this.usedBytes);
  }

  /** @internal */
  get isFull(): boolean {
    return this.calls >= this.fullAt;
  }

  private expectSpace(): void {
    if (this.isFull) throw failure('ENOSPC', 'no space left on device');
  }

  /** @internal */
  alive(epoch = this.epoch): void {
    if (this.isCrashed || epoch !== this.epoch) throw failure('EIO', 'the machine has stopped');
  }

  /** @internal Counts a changing call; at the chosen one the machine stops when the call has been made (`stop`). */
  count(): void {
    this.calls++;
  }

  /** @internal */
  stop(): void {
    if (this.calls !== this.crashAt) return;
    this.isCrashed = true;
    throw failure('EIO', 'the machine has stopped');
  }

  private inode(path: string): Inode {
    const inode = this.names.get(path);
    if (!inode) throw failure('ENOENT', path);
    return inode;
  }

  private losePower(random: Random): void {
    const isKept = (): boolean => random.float() < 0.5;
    const names = new Map(this.durableNames);
    for (const change of this.unsyncedNames) {
      if (!isKept()) continue;
      if (change.kind === 'set') names.set(change.path, change.inode);
      else if (change.kind === 'remove') names.delete(change.path);
      else {
        if (names.get(change.from) === change.inode) names.delete(change.from);
        names.set(change.to, change.inode);
      }
    }
    for (const inode of new Set(names.values())) {
      let content = inode.durable;
      // All, nothing, or a mixture.
      const mode = random.float();
      for (const change of inode.unsynced) {
        if (mode < 0.15 || (mode >= 0.3 && !isKept())) continue;
        if (change.kind === 'truncate') content = content.slice(0, change.size);
        else content = tear(content, change, mode < 0.3 ? undefined : random);
      }
      inode.content = content;
      inode.durable = content;
      inode.unsynced = [];
    }
    this.names = names;
    this.durableNames = new Map(names);
    this.unsyncedNames = [];
  }
}

class SimFile implements File {
  private readonly disk: SimDisk;
  private readonly path: string;
  private readonly inode: Inode;
  private readonly epoch: number;
  private readonly isWritable: boolean;
  private isClosed = false;

  constructor(disk: SimDisk, path: string, inode: Inode, isWritable: boolean) {
    this.disk = disk;
    this.path = path;
    this.inode = inode;
    this.epoch = disk.epoch;
    this.isWritable = isWritable;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.usable(false);
    const isBroken = (start: number): boolean => start < position + length && start + SECTOR > position;
    if (this.inode.unreadable?.some(isBroken)) throw failure('EIO', 'input/output error');
    const piece = this.inode.content.subarray(position, position + length);
    target.set(piece, offset);
    flip(target.subarray(offset, offset + piece.length), position, this.inode.spoiled);
    return piece.length;
  }

  write(pieces: readonly Uint8Array[], position: number): void {
    this.usable(true);
    this.disk.count();
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    let bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    const growth = Math.max(0, position + length - this.inode.content.length);
    const missing = growth - (this.disk.isFull ? Math.floor(growth / 2) : this.disk.freeBytes(''));
    // What still fits is written, as `writev` does it.
    if (missing > 0) bytes = bytes.subarray(0, Math.max(0, length - missing));
    for (const at of this.inode.spoiled?.keys() ?? [])
      if (at >= position && at < position + bytes.length) this.inode.spoiled!.delete(at);
    this.inode.unsynced.push({ kind: 'write', position, bytes });
    this.inode.content = put(this.inode.content, bytes, position);
    this.disk.stop();
    if (missing > 0) throw failure('ENOSPC', 'no space left on device');
  }

  sync(): void {
    this.usable(true);
    this.disk.count();
    this.disk.syncs++;
    this.disk.stop();
    if (this.disk.syncs === this.disk.failSyncAt) {
      this.inode.unsynced = [];
      throw failure('EIO', 'input/output error');
    }
    for (const change of this.inode.unsynced) {
      this.inode.durable =
        change.kind === 'write'
          ? put(this.inode.durable, change.bytes, change.position)
          : this.inode.durable.slice(0, change.size);
    }
    this.inode.unsynced = [];
  }

  truncate(size: number): void {
    this.usable(true);
    this.disk.count();
    this.inode.unsynced.push({ kind: 'truncate', size });
    this.inode.content = this.inode.content.slice(0, size);
    for (const at of this.inode.spoiled?.keys() ?? []) if (at >= size) this.inode.spoiled!.delete(at);
    this.disk.stop();
  }

  size(): number {
    this.usable(false);
    return this.inode.content.length;
  }

  close(): void {
    const { openFiles } = this.disk;
    if (!this.isClosed && this.epoch === this.disk.epoch) openFiles.splice(openFiles.indexOf(this.path), 1);
    this.isClosed = true;
  }

  private usable(isWrite: boolean): void {
    this.disk.alive(this.epoch);
    if (this.isClosed || (isWrite && !this.isWritable)) throw failure('EBADF', 'bad file descriptor');
  }
}

/** Of bytes from a position on, those that read wrong. */
function flip(bytes: Uint8Array, position: number, spoiled: ReadonlyMap<number, number> | undefined): void {
  for (const [at, mask] of spoiled ?? [])
    if (at >= position && at < position + bytes.length) bytes[at - position]! ^= mask;
}

function put(content: Uint8Array, bytes: Uint8Array, position: number): Uint8Array {
  if (bytes.length === 0) return content;
  const result = new Uint8Array(Math.max(content.length, position + bytes.length));
  result.set(content);
  result.set(bytes, position);
  return result;
}

/** The write's sectors, each there or not; one of them may be cut at any byte. All of them without `random`. */
function tear(content: Uint8Array, write: { position: number; bytes: Uint8Array }, random?: Random): Uint8Array {
  const { bytes, position } = write;
  if (!random) return put(content, bytes, position);
  // Half of the time a prefix, else any sectors.
  const prefix = random.float() < 0.5 ? Math.floor(random.float() * (bytes.length + 1)) : undefined;
  if (prefix !== undefined) return put(content, bytes.subarray(0, prefix), position);
  let result = content;
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + SECTOR - ((position + start) % SECTOR));
    if (random.float() < 0.5) {
      const cut = random.float() < 0.2 ? Math.floor(random.float() * (end - start)) : end - start;
      result = put(result, bytes.subarray(start, start + cut), position + start);
    }
    start = end;
  }
  return result;
}

function failure(code: string, text: string): Error {
  return Object.assign(new Error(`${code}: ${text}`), { code });
}
