/** Who holds which partition: told by what members are told, and by what they have yet to give up. */
import { assert } from '../../base/index.ts';
import type { Holding } from './member.ts';
import { eachPartition } from './partition-set.ts';

export class Owners {
  private readonly byTopic = new Map<string, Map<number, string>>();

  /** Whether a member could hold it. */
  isFree(memberId: string, topicId: string, partition: number): boolean {
    const owner = this.byTopic.get(topicId)?.get(partition);
    return owner === undefined || owner === memberId;
  }

  /** A member holds `next` in place of `before`. */
  move(memberId: string, before: Holding, next: Holding): void {
    for (const set of [before.assigned, before.revoking])
      for (const [topicId, partition] of eachPartition(set)) this.byTopic.get(topicId)?.delete(partition);
    for (const set of [next.assigned, next.revoking]) {
      for (const [topicId, partition] of eachPartition(set)) {
        const owners = this.byTopic.get(topicId) ?? new Map<number, string>();
        assert(!owners.has(partition), `G1: ${topicId}/${partition} is held by ${owners.get(partition)}`);
        owners.set(partition, memberId);
        this.byTopic.set(topicId, owners);
      }
    }
    for (const set of [before.assigned, before.revoking])
      for (const topicId of set.keys()) if (this.byTopic.get(topicId)?.size === 0) this.byTopic.delete(topicId);
  }
}
