/**
 * The JSON kernel against JSON.parse: 500-byte events, fully validated, with 1, 3 and 8 paths, in alternating runs.
 *
 * `kernel` scans documents where they lie in the arena; `copied` scans bytes that lie elsewhere; `JSON.parse` is given the
 * same bytes, decoded one event at a time, and then reads the same paths; `JSON.parse, text` is given texts decoded
 * before the clock runs. All figures are CPU time, median of the runs with the spread from the least to the greatest.
 * The result is checked: every column has what JSON.parse finds, and a damaged event is refused.
 *
 * Run: node bench/json-kernel.bench.ts
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { Arena, makeArenaMemory, SeededRandom } from '../src/base/index.ts';
import { ByteStore, type Path, registerArena, scanDocuments, storeOf, TAG } from '../src/data/index.ts';

const EVENTS = 4_000;
const RUNS = 11;
const ROUNDS = 6;
const MARKS: ReadonlyMap<number, number> = new Map([
  [1, 10],
  [3, 9],
  [8, 8],
]);
const PATHS: readonly Path[] = [
  ['severity_id'],
  ['user', 'name'],
  ['time'],
  ['src_endpoint', 'ip'],
  ['metadata', 'product', 'name'],
  ['activity_name'],
  ['dst_endpoint', 'port'],
  ['status'],
];

function event(random: SeededRandom): string {
  const pick = (list: readonly string[]): string => list[random.below(list.length)]!;
  const fields = {
    activity_id: random.below(5),
    activity_name: pick(['Logon', 'Logoff', 'Service Ticket']),
    category_uid: 3,
    class_uid: 3002,
    time: 1_700_239_437_000 + random.below(1_000_000),
    severity_id: random.below(6),
    status: pick(['Success', 'Failure']),
    user: { name: `user-${random.below(1_000)}`, uid: `S-1-5-21-${random.below(2 ** 31)}`, type_id: 1 },
    src_endpoint: { ip: `10.${random.below(256)}.${random.below(256)}.7`, port: random.below(65_536) },
    dst_endpoint: { hostname: 'dc01.corp.example', ip: '10.0.0.5', port: 443 },
    metadata: {
      product: { name: 'Directory', vendor_name: 'Example' },
      version: '1.1.0',
      uid: `${random.below(2 ** 31)}`,
    },
    is_remote: random.below(2) === 1,
    score: random.below(1_000) / 10,
  };
  const text = JSON.stringify({ ...fields, message: '' });
  return JSON.stringify({ ...fields, message: 'a'.repeat(Math.max(0, 500 - text.length)) });
}

function read(value: unknown, path: Path): unknown {
  let inner = value as Record<string, unknown> | undefined;
  for (const key of path) inner = inner?.[key] as Record<string, unknown> | undefined;
  return inner;
}

/** Every value of every path is what JSON.parse finds; a document with a byte missing is refused. */
function check(store: ByteStore, texts: readonly string[]): void {
  const { columns, defects } = scanDocuments(store, PATHS);
  assert.equal(defects.length, 0);
  texts.forEach((text, row) => {
    const value: unknown = JSON.parse(text);
    for (const path of PATHS) {
      const column = columns.get(path)!;
      const expected = read(value, path);
      const start = column.spans[2 * row]!;
      const raw = Buffer.from(store.bytes.subarray(start, start + column.spans[2 * row + 1]!)).toString();
      assert.equal(column.tags[row], typeof expected === 'number' ? TAG.int : TAG.string);
      assert.equal(raw, String(expected));
      if (typeof expected === 'number') assert.equal(column.ints[row], BigInt(expected));
    }
  });
  assert.equal(scanDocuments(storeOf([Buffer.from(texts[0]!.slice(0, -1))]), []).defects.length, 1);
}

interface Contender {
  readonly name: string;
  readonly run: (paths: readonly Path[]) => number;
}

