/**
 * The ledger: for each stage what came in and what became of it, and for each edge what went over it. Both ends of an edge
 * count by themselves, so that an event that is lost between two stages shows.
 *
 *   kind       equation                                                              edges that leave it
 *   source     –                                                                     passed
 *   filters    received = passed + filtered + deadLettered + dropped + held          passed
 *   converts   received = converted + held (chunks into events, events into sums)    passed
 *   branches   received = Σ ways                                                     ways `then`, `else`; passed: what came through both
 *   copies     received = passed                                                     ways `fork`; passed
 *   balances   received + returned = Σ ways + filtered + held                        ways `#1` … `#n`
 *   sink       received = delivered + deadLettered + dropped + filtered + returned + held   –
 *
 * What a converting stage refuses is counted in units of its output (a chunk may hold many documents).
 *
 * Invariants
 * I1 what a line received is the sum of the edges in `from`; what a branch passed is the sum of those in `joins`
 *    (`ledgerDefects`; the test kit asserts it behind every corpus run).
 * I2 `held` agrees with what the stage itself says that it holds (`heldEvents`) whenever the pipeline is quiet, and is zero
 *    at the end.
 * I3 nothing is dropped without a reason: every refusal is counted under its code.
 */
export type LedgerKind = 'source' | 'filters' | 'converts' | 'branches' | 'copies' | 'balances' | 'sink';

/** An edge by the stage that it leaves, and by which of its ways. */
export interface EdgeName {
  readonly stage: string;
  readonly way?: string | undefined;
}

export interface LedgerLine {
  readonly stageId: string;
  readonly name: string;
  readonly kind: LedgerKind;
  readonly role: 'source' | 'stage' | 'sink';
  readonly from: readonly EdgeName[];
  readonly joins: readonly EdgeName[];
  endpoint: string | undefined;
  received: number;
  passed: number;
  filtered: number;
  /** Input units that this stage turned into others. */
  converted: number;
  delivered: number;
  deadLettered: number;
  /** Refused, and not kept because `on_error` says so. */
  dropped: number;
  /** Rows that a sink gave back to its balance, or that a balance gives out again. */
  returned: number;
  retried: number;
  possibleDuplicates: number;
  warnings: number;
  /** Records that were gone before they could be read. */
  overtaken: number;
  receivedBytes: number;
  sentBytes: number;
  /** Time in which the stage itself was computing, ms. */
  busyMs: number;
  /** Event time up to which everything has reached the sink, in ms since 1970; undefined before the first watermark. */
  watermarkMs: number | undefined;
  readonly ways: Record<string, number>;
  /** Refusals by their codes. */
  readonly refusals: Record<string, number>;
  /** Failures of the stage's own work by their kinds. */
  readonly errors: Record<string, number>;
  /** Of a sink: how long rows took from the source to their delivery. */
  readonly latency: Latency | undefined;
}

/** A histogram: counts below each bound of `LATENCY_BOUNDS_MS`, and what was above all of them. */
export interface Latency {
  readonly counts: number[];
  sumMs: number;
}

export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
];

export type ReportedLine = LedgerLine & { readonly held: number };

export function makeLine(
  stageId: string,
  name: string,
  kind: LedgerKind,
  from: readonly EdgeName[] = [],
  joins: readonly EdgeName[] = [],
): LedgerLine {
  return {
    stageId,
    name,
    kind,
    role: kind === 'source' || kind === 'sink' ? kind : 'stage',
    from,
    joins,
    endpoint: undefined,
    received: 0,
    passed: 0,
    filtered: 0,
    converted: 0,
    delivered: 0,
    deadLettered: 0,
    dropped: 0,
    returned: 0,
    retried: 0,
    possibleDuplicates: 0,
    warnings: 0,
    overtaken: 0,
    receivedBytes: 0,
    sentBytes: 0,
    busyMs: 0,
    watermarkMs: undefined,
    ways: {},
    refusals: {},
    errors: {},
    latency:
      kind === 'sink' ? { counts: new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0), sumMs: 0 } : undefined,
  };
}

export function countIn(table: Record<string, number>, key: string, by = 1): void {
  table[key] = (table[key] ?? 0) + by;
}

export function observeLatency(line: LedgerLine, ms: number, rows: number): void {
  const { latency } = line;
  if (!latency) return;
  const bucket = LATENCY_BOUNDS_MS.findIndex(bound => ms <= bound);
  latency.counts[bucket < 0 ? LATENCY_BOUNDS_MS.length : bucket]! += rows;
  latency.sumMs += ms * rows;
}

/** What the stage still has, by its equation. */
export function heldBy(line: LedgerLine): number {
  const { dropped, deadLettered, filtered, received, returned } = line;
  switch (line.kind) {
    case 'source':
      return 0;
    case 'filters':
      return received - line.passed - filtered - deadLettered - dropped;
    case 'converts':
      return received - line.converted;
    case 'branches':
      return received - waysOf(line);
    case 'copies':
      return received - line.passed;
    case 'balances':
      return received + returned - waysOf(line) - filtered;
    case 'sink':
      return received - line.delivered - deadLettered - dropped - filtered - returned;
  }
}

function waysOf(line: LedgerLine): number {
  return Object.values(line.ways).reduce((sum, count) => sum + count, 0);
}

/** Edges whose ends disagree, in words; empty when the ledger adds up. Only for a pipeline in which nothing moves. */
export function ledgerDefects(lines: readonly LedgerLine[]): readonly string[] {
  const byId = new Map(lines.map(line => [line.stageId, line]));
  const over = ({ stage, way }: EdgeName): number => {
    const line = byId.get(stage);
    if (!line) return Number.NaN;
    return way === undefined ? line.passed : (line.ways[way] ?? 0);
  };
  const sum = (edges: readonly EdgeName[]): number => edges.reduce((total, edge) => total + over(edge), 0);
  const names = (edges: readonly EdgeName[]): string =>
    edges.map(({ stage, way }) => (way === undefined ? stage : `${stage}.${way}`)).join(' + ');
  return lines.flatMap(line => {
    const found: string[] = [];
    if (line.kind !== 'source' && sum(line.from) !== line.received)
      found.push(`${line.stageId} received ${line.received}, over ${names(line.from)} went ${sum(line.from)}`);
    if (line.joins.length > 0 && sum(line.joins) !== line.passed)
      found.push(`${line.stageId} passed ${line.passed}, over ${names(line.joins)} went ${sum(line.joins)}`);
    if (heldBy(line) < 0) found.push(`${line.stageId} holds ${heldBy(line)}`);
    return found;
  });
}
