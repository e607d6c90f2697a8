/** Front door of `coordination`: consumer groups and committed offsets. */
export { Coordination, COORDINATION_DEFAULTS, type CoordinationSettings } from './coordination.ts';
export type { Group } from './group.ts';
export { type JoinRequest, type JoinResult, type Member, metadataFor, type SyncResult } from './member.ts';
export type { CommittedOffset, OffsetPlace, OffsetToCommit } from './offsets.ts';
export type { GroupError, GroupState } from './states.ts';
