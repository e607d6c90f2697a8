/** Front door of `engine`: running plans. */
export { engineErrors } from './errors.ts';
export type { OnError } from './context.ts';
export { heldBy, LATENCY_BOUNDS_MS, ledgerDefects, type LedgerLine, type ReportedLine } from './ledger.ts';
export { Task, type TaskHost, type TaskReport, type TaskState } from './task.ts';
export type { TapReport } from './tap.ts';
export { compilePredicate, type Predicate } from './predicate.ts';
