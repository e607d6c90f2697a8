/**
 * The ledger: for each stage what came in and what became of it.
 *
 *   received = passed + filtered + deadLettered + held          transforms
 *   received = delivered + deadLettered + returned + held       sinks
 *
 * Invariants
 * I1 `held` is computed from the other columns, and the stage's own count of what it holds must agree with it when the
 *    pipeline is quiet; the test kit asserts it after every corpus run.
 * I2 counts are events on edges of events and chunks on edges of bytes; a reader's line starts anew behind it, because
 *    one chunk may hold many events.
 */
export interface LedgerLine {
  readonly stageId: string;
  readonly name: string;
  readonly role: 'source' | 'transform' | 'sink';
  endpoint: string | undefined;
  received: number;
  passed: number;
  filtered: number;
  deadLettered: number;
  delivered: number;
  /** Rows that a sink gave back to its balance. */
  returned: number;
  retried: number;
  possibleDuplicates: number;
  warnings: number;
  /** Input units that this stage turned into others (chunks into events, events into aggregates). */
  converted: number;
  /** Event time up to which everything has reached the sink, in ms since 1970; undefined before the first watermark. */
  watermarkMs: number | undefined;
}

export function makeLine(stageId: string, name: string, role: LedgerLine['role']): LedgerLine {
  return {
    stageId,
    name,
    role,
    endpoint: undefined,
    received: 0,
    passed: 0,
    filtered: 0,
    deadLettered: 0,
    delivered: 0,
    returned: 0,
    retried: 0,
    possibleDuplicates: 0,
    warnings: 0,
    converted: 0,
    watermarkMs: undefined,
  };
}

/** What the stage still has: neither passed on, filtered, delivered, given back nor dead-lettered. */
export function heldBy(line: LedgerLine): number {
  if (line.role === 'source') return 0;
  const settled = line.role === 'sink' ? line.delivered + line.returned : line.passed + line.filtered + line.converted;
  return line.received - settled - line.deadLettered;
}
