/**
 * What goes into one HTTP request: the bodies of its events one behind the other (those of the raw endpoint parted by
 * newlines), and to which rows of which deliveries they belong. A request can be cut into smaller ones over the same bytes.
 *
 *   body   event 0 │ event 1 │ …            ends[i]: where event i ends, without the newline that parts it from the next
 *   runs   (delivery, first event, rows)    events of one `write`, in order
 */
import type { Delivery, RowFailure } from '../../../sdk/index.ts';

interface Run {
  readonly delivery: Delivery;
  readonly first: number;
  readonly rows: number[];
}

const NEWLINE = 0x0a;
const FIRST_BYTES = 65_536;

export class HecRequest {
  readonly body: Uint8Array;
  readonly query: string | undefined;
  /** Answers so far that nobody knows. */
  attempts: number;
  private readonly ends: readonly number[];
  private readonly runs: readonly Run[];

  constructor(
    body: Uint8Array,
    ends: readonly number[],
    runs: readonly Run[],
    query: string | undefined,
    attempts = 0,
  ) {
    this.body = body;
    this.ends = ends;
    this.runs = runs;
    this.query = query;
    this.attempts = attempts;
  }

  get count(): number {
    return this.ends.length;
  }

  delivered(): void {
    for (const { delivery, rows } of this.runs) delivery.delivered(rows.length);
  }

  /** All events are given back to the balance. */
  giveBack(): void {
    for (const { delivery, rows } of this.runs) delivery.returnRows(rows);
  }

  refuse(event: number, failure: RowFailure): void {
    const run = this.runs.findLast(({ first }) => first <= event)!;
    run.delivery.deadLetter(run.rows[event - run.first]!, failure);
  }

  refuseAll(failure: RowFailure): void {
    for (let event = 0; event < this.count; event++) this.refuse(event, failure);
  }

  /** Events `from` up to `to` as a request of their own. */
  part(from: number, to: number): HecRequest {
    const start = from === 0 ? 0 : this.ends[from - 1]! + (this.query === undefined ? 0 : 1);
    const end = this.ends[to - 1]!;
    const runs = this.runs.flatMap(({ delivery, first, rows }): Run[] => {
      const low = Math.max(from, first);
      const high = Math.min(to, first + rows.length);
      return low < high ? [{ delivery, first: low - from, rows: rows.slice(low - first, high - first) }] : [];
    });
    const ends = this.ends.slice(from, to).map(at => at - start);
    return new HecRequest(this.body.subarray(start, end), ends, runs, this.query, this.attempts);
  }
}

/** A request that is being filled. */
export class RequestBuilder {
  readonly query: string | undefined;
  /** When the first event came, by the monotonic clock. */
  readonly sinceMs: number;
  private buffer: Uint8Array = new Uint8Array(FIRST_BYTES);
  private filled = 0;
  private readonly ends: number[] = [];
  private readonly runs: Run[] = [];

  constructor(query: string | undefined, sinceMs: number) {
    this.query = query;
    this.sinceMs = sinceMs;
  }

  get bytes(): number {
    return this.filled;
  }

  get isEmpty(): boolean {
    return this.ends.length === 0;
  }

  /** Whether an event of so many bytes leaves the body within the limit. */
  fits(bytes: number, bytesMax: number): boolean {
    return this.isEmpty || this.filled + this.parting + bytes <= bytesMax;
  }

  add(delivery: Delivery, row: number, pieces: readonly Uint8Array[]): void {
    const { parting } = this;
    this.reserve(pieces.reduce((sum, piece) => sum + piece.length, parting));
    if (parting > 0) this.buffer[this.filled++] = NEWLINE;
    for (const piece of pieces) {
      this.buffer.set(piece, this.filled);
      this.filled += piece.length;
    }
    const last = this.runs[this.runs.length - 1];
    if (last?.delivery === delivery) last.rows.push(row);
    else this.runs.push({ delivery, first: this.ends.length, rows: [row] });
    this.ends.push(this.filled);
  }

  seal(): HecRequest {
    return new HecRequest(this.buffer.subarray(0, this.filled), this.ends, this.runs, this.query);
  }

  private get parting(): number {
    return this.query === undefined || this.isEmpty ? 0 : 1;
  }

  private reserve(bytes: number): void {
    const needed = this.filled + bytes;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.filled));
    this.buffer = grown;
  }
}
