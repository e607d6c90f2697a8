/** Front door of `log`: durable partitions and state tables over one journal. */
export { checkLog, type LogFinding } from './check.ts';
export { logErrors } from './errors.ts';
export { type BatchOwner, type Extent, LOG_DEFAULTS, Log, type LogSettings } from './log.ts';
export { Partition, Topic } from './partition.ts';
export type { AppendResult } from './producer-state.ts';
export type { StateChange, StateTables } from './state-tables.ts';
