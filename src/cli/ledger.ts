/**
 * The ledger as text: one line a stage, each of which adds up, and a sum for each pipeline.
 *
 *   in = filtered + out + dead + held (+ dropped + turned + reread)
 *
 *   out      passed on by a stage, delivered by a sink
 *   dropped  refused and not kept, because `on_error` says so
 *   turned   made into other events, by a stage such as summarize
 *   reread   left behind by a run that was interrupted; the next one has read them again
 *
 * What a balance gets back from an endpoint is no output of the endpoint and no second input of another: an endpoint's line
 * counts what stayed with it.
 */
import type { PipelineReport, TotalLine } from '../app/index.ts';
import { table } from './output.ts';

export interface LedgerRow {
  readonly name: string;
  readonly endpoint: string | undefined;
  /** Of an endpoint: whether it takes events. */
  readonly isUp: boolean | undefined;
  readonly in: number;
  readonly filtered: number;
  readonly out: number;
  readonly retried: number;
  readonly dead: number;
  readonly dropped: number;
  readonly held: number;
  readonly turned: number;
  readonly reread: number;
}

export function ledgerRows({ health, ledger }: PipelineReport): LedgerRow[] {
  return ledger
    .filter(({ role }) => role !== 'source')
    .map(line => {
      const { deadLettered: dead, dropped, endpoint, filtered, interrupted: reread, name, retried } = line;
      const isUp = health.find(({ stageId }) => stageId === line.stageId)?.isUp;
      const received = line.kind === 'sink' ? line.received - line.returned : line.received;
      const out = outOf(line);
      const rest = received - filtered - out - dead - dropped - reread;
      // Between two moments a stage has passed events on and not yet booked what it made them of.
      const isBetween = line.kind === 'converts' && rest >= 0 && rest < line.held;
      const held = isBetween ? rest : line.held;
      const turned = line.kind === 'converts' ? rest - held : 0;
      return { name, endpoint, isUp, in: received, filtered, out, retried, dead, dropped, held, turned, reread };
    });
}

function outOf(line: TotalLine): number {
  const ways = Object.values(line.ways).reduce((sum, count) => sum + count, 0);
  switch (line.kind) {
    case 'sink':
      return line.delivered;
    case 'branches':
      return ways;
    case 'balances':
      return ways - line.returned;
    case 'source':
    case 'filters':
    case 'converts':
    case 'copies':
      return line.passed;
  }
}

export function addsUp(row: LedgerRow): boolean {
  return row.in === row.filtered + row.out + row.dead + row.dropped + row.held + row.turned + row.reread;
}

export interface PipelineSum {
  readonly received: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly dead: number;
  readonly dropped: number;
  readonly held: number;
  readonly reread: number;
  /** What nothing accounts for; undefined where stages copy events or make others of them: then there is no common sum. */
  readonly missing: number | undefined;
}

/** What the first stage got against everything that became of it, over all stages. */
export function pipelineSum(report: PipelineReport): PipelineSum {
  const rows = ledgerRows(report);
  const sum = (pick: (row: LedgerRow) => number): number => rows.reduce((total, row) => total + pick(row), 0);
  const received = rows[0]?.in ?? 0;
  const delivered = report.ledger.reduce((total, line) => total + line.delivered, 0);
  const gone = {
    filtered: sum(row => row.filtered),
    dead: sum(row => row.dead),
    dropped: sum(row => row.dropped),
    held: sum(row => row.held),
    reread: sum(row => row.reread),
  };
  const isComparable = rows.every(({ turned }) => turned === 0) && report.ledger.every(({ kind }) => kind !== 'copies');
  const accounted = Object.values(gone).reduce((total, count) => total + count, delivered);
  return { received, delivered, ...gone, missing: isComparable ? received - accounted : undefined };
}

const number = (value: number): string => (value === 0 ? '·' : value.toLocaleString('en-US'));

/** Three digits that say how much, for terminals that have no room for all of them. */
function short(value: number): string {
  if (value < 10_000) return number(value);
  const [divisor, unit] = value < 1e6 ? [1e3, 'k'] : value < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  return `${(value / divisor).toPrecision(3)}${unit}`;
}

/** How numbers, names and gaps are written; the first form that fits is taken. */
interface Form {
  readonly number: (value: number) => string;
  readonly label: (row: LedgerRow) => string;
  readonly gap: number;
}

const FORMS: readonly Form[] = [
  { number, label: ({ endpoint, name }) => (endpoint === undefined ? name : `${name} ${endpoint}`), gap: 2 },
  { number, label: ({ endpoint, name }) => endpoint ?? name, gap: 2 },
  { number: short, label: ({ endpoint, name }) => endpoint ?? name, gap: 1 },
];

/** The lines of the pipelines as a table, exact where the width allows it. */
export function ledgerTable(reports: readonly PipelineReport[], width: number): string {
  const fits = (text: string): boolean => text.split('\n').every(line => line.length <= width);
  const drawn = FORMS.map(form => drawTable(reports, form));
  return drawn.find(fits) ?? drawn.at(-1)!;
}

const COLUMNS = ['in', 'filtered', 'out', 'retried', 'dead', 'held'] as const;
/** Shown where there is something in them. */
const RARE_COLUMNS = ['dropped', 'turned', 'reread'] as const;

function drawTable(reports: readonly PipelineReport[], form: Form): string {
  const all = reports.map(report => ({ report, rows: ledgerRows(report) }));
  const rare = RARE_COLUMNS.filter(column => all.some(({ rows }) => rows.some(row => row[column] !== 0)));
  const columns = [...COLUMNS, ...rare];
  const lines = all.flatMap(({ report, rows }) => [
    [`  ${report.pipelineId}`, ...columns],
    ...rows.map(row => {
      const mark = row.isUp === undefined ? ' ' : row.isUp ? '●' : '◌';
      return [`  ${mark} ${form.label(row)}`, ...columns.map(column => form.number(row[column]))];
    }),
  ]);
  return table(lines, [false, ...columns.map(() => true)], form.gap);
}

/** One line a pipeline: whether everything that came in is accounted for. */
export function sumText(report: PipelineReport): string {
  const { dead, delivered, dropped, filtered, held, missing, received, reread } = pipelineSum(report);
  const exact = (value: number): string => value.toLocaleString('en-US');
  const terms = [
    `${exact(delivered)} delivered`,
    `${exact(filtered)} filtered`,
    `${exact(dead)} dead`,
    ...(dropped > 0 ? [`${exact(dropped)} dropped`] : []),
    `${exact(held)} held`,
    ...(reread > 0 ? [`${exact(reread)} reread`] : []),
  ];
  if (missing === undefined) return `${exact(received)} in, ${terms.join(', ')}`;
  return `${exact(received)} = ${terms.join(' + ')}${missing === 0 ? '  ✓' : `  ✗ ${exact(missing)} are missing`}`;
}

/** What cannot go on at the moment, and when it is tried again. */
export function troubleTexts(reports: readonly PipelineReport[]): string[] {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
  return reports.flatMap(({ health, nextTryMs, pipelineId, reason }) => [
    ...health
      .filter(({ isUp }) => !isUp)
      .map(
        ({ endpoint, nextTryMs: next, reason: why }) =>
          `${endpoint}: ${why ?? 'no answer'}, next try in ${seconds(next ?? 0)}`,
      ),
    ...(reason === undefined
      ? []
      : [`${pipelineId}: ${reason}${nextTryMs === undefined ? '' : `, next try in ${seconds(nextTryMs)}`}`]),
  ]);
}
