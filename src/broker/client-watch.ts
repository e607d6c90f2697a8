/**
 * Looks after a client twice a minute, and tells when it has to go.
 *
 *   idle      it said nothing and was answered nothing for long, and nothing of it is being worked on
 *   stalled   in half a minute it sent less than 64 KiB of a request that had begun before: requests take memory from all
 *   late      it does not prove who it is
 */
import type { Clock, Timer } from '../base/index.ts';

const LOOK_MS = 30_000;
const STALL_BYTES = 65_536;
/** How long a client may take to prove who it is. */
const PROOF_MS = 30_000;

export interface Watched {
  /** It may send, and has begun a request that is not whole. */
  isSending(): boolean;
  isBusy(): boolean;
  hasProved(): boolean;
  onIdle(): void;
  onStall(seconds: number): void;
  onLate(seconds: number): void;
}

export class ClientWatch {
  private readonly clock: Clock;
  private readonly idleMs: number;
  private readonly watched: Watched;
  private timer: Timer | undefined;
  private proofTimer: Timer | undefined;
  private activeMs: number;
  /** Since the last look, of a request that had begun by then; undefined when none had, or it is whole. */
  private bytesOfBegun: number | undefined;

  constructor(clock: Clock, idleMs: number, watched: Watched) {
    this.clock = clock;
    this.idleMs = idleMs;
    this.watched = watched;
    this.activeMs = clock.monotonic();
  }

  start(): void {
    this.lookLater();
    if (this.watched.hasProved()) return;
    const check = (): void => {
      if (!this.watched.hasProved()) this.watched.onLate(PROOF_MS / 1_000);
    };
    this.proofTimer = this.clock.after(PROOF_MS, check, { background: true });
  }

  stop(): void {
    this.timer?.cancel();
    this.proofTimer?.cancel();
  }

  /** Something was answered, or reading goes on. */
  touch(): void {
    this.activeMs = this.clock.monotonic();
  }

  received(bytes: number): void {
    this.touch();
    if (this.bytesOfBegun !== undefined) this.bytesOfBegun += bytes;
  }

  receivedFrame(): void {
    this.bytesOfBegun = undefined;
  }

  private lookLater(): void {
    this.timer = this.clock.after(Math.min(LOOK_MS, this.idleMs), () => this.look(), { background: true });
  }

  private look(): void {
    const { watched } = this;
    const isSending = watched.isSending();
    const isStalled = isSending && this.bytesOfBegun !== undefined && this.bytesOfBegun < STALL_BYTES;
    this.bytesOfBegun = isSending ? 0 : undefined;
    this.lookLater();
    if (isStalled) watched.onStall(LOOK_MS / 1_000);
    else if (!watched.isBusy() && this.clock.monotonic() - this.activeMs >= this.idleMs) watched.onIdle();
  }
}
