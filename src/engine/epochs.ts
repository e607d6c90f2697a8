/**
 * Epochs: which of them every sink has confirmed, and the commit of those, in order.
 *
 * A source cuts epoch n with its positions; the marker runs through the stages, which add their states; each leaf
 * (a sink, or a balance as a whole) confirms n when all rows before the marker are settled. Then the dead letters of
 * the epoch are made durable, the checkpoint is saved and the source commits.
 *
 * Invariants
 * I1 epochs commit in order, each once; n commits only after every leaf confirmed n.
 * I2 nothing commits after `fail`: an error leaves the positions where they were.
 * I3 a commit that is under way is the only one; confirmations that arrive meanwhile merge into the next, which
 *    commits the newest confirmed epoch and skips those it covers.
 */
import type { Checkpoint } from '../sdk/index.ts';
import { engineErrors } from './errors.ts';
import type { StateTaker } from './receiver.ts';

/** More than that is no checkpoint that can be written with every epoch. */
const STATE_CHARS_MAX = 64 * 1024 * 1024;

/** The newest number that every leaf has confirmed. */
export class Confirmations {
  private readonly newestOf: number[] = [];
  private readonly onConfirmed: (newest: number) => void;
  private readonly before: number;

  /** `before`: the number that counts as confirmed at the start. */
  constructor(before: number, onConfirmed: (newest: number) => void) {
    this.before = before;
    this.onConfirmed = onConfirmed;
  }

  /** Adds a leaf; all are added before the first confirmation. */
  addLeaf(): (number: number) => void {
    const leaf = this.newestOf.push(this.before) - 1;
    return number => {
      if (number <= this.newestOf[leaf]!) return;
      const before = this.newest;
      this.newestOf[leaf] = number;
      if (this.newest > before) this.onConfirmed(this.newest);
    };
  }

  get newest(): number {
    return Math.min(...this.newestOf);
  }
}

interface OpenEpoch {
  readonly epoch: number;
  readonly positions: string;
  readonly states: Record<string, string>;
}

export interface EpochHost {
  /** Makes what the epoch needs durable, then commits the source's positions. */
  commit(checkpoint: Checkpoint): Promise<void>;
  failed(error: unknown): void;
}

export class Epochs implements StateTaker {
  private readonly host: EpochHost;
  private readonly open: OpenEpoch[] = [];
  readonly leaves: Confirmations;
  private committing = false;
  private isFailed = false;
  private idleWaiters: (() => void)[] = [];
  private next: number;

  constructor(host: EpochHost, firstEpoch: number) {
    this.host = host;
    this.next = firstEpoch;
    this.leaves = new Confirmations(firstEpoch - 1, () => this.tryCommit());
  }

  /** Opens the next epoch: the source's marker enters the stages with the number returned. */
  cut(positions: string): number {
    const epoch = this.next++;
    this.open.push({ epoch, positions, states: {} });
    return epoch;
  }

  wantsState(): boolean {
    return true;
  }

  /** A stateful stage's state as of the marker of `epoch`. */
  addState(epoch: number, stageId: string, state: string): void {
    if (state.length > STATE_CHARS_MAX)
      throw engineErrors.stateTooLarge({ stage: stageId, chars: state.length, max: STATE_CHARS_MAX });
    const entry = this.open.find(candidate => candidate.epoch === epoch);
    if (entry) entry.states[stageId] = state;
  }

  fail(): void {
    this.isFailed = true;
    this.wakeIdle();
  }

  get openEpochs(): number {
    return this.open.length;
  }

  /** Resolves when no epoch is open any more, or nothing will commit. */
  idle(): Promise<void> {
    if ((this.open.length === 0 && !this.committing) || this.isFailed) return Promise.resolve();
    return new Promise(resolve => this.idleWaiters.push(resolve));
  }

  private tryCommit(): void {
    if (this.committing || this.isFailed) return;
    const confirmed = this.leaves.newest;
    let newest: OpenEpoch | undefined;
    while (this.open.length > 0 && this.open[0]!.epoch <= confirmed) newest = this.open.shift();
    if (!newest) return;
    this.committing = true;
    this.host.commit(newest).then(
      () => {
        this.committing = false;
        this.tryCommit();
        if (this.open.length === 0 && !this.committing) this.wakeIdle();
      },
      (error: unknown) => {
        this.committing = false;
        this.fail();
        this.host.failed(error);
      },
    );
  }

  private wakeIdle(): void {
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
