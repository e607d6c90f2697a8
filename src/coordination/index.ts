/** Front door of `coordination`: consumer groups and committed offsets. */
export type { ConsumerGroup, ConsumerGroupState } from './consumer/group.ts';
export type { ConsumerHeartbeat, HeartbeatAnswer } from './consumer/heartbeat.ts';
export type { ConsumerMember } from './consumer/member.ts';
export { NO_PARTITIONS, type PartitionSet, partitionSet } from './consumer/partition-set.ts';
export { type AnyGroup, Coordination, COORDINATION_DEFAULTS, type CoordinationSettings } from './coordination.ts';
export type { ClassicSubscription, MemberFormats } from './formats.ts';
export type { Group } from './group.ts';
export { type JoinRequest, type JoinResult, type Member, metadataFor, type SyncResult } from './member.ts';
export type { CommittedOffset, OffsetPlace, OffsetToCommit } from './offsets.ts';
export type { GroupError, GroupState } from './states.ts';
export { KAFKA_NAMES, type TransactionError, type TransactionState } from './transactions/states.ts';
export type { Adding, TransactionOf } from './transactions/transactions.ts';