function contenders(inArena: ByteStore, elsewhere: ByteStore, texts: readonly string[]): readonly Contender[] {
  const scanned = (store: ByteStore) => (paths: readonly Path[]) => {
    const { columns, defects } = scanDocuments(store, paths);
    return defects.length + columns.get(paths[0]!)!.tags[store.count - 1]!;
  };
  const parsed = (textOf: (row: number) => string) => (paths: readonly Path[]) => {
    let found = 0;
    for (let row = 0; row < EVENTS; row++) {
      const value: unknown = JSON.parse(textOf(row));
      for (const path of paths) if (read(value, path) !== undefined) found++;
    }
    return found;
  };
  const buffer = Buffer.from(elsewhere.bytes.buffer as ArrayBuffer, elsewhere.bytes.byteOffset, elsewhere.bytes.length);
  const decoded = (row: number): string => {
    const start = elsewhere.spans[2 * row]!;
    return buffer.toString('utf8', start, start + elsewhere.spans[2 * row + 1]!);
  };
  return [
    { name: 'kernel', run: scanned(inArena) },
    { name: 'copied', run: scanned(elsewhere) },
    { name: 'JSON.parse', run: parsed(decoded) },
    { name: 'JSON.parse, text', run: parsed(row => texts[row]!) },
  ];
}

let sink = 0;

/** CPU nanoseconds an event. */
function time(contender: Contender, paths: readonly Path[]): number {
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) sink += contender.run(paths);
  const { system, user } = process.cpuUsage(before);
  return ((user + system) * 1_000) / (ROUNDS * EVENTS);
}

interface Figure {
  readonly nsPerEvent: number;
  readonly least: number;
  readonly greatest: number;
  readonly gbPerSecond: number;
}

function figureOf(times: readonly number[], bytes: number): Figure {
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1]!;
  const round = (value: number): number => Math.round(value * 100) / 100;
  const size = bytes / EVENTS;
  return {
    nsPerEvent: round(median),
    least: round(sorted[0]!),
    greatest: round(sorted.at(-1)!),
    gbPerSecond: round(size / median),
  };
}

const random = new SeededRandom(1);
const texts = Array.from({ length: EVENTS }, () => event(random));
const pieces = texts.map(text => Buffer.from(text));
const elsewhere = storeOf(pieces);
const bytes = elsewhere.bytes.length;
const arena = new Arena(makeArenaMemory(64 * 1024 * 1024));
registerArena(arena);
const slab = arena.take()!;
slab.bytes.set(elsewhere.bytes);
const spans = elsewhere.spans.map((part, i) => (i % 2 === 0 ? part + slab.offset : part));
const inArena = new ByteStore({ bytes: arena.bytes, spans, count: EVENTS });
check(inArena, texts);
check(elsewhere, texts);

const all = contenders(inArena, elsewhere, texts);
const results = [...MARKS].map(([count, mark]) => {
  const paths = PATHS.slice(0, count);
  for (let i = 0; i < 3; i++) for (const contender of all) time(contender, paths);
  const times = new Map<string, number[]>(all.map(({ name }) => [name, []]));
  for (let run = 0; run < RUNS; run++)
    for (const contender of all) times.get(contender.name)!.push(time(contender, paths));
  const figures = Object.fromEntries([...times].map(([name, list]) => [name, figureOf(list, bytes)]));
  const ratio = (other: string): number =>
    Math.round((figures[other]!.nsPerEvent / figures['kernel']!.nsPerEvent) * 100) / 100;
  return {
    paths: count,
    mark,
    timesJsonParse: ratio('JSON.parse'),
    timesJsonParseText: ratio('JSON.parse, text'),
    figures,
  };
});

for (const { figures, mark, paths, timesJsonParse, timesJsonParseText } of results) {
  process.stdout.write(
    `\n${paths} path${paths > 1 ? 's' : ''}: ${timesJsonParse} × JSON.parse (mark ${mark}), ` +
      `${timesJsonParseText} × with texts decoded before\n`,
  );
  for (const [name, { gbPerSecond, greatest, least, nsPerEvent }] of Object.entries(figures)) {
    const spread = `${least.toFixed(0)} to ${greatest.toFixed(0)}`;
    process.stdout.write(
      `  ${name.padEnd(18)} ${nsPerEvent.toFixed(0).padStart(6)} ns an event (${spread.padEnd(13)}) ${gbPerSecond.toFixed(2)} GB/s\n`,
    );
  }
}
mkdirSync(new URL('results/', import.meta.url), { recursive: true });
const machine = { name: hostname(), cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
writeFileSync(
  new URL('results/json-kernel.json', import.meta.url),
  `${JSON.stringify({ bench: 'json-kernel', machine, events: EVENTS, meanBytes: bytes / EVENTS, runs: RUNS, results }, null, 2)}\n`,
);
if (sink === 0) process.stdout.write('nothing was read\n');
