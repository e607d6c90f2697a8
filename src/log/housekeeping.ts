/**
 * What keeps the log in its bounds: retention, producers that expire, and files that nobody needs any more.
 *
 * Invariants
 * I1 a file is unlinked only when no partition has a live batch in it and a manifest without it is durable, after a delay
 *    that lets running reads finish.
 * I2 no more than a slice of the partitions is looked at in one turn of the event loop.
 */
import type { Clock, FileSystem } from '../base/index.ts';
import type { Background } from './background.ts';
import type { Committer } from './committer.ts';
import type { DamageReports } from './damage.ts';
import type { FileIndex } from './file-index.ts';
import type { IndexCache } from './index-cache.ts';
import type { Partition } from './partition.ts';
import type { Places } from './places.ts';
import type { OpenFiles } from './reads.ts';
import { retentionOf, retentionStart } from './retention.ts';
import type { Topics } from './topics.ts';

const SLICE = 100;
/** Sealed files looked into, to see whether anybody needs them, in one go. */
const LOOKS_MAX = 32;

export interface HousekeepingParts {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly directory: string;
  readonly unlinkDelayMs: number;
  readonly producerExpiryMs: number;
  readonly topics: Topics;
  readonly places: Places;
  readonly cache: IndexCache;
  readonly openFiles: OpenFiles;
  readonly committer: Committer;
  readonly background: Background;
  readonly damage: DamageReports;
}

export class Housekeeping {
  private readonly parts: HousekeepingParts;

  constructor(parts: HousekeepingParts) {
    this.parts = parts;
  }

  async applyRetention(): Promise<void> {
    const { background, clock, producerExpiryMs, topics } = this.parts;
    const now = clock.now();
    const moves: Promise<void>[] = [];
    let looked = 0;
    for (const topic of [...topics.byName.values()]) {
      const retention = retentionOf(topic.configs, now);
      for (const partition of topic.partitions) {
        if (++looked % SLICE === 0) await background.breathe();
        partition.producers.expire(clock.monotonic() - producerExpiryMs);
        if (!retention || topic.isDeleted) continue;
        const start = this.parts.damage.instead(0, () => retentionStart(partition, this.parts.places, retention));
        if (start > partition.startOffset) moves.push(this.moveStart(partition, start));
      }
    }
    await Promise.all(moves);
    this.rollDeadFile();
    this.dropDeadFiles();
  }

  /** Takes files without live batches out of the log; the newest stays, for its checkpoint. */
  dropDeadFiles(): void {
    const { background, cache, committer, damage, places, topics, unlinkDelayMs } = this.parts;
    const { files } = places;
    const newest = files.at(-1);
    let looks = 0;
    const isDead = (file: FileIndex): boolean => {
      if (file === newest || (!file.needed && looks >= LOOKS_MAX)) return false;
      if (!file.needed) looks++;
      return damage.instead(false, () => places.isDead(file, topics.partitions));
    };
    const dead = new Set(files.filter(isDead));
    if (dead.size === 0) return;
    places.files = files.filter(file => !dead.has(file));
    for (const file of dead) cache.forget(file);
    void committer.saveManifest().then(() => background.later(unlinkDelayMs, () => this.unlink(dead)));
  }

  /** An active file in which nothing is needed any more is left behind. */
  private rollDeadFile(): void {
    const { committer, topics } = this.parts;
    const { parts } = committer.activeFile;
    const isNeeded = (id: number, end: number): boolean => {
      const partition = topics.partitions.get(id);
      return partition !== undefined && end > partition.startOffset;
    };
    if (parts && parts.size > 0 && !parts.entries().some(([id, { end }]) => isNeeded(id, end))) committer.roll();
  }

  private unlink(dead: Iterable<FileIndex>): void {
    const { directory, files, openFiles } = this.parts;
    for (const { path } of dead) {
      openFiles.close(path);
      if (files.exists(path)) files.remove(path);
    }
    files.syncDirectory(directory);
  }

  /** The deletion of a topic may be faster. */
  private async moveStart(partition: Partition, start: number): Promise<void> {
    try {
      await this.parts.topics.setStart(partition, start);
    } catch (error) {
      if (!partition.topic.isDeleted) throw error;
    }
  }
}
