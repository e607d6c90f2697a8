/** Front door of `log`: durable partitions and state tables over one journal. */
export { checkLog, type LogCheck, type LogFinding } from './check.ts';
export { logErrors } from './errors.ts';
export { type Append, type BatchOwner, LOG_DEFAULTS, Log, type LogSettings } from './log.ts';
export { Partition, Topic } from './partition.ts';
export type { AppendResult } from './producer-state.ts';
export type { Extent, Segment, TimedOffset } from './reads.ts';
export type { AbortedTransaction } from './transactions.ts';
export type { StateChange, StateTables } from './state-tables.ts';
