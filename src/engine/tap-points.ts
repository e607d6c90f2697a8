/**
 * The edges of a running pipeline by their names, for taps.
 *
 *   3          the edge behind stage 3          4.then, 4.else, 4.fork, 4.#1   the ways of stage 4
 *
 * A stage is named by its id, its id without the arm (all arms are shown together) or its operator's name, if only one has
 * it. What is shown of a sink is what goes into it.
 */
import { engineErrors } from './errors.ts';
import type { EdgeName, LedgerLine } from './ledger.ts';
import { type Tap, TapPoint } from './tap.ts';

export class TapPoints {
  private readonly pipelineId: string;
  private readonly points = new Map<string, TapPoint>();

  constructor(pipelineId: string) {
    this.pipelineId = pipelineId;
  }

  of(stage: string, way?: string): TapPoint {
    const key = keyOf({ stage, way });
    let point = this.points.get(key);
    if (!point) {
      point = new TapPoint();
      this.points.set(key, point);
    }
    return point;
  }

  /** Opens the tap on a stage, on the last of the pipeline's unless one is named. Returns what closes it. */
  open(lines: readonly LedgerLine[], stage: string | undefined, tap: Tap): () => void {
    const closers = this.find(lines, stage).map(point => point.open(tap));
    return () => {
      for (const close of closers) close();
    };
  }

  private find(lines: readonly LedgerLine[], stage: string | undefined): readonly TapPoint[] {
    if (stage === undefined) return this.edgesOf(lastOf(lines));
    const edge = this.points.get(stage);
    if (edge) return [edge];
    const found = lines.filter(({ stageId }) => stageId === stage || withoutArm(stageId) === stage);
    if (found.length > 0) return found.flatMap(line => this.edgesOf(line));
    const named = lines.filter(({ name }) => name === stage);
    const ids = [...new Set(named.map(({ stageId }) => withoutArm(stageId)))];
    if (ids.length > 1) throw engineErrors.ambiguousTap({ pipeline: this.pipelineId, stage, stages: ids.join(', ') });
    if (named.length === 0) {
      const stages = lines.map(({ name, stageId }) => `${stageId} (${name})`).join(', ');
      throw engineErrors.unknownTap({ pipeline: this.pipelineId, stage, stages });
    }
    return named.flatMap(line => this.edgesOf(line));
  }

  /** The edge behind the stage, or those into it where nothing leaves it. */
  private edgesOf(line: LedgerLine): readonly TapPoint[] {
    const out =
      line.kind === 'sink' || line.kind === 'balances' ? undefined : this.points.get(keyOf({ stage: line.stageId }));
    return out ? [out] : line.from.map(({ stage, way }) => this.of(stage, way));
  }
}

function keyOf({ stage, way }: EdgeName): string {
  return way === undefined ? stage : `${stage}.${way}`;
}

function withoutArm(id: string): string {
  return id.replace(/#\d+/g, '');
}

/** Of the stages that are not inside another one. */
function lastOf(lines: readonly LedgerLine[]): LedgerLine {
  const whole = new Set(lines.map(({ stageId }) => stageId));
  const isInside = (id: string): boolean =>
    [...whole].some(other => other !== id && (id.startsWith(`${other}.`) || id.startsWith(`${other}#`)));
  return lines
    .filter(({ stageId }) => !isInside(stageId))
    .sort((a, b) => byPlace(a.stageId, b.stageId))
    .at(-1)!;
}

/** Stages in the order of the text: numbers by value, what the command line adds at its ends. */
export function byPlace(a: string, b: string): number {
  const parts = (id: string): (number | string)[] =>
    id
      .split(/[.#]/)
      .map(part =>
        part === 'in' ? -1 : part === 'out' ? Number.MAX_SAFE_INTEGER : /^\d+$/.test(part) ? Number(part) : part,
      );
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i] ?? -2, right[i] ?? -2];
    if (x === y) continue;
    return typeof x === 'number' && typeof y === 'number' ? x - y : String(y).localeCompare(String(x));
  }
  return 0;
}
