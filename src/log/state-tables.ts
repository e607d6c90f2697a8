/**
 * Durable state: named tables of text keys and byte values. Changes go through the same frames as appends, so a change
 * and an append of one unit are durable together or not at all; a new journal file begins with all tables.
 *
 * Invariants
 * I1 `get` and `entries` show what is durable, never what is on its way.
 */
export interface StateChange {
  readonly table: string;
  readonly key: string;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
}

export class StateTables {
  private readonly tables = new Map<string, Map<string, Uint8Array>>();

  get(table: string, key: string): Uint8Array | undefined {
    return this.tables.get(table)?.get(key);
  }

  entries(table: string): IterableIterator<[string, Uint8Array]> {
    return (this.tables.get(table) ?? new Map<string, Uint8Array>()).entries();
  }

  /** @internal called when the change is durable */
  apply(change: StateChange): void {
    let table = this.tables.get(change.table);
    if (!table) {
      table = new Map();
      this.tables.set(change.table, table);
    }
    // A copy: the bytes may be part of a frame that is reused.
    if (change.value) table.set(change.key, new Uint8Array(change.value));
    else table.delete(change.key);
  }

  *all(): IterableIterator<StateChange> {
    for (const [table, keys] of this.tables) for (const [key, value] of keys) yield { table, key, value };
  }
}
