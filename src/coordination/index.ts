/** Front door of `coordination`: consumer groups and committed offsets. */
export {
  type CommittedOffset,
  Coordination,
  COORDINATION_DEFAULTS,
  type CoordinationSettings,
  type OffsetToCommit,
} from './coordination.ts';
export {
  Group,
  type GroupError,
  type GroupState,
  type JoinRequest,
  type JoinResult,
  type SyncResult,
} from './group.ts';
