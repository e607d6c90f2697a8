/**
 * The log by itself: bytes written to disk for each byte produced, what 10,000 partitions cost at a start, and what a read at
 * the tail costs. Each figure comes from a process of its own, so that nothing of one run is in the next.
 *
 *   bytes    by the kernel's accounts (`/proc/self/io`): `asked` is what was handed to write calls, `blocks` what went to the
 *            block layer, whole pages of every commit included. Journal, tables, footers, manifests and marks count.
 *   start    from `Log.open` to its promise, the log's thread running already being part of it; memory above that of the
 *            process before; descriptors open after every partition was read
 *   tail     reading back what was just committed, a MiB at a time: the whole read, and without its checks
 *
 * Run: node bench/log.bench.ts [runs]
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeIo } from '../src/base/io/node.ts';
import { Log, type LogSettings } from '../src/log/index.ts';
import { BatchHeader, RecordBatchBuilder } from '../src/wire/records/index.ts';
import { figure, keep } from './measure.ts';

const KIB = 1024;
const MIB = KIB * KIB;
const io = nodeIo();

function batchOf(bytes: number): Uint8Array {
  const builder = new RecordBatchBuilder(bytes + KIB);
  builder.append(1_700_000_000_000, null, Buffer.alloc(bytes - 80, 7));
  return builder.finish();
}

async function withLog<T>(
  settings: Partial<LogSettings>,
  run: (log: Log, directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'log-bench-'));
  try {
    const log = await Log.open(io, { directory, reserveBytes: 0, ...settings });
    const result = await run(log, directory);
    await log.close();
    return result;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function ioBytes(): { readonly asked: number; readonly blocks: number } {
  const text = readFileSync('/proc/self/io', 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)![1]);
  return { asked: field('wchar'), blocks: field('write_bytes') };
}

/** Appends with a number of batches under way all the time; returns bytes of batches. */
async function produce(log: Log, batchBytes: number, totalBytes: number, underWay: number): Promise<number> {
  const { partitions } = await log.createTopic('', 't', 4);
  const template = batchOf(batchBytes);
  let left = Math.ceil(totalBytes / template.length);
  const count = left;
  await Promise.all(
    Array.from({ length: underWay }, async (_, i) => {
      while (left-- > 0) await log.append(partitions[i % partitions.length]!, Uint8Array.from(template));
    }),
  );
  return count * template.length;
}

/** Bytes written for a byte produced, until the log is closed. */
async function written(batchBytes: number, totalBytes: number, underWay: number): Promise<object> {
  const before = ioBytes();
  const produced = await withLog({}, log => produce(log, batchBytes, totalBytes, underWay));
  const after = ioBytes();
  return {
    asked: (after.asked - before.asked) / produced,
    blocks: (after.blocks - before.blocks) / produced,
  };
}

async function fill(directory: string, partitions: number, rounds: number): Promise<object> {
  const log = await Log.open(io, { directory, reserveBytes: 0, fileBytesMax: 8 * MIB });
  let started = performance.now();
  const topics = await Promise.all(Array.from({ length: partitions / 10 }, (_, i) => log.createTopic('', `t${i}`, 10)));
  const createMs = performance.now() - started;
  const template = batchOf(400);
  started = performance.now();
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      topics.flatMap(topic => topic.partitions.map(part => log.append(part, Uint8Array.from(template)))),
    );
  }
  const appendMs = performance.now() - started;
  started = performance.now();
  await log.close();
  return { createMs, appendMs, closeMs: performance.now() - started };
}

async function start(directory: string, partitions: number): Promise<object> {
  const memory = process.memoryUsage().rss;
  const started = performance.now();
  const log = await Log.open(io, { directory, reserveBytes: 0, fileBytesMax: 8 * MIB });
  const openMs = performance.now() - started;
  const openRssMb = (process.memoryUsage().rss - memory) / MIB;
  let read = 0;
  for (const topic of log.topics()) {
    for (const partition of topic.partitions) read += log.read(partition, partition.startOffset, 1).length;
  }
  assert.equal(read, partitions);
  const { files } = log.stats;
  const descriptors = readdirSync('/proc/self/fd').length;
  await log.close();
  return { openMs, openRssMb, files, descriptors };
}

