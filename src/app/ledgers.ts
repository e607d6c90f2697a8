/**
 * Ledgers over all runs of a pipeline: what a run counts is added to what the runs before it counted, so that the numbers
 * go on where they were.
 *
 *   table `ledgers`   key pipeline id   value: the lines, with every checkpoint and at the end
 *
 * A run that ends without having drained leaves events behind in its stages: the next run reads them again and counts them
 * again. They stand in the old line as *interrupted*, so that each line still adds up:
 *
 *   received = … + held + interrupted      (engine/ledger.ts has the other terms)
 *
 * Invariants
 * I1 lines are continued only while the pipeline has the same stages; else its ledger begins anew.
 */
import type { TaskReport } from '../engine/index.ts';
import type { Log, StateChange } from '../log/index.ts';

type RunLine = TaskReport['ledger'][number];

export type TotalLine = RunLine & { readonly interrupted: number };

interface Stored {
  /** Whether the run ended by itself or drained: then what is held are states, which the next run restores. */
  readonly isClean: boolean;
  readonly lines: readonly TotalLine[];
}

const TABLE = 'ledgers';
const COUNTS = [
  'received',
  'passed',
  'filtered',
  'converted',
  'delivered',
  'deadLettered',
  'dropped',
  'returned',
  'retried',
  'possibleDuplicates',
  'warnings',
  'overtaken',
  'receivedBytes',
  'sentBytes',
  'busyMs',
  'held',
] as const satisfies readonly (keyof RunLine)[];
const TABLES = ['ways', 'refusals', 'errors'] as const satisfies readonly (keyof RunLine)[];

export class Ledger {
  private readonly pipelineId: string;
  private before: readonly TotalLine[] = [];

  constructor(pipelineId: string, log: Log) {
    this.pipelineId = pipelineId;
    const stored = log.states.get(TABLE, pipelineId);
    if (!stored) return;
    const { isClean, lines } = JSON.parse(Buffer.from(stored).toString()) as Stored;
    this.begin(lines, isClean);
  }

  /** The lines of the present run on top of those before it. */
  total(run: readonly RunLine[]): readonly TotalLine[] {
    if (run.length === 0) return this.before;
    const isSame =
      run.length === this.before.length && run.every((line, i) => nameOf(line) === nameOf(this.before[i]!));
    if (!isSame) return run.map(line => ({ ...line, interrupted: 0 }));
    return run.map((line, i) => {
      return added(line, this.before[i]!);
    });
  }

  /** The run has ended; another may follow. */
  ended(run: readonly RunLine[], isClean: boolean): void {
    this.begin(this.total(run), isClean);
  }

  /** What keeps the lines, to be written with other changes. */
  change(run: readonly RunLine[], isClean: boolean): StateChange {
    const stored: Stored = { isClean, lines: this.total(run) };
    return { table: TABLE, key: this.pipelineId, value: Buffer.from(JSON.stringify(stored)) };
  }

  private begin(lines: readonly TotalLine[], isClean: boolean): void {
    this.before = lines.map(line => (isClean ? line : { ...line, held: 0, interrupted: line.interrupted + line.held }));
  }
}

function nameOf({ name, stageId }: RunLine): string {
  return `${stageId} ${name}`;
}

function added(line: RunLine, before: TotalLine): TotalLine {
  const counts = Object.fromEntries(COUNTS.map(count => [count, line[count] + before[count]]));
  const tables = Object.fromEntries(
    TABLES.map(table => {
      const keys = new Set([...Object.keys(before[table]), ...Object.keys(line[table])]);
      return [
        table,
        Object.fromEntries([...keys].map(key => [key, (line[table][key] ?? 0) + (before[table][key] ?? 0)])),
      ];
    }),
  );
  const latency = line.latency && {
    counts: line.latency.counts.map((count, i) => count + (before.latency?.counts[i] ?? 0)),
    sumMs: line.latency.sumMs + (before.latency?.sumMs ?? 0),
  };
  return { ...line, ...counts, ...tables, latency, interrupted: before.interrupted };
}
