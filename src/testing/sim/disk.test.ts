/** The simulated disk keeps its own rules: what was synced survives, everything else may be lost in every way that is stated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/index.ts';
import { SimDisk } from './disk.ts';

const PATH = '/d/file';

function text(disk: SimDisk, path = PATH): string | undefined {
  return disk.exists(path) ? Buffer.from(disk.readFile(path)).toString() : undefined;
}

function written(disk: SimDisk, isSynced: boolean): void {
  const file = disk.open(PATH, 'create');
  file.write([Buffer.from('synced ')], 0);
  file.sync();
  disk.syncDirectory('/d');
  file.write([Buffer.from('later')], 7);
  if (isSynced) file.sync();
}

test('what was synced, bytes and name, survives every loss of power; a kill loses nothing', () => {
  for (let seed = 0; seed < 200; seed++) {
    const disk = new SimDisk();
    written(disk, true);
    disk.restart(seed % 5 === 0 ? undefined : new SeededRandom(seed));
    assert.equal(text(disk), 'synced later');
  }
});

test('what was not synced is lost, torn or kept', () => {
  const outcomes = new Set<string | undefined>();
  for (let seed = 0; seed < 300; seed++) {
    const disk = new SimDisk();
    written(disk, false);
    disk.restart(new SeededRandom(seed));
    const found = text(disk)!;
    assert.ok(found.startsWith('synced '), found);
    outcomes.add(found);
  }
  assert.ok(outcomes.has('synced ') && outcomes.has('synced later') && outcomes.size > 3, [...outcomes].join(', '));
});

test('sectors of one write are lost each by itself', () => {
  const holes = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const disk = new SimDisk();
    const file = disk.open(PATH, 'create');
    file.sync();
    disk.syncDirectory('/d');
    file.write([Buffer.alloc(4 * 512, 1)], 0);
    disk.restart(new SeededRandom(seed));
    const bytes = disk.readFile(PATH);
    holes.add([0, 512, 1_024, 1_536].map(at => bytes[at] ?? '-').join(''));
  }
  assert.ok(holes.has('0101') && holes.has('1011') && holes.has('1111'), [...holes].join(' '));
});

test('names that were not synced in their directory may be there or not; a renaming is one or the other', () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = new SimDisk();
    for (const [path, value] of [
      ['/d/old', 'old'],
      ['/d/new', 'new'],
    ] as const) {
      const file = disk.open(path, 'create');
      file.write([Buffer.from(value)], 0);
      file.sync();
    }
    disk.syncDirectory('/d');
    disk.rename('/d/new', '/d/old');
    disk.restart(new SeededRandom(seed));
    outcomes.add(`${text(disk, '/d/old')} ${text(disk, '/d/new')}`);
  }
  assert.deepEqual([...outcomes].sort(), ['new undefined', 'old new']);
});

test('after a failed sync the bytes are read until the power goes, and no later sync makes them durable', () => {
  const disk = new SimDisk();
  written(disk, false);
  disk.failSyncAt = disk.syncs + 1;
  const file = disk.open(PATH, 'write');
  assert.throws(() => file.sync(), { code: 'EIO' });
  file.sync();
  assert.equal(text(disk), 'synced later');
  disk.restart(new SeededRandom(1));
  assert.equal(text(disk), 'synced ');
});

test('the machine stops at the call that was chosen, and what was open before fails for ever', () => {
  const disk = new SimDisk();
  written(disk, true);
  const file = disk.open(PATH, 'write');
  disk.crashAt = disk.calls + 2;
  file.write([Buffer.from('a')], 0);
  assert.throws(() => file.write([Buffer.from('b')], 1), { code: 'EIO' });
  assert.throws(() => disk.exists(PATH), { code: 'EIO' });
  disk.restart();
  assert.throws(() => file.sync(), { code: 'EIO' });
  assert.equal(text(disk), 'abnced later');
});

test('a full disk takes what fits, makes no names, and overwrites in place', () => {
  const disk = new SimDisk();
  written(disk, true);
  const file = disk.open(PATH, 'write');
  disk.fullAt = disk.calls;
  assert.equal(disk.freeBytes('/d'), 0);
  assert.throws(() => file.write([Buffer.from('1234567890')], 12), { code: 'ENOSPC' });
  assert.equal(text(disk), 'synced later12345', 'half of it');
  assert.throws(() => disk.open('/d/other', 'create'), { code: 'ENOSPC' });
  assert.throws(() => disk.rename(PATH, '/d/other'), { code: 'ENOSPC' });
  file.write([Buffer.from('SYNCED')], 0);
  disk.fullAt = Number.POSITIVE_INFINITY;
  disk.capacity = 20;
  assert.throws(() => file.write([Buffer.from('67890')], 17), { code: 'ENOSPC' });
  assert.equal(text(disk), 'SYNCED later12345678');
});

test('damage at rest is in what is read and in what is left; a copy of the disk has its own', () => {
  const disk = new SimDisk();
  written(disk, true);
  const copy = disk.copy();
  disk.flipBit(PATH, 0, 0);
  disk.shorten(PATH, 6);
  disk.restart(new SeededRandom(1));
  assert.equal(text(disk), 'rynced');
  assert.equal(text(copy), 'synced later');
  copy.breakSector(PATH, 3);
  assert.throws(() => copy.open(PATH, 'read').read(new Uint8Array(1), 0, 1, 8), { code: 'EIO' });
  assert.throws(() => copy.readFile(PATH), { code: 'EIO' });
  copy.lose(PATH);
  copy.restart(new SeededRandom(1));
  assert.equal(text(copy), undefined);
});

test('a bit reads wrong until it is put right or written again, through a restart', () => {
  const disk = new SimDisk();
  written(disk, true);
  const heal = disk.spoil(PATH, 0, 0);
  assert.equal(text(disk), 'rynced later');
  disk.restart(new SeededRandom(1));
  const file = disk.open(PATH, 'write');
  const bytes = Buffer.alloc(3);
  assert.equal(file.read(bytes, 1, 2, 0), 2);
  assert.equal(bytes.toString(), '\0ry');
  heal();
  assert.equal(text(disk), 'synced later');
  disk.spoil(PATH, 1, 2);
  assert.notEqual(text(disk), 'synced later');
  file.write([Buffer.from('y')], 1);
  assert.equal(text(disk), 'synced later');
});

test('files are open until they are closed or the machine stops', () => {
  const disk = new SimDisk();
  const file = disk.open(PATH, 'create');
  disk.open(PATH, 'read');
  assert.deepEqual(disk.openFiles, [PATH, PATH]);
  file.close();
  file.close();
  assert.deepEqual(disk.openFiles, [PATH]);
  disk.restart();
  assert.deepEqual(disk.openFiles, []);
});