/** Milliseconds to read a MiB of what was just committed. */
function tail(): Promise<object> {
  return withLog({}, async (log, directory) => {
    await produce(log, 64 * KIB, 256 * MIB, 16);
    const partition = log.topic('', 't')!.partitions[0]!;
    const end = partition.syncedEnd;
    const offsets = Array.from({ length: 200 }, (_, i) => end - 16 - (i % 8) * 16);
    const timed = (run: (offset: number) => void): number => {
      for (const offset of offsets) run(offset);
      const started = performance.now();
      for (const offset of offsets) run(offset);
      return (performance.now() - started) / offsets.length;
    };
    const readMs = timed(offset => void log.read(partition, offset, MIB));
    const file = openSync(join(directory, readdirSync(directory).find(name => name.endsWith('.mrj'))!), 'r');
    const plainMs = timed(() => void readSync(file, Buffer.allocUnsafeSlow(MIB), 0, MIB, 10 * MIB));
    const batch = batchOf(64 * KIB);
    const crcMs = timed(() => {
      for (let i = 0; i < 16; i++) new BatchHeader(batch).computeCrc();
    });
    return { readMs, plainMs, crcMs };
  });
}

const JOBS: Readonly<Record<string, (...args: string[]) => Promise<object>>> = {
  written: (...args) => written(...(args.map(Number) as [number, number, number])),
  fill: (directory, ...args) => fill(directory!, ...(args.map(Number) as [number, number])),
  start: (directory, partitions) => start(directory!, Number(partitions)),
  tail,
};

function job(name: string, ...args: (string | number)[]): Record<string, number> {
  const output = execFileSync(process.execPath, [import.meta.filename, 'job', name, ...args.map(String)]);
  return JSON.parse(String(output)) as Record<string, number>;
}

function figures(results: readonly Record<string, number>[]): object {
  const names = Object.keys(results[0]!);
  return Object.fromEntries(names.map(name => [name, figure(results.map(result => result[name]!))]));
}

function bench(runs: number): void {
  const times = <T>(run: () => T): T[] => Array.from({ length: runs }, run);
  const bytesWritten = [
    { batchBytes: 64 * KIB, totalBytes: 512 * MIB, underWay: 1, markAsked: 1.05 },
    { batchBytes: 64 * KIB, totalBytes: 512 * MIB, underWay: 16, markAsked: 1.05 },
    { batchBytes: KIB, totalBytes: 16 * MIB, underWay: 1, markAsked: 1.3 },
    { batchBytes: KIB, totalBytes: 64 * MIB, underWay: 64, markAsked: 1.3 },
  ].map(load => {
    const { batchBytes, totalBytes, underWay } = load;
    const result = figures(times(() => job('written', batchBytes, totalBytes, underWay)));
    process.stderr.write(`${JSON.stringify({ ...load, ...result })}\n`);
    return { ...load, perByteProduced: result };
  });
  const starts = [10, 1_000, 10_000].map(partitions => {
    const directory = mkdtempSync(join(tmpdir(), 'log-bench-'));
    try {
      const filled = job('fill', directory, partitions, 20);
      const result = figures(times(() => job('start', directory, partitions)));
      process.stderr.write(`${JSON.stringify({ partitions, ...filled, ...result })}\n`);
      return { partitions, batchesEach: 20, ...figures([filled]), ...result };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  keep('log', {
    what: 'the log by itself: bytes written per byte produced, starts with many partitions, reads at the tail of a MiB',
    runs,
    bytesWritten,
    starts,
    tail: figures(times(() => job('tail'))),
  });
}

const [first, name, ...args] = process.argv.slice(2);
if (first === 'job') process.stdout.write(JSON.stringify(await JOBS[name!]!(...args)));
else bench(Number(first ?? 7));
