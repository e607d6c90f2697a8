/**
 * `to_splunk`: events to a Splunk HTTP Event Collector.
 *
 *   write ─► rows as envelopes ─► request (size or time) ─► endpoint ─► settled | refused | given back | again
 *
 * One request is in flight; the next one fills meanwhile, and `write` waits when it is full. In a balance, what the
 * endpoint cannot take now is given back, so that another endpoint delivers it; alone, it is tried again for ever, and the
 * stage is shown as degraded.
 *
 * Invariants
 * I1 a row is settled once: delivered, refused (dead letter) or given back.
 * I2 while the endpoint is down nothing is taken beyond what already waits.
 */
import type { Io } from '../../../base/index.ts';
import type { EventBatch } from '../../../data/index.ts';
import type { Batch, Delivery, Sink, SinkHealth, StageContext } from '../../../sdk/index.ts';
import type { Endpoint } from './endpoint.ts';
import { type EnvelopeParts, envelope, rawText } from './envelope.ts';
import type { HttpClient } from './http.ts';

interface Row {
  readonly delivery: Delivery;
  readonly row: number;
  readonly bytes: Uint8Array;
  /** Of a raw request; rows with another one go into a request of their own. */
  readonly query: string | undefined;
}

export interface SplunkSettings {
  readonly contentLengthMax: number;
  readonly bufferTimeoutMs: number;
}

const REFUSED = 'MR7401';
const TOO_LARGE = 'MR7402';
const NO_TEXT = 'MR7404';
const NEWLINE = Buffer.from('\n');

export class SplunkSink implements Sink {
  readonly endpoint: string;
  private readonly io: Io;
  private readonly context: StageContext;
  private readonly settings: SplunkSettings;
  private readonly parts: EnvelopeParts;
  private readonly target: Endpoint;
  private readonly http: HttpClient;
  private rows: Row[] = [];
  private bytes = 0;
  private sinceMs = 0;
  private isSending = false;
  private isFlushing = false;
  private hasTimer = false;
  private isAborted = false;
  private waiters: (() => void)[] = [];

  constructor(
    context: StageContext,
    settings: SplunkSettings,
    parts: EnvelopeParts,
    target: Endpoint,
    http: HttpClient,
  ) {
    this.context = context;
    this.io = context.io;
    this.settings = settings;
    this.parts = parts;
    this.target = target;
    this.http = http;
    this.endpoint = target.url.host;
  }

  async write(batch: Batch, delivery: Delivery): Promise<void> {
    const events = batch as EventBatch;
    for (let row = 0; row < events.count; row++) {
      while (this.bytes >= this.settings.contentLengthMax || !this.target.isUp) {
        if (!this.target.isUp && this.target.waitMs === 0 && this.rows.length === 0) break;
        this.pump();
        await this.room();
      }
      const raw = this.parts.raw && rawText(this.parts, events, row);
      if (this.parts.raw && !raw) {
        delivery.deadLetter(row, { code: NO_TEXT, message: '`raw` must be a string' });
        continue;
      }
      const bytes = raw?.bytes ?? envelope(this.parts, events, row);
      if (bytes.length > this.settings.contentLengthMax) {
        const message = `event too large for given \`max_content_length\`: serialized event size was \`${bytes.length}\``;
        delivery.deadLetter(row, { code: TOO_LARGE, message });
        const { span } = this.context;
        const notes = [`serialized event size was \`${bytes.length}\``];
        this.context.warn({ code: TOO_LARGE, message: 'event too large for given `max_content_length`', notes, span });
        continue;
      }
      if (this.rows.length === 0) this.sinceMs = this.io.clock.monotonic();
      this.rows.push({ delivery, row, bytes, query: raw?.query });
      this.bytes += bytes.length + (raw ? NEWLINE.length : 0);
      if (this.bytes >= this.settings.contentLengthMax) this.pump();
    }
    this.pump();
  }

  flush(): void {
    this.isFlushing = true;
    this.pump();
  }

  async close(): Promise<void> {
    this.flush();
    while (this.rows.length > 0 || this.isSending) {
      this.pump();
      await this.room();
    }
    await this.http.close();
  }

  abort(): void {
    this.isAborted = true;
    this.rows = [];
    void this.http.close();
  }

  health(): SinkHealth {
    const { isUp, reason, waitMs } = this.target;
    return isUp || reason === undefined ? { isUp: true } : { isUp: false, reason, nextTryMs: waitMs };
  }

  /** Resolves when something has changed. */
  private room(): Promise<void> {
    return new Promise(resolve => this.waiters.push(resolve));
  }

  private wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** Sends when a request is due and none is under way; else comes back when one may be. */
  private pump(): void {
    if (this.isSending || this.isAborted) return;
    if (this.rows.length === 0) {
      this.isFlushing = false;
      if (!this.target.isUp) this.later(this.target.waitMs);
      return;
    }
    const { waitMs } = this.target;
    if (waitMs > 0) {
      this.giveBack();
      this.later(waitMs);
      return;
    }
    const age = this.io.clock.monotonic() - this.sinceMs;
    const isDue =
      this.isFlushing ||
      this.bytes >= this.settings.contentLengthMax ||
      age >= this.settings.bufferTimeoutMs ||
      this.rows[0]!.query !== this.rows.at(-1)!.query;
    if (isDue) void this.send();
    else this.later(this.settings.bufferTimeoutMs - age);
  }

  private later(ms: number): void {
    if (this.hasTimer) return;
    this.hasTimer = true;
    this.io.clock.after(Math.max(1, ms), () => {
      this.hasTimer = false;
      this.pump();
      this.wake();
    });
  }

  private async send(): Promise<void> {
    this.isSending = true;
    const [first] = this.rows;
    const other = this.rows.findIndex(row => row.query !== first!.query);
    const rows = other < 0 ? this.rows : this.rows.slice(0, other);
    this.rows = this.rows.slice(rows.length);
    this.bytes = sizeOf(this.rows);
    try {
      await this.deliver(rows);
    } catch (error) {
      this.context.fail(error);
    }
    this.isSending = false;
    this.wake();
    this.pump();
  }

  private async deliver(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const { query } = rows[0]!;
    const pieces = rows.map(row => row.bytes);
    const body = query === undefined ? pieces : pieces.flatMap(piece => [piece, NEWLINE]).slice(0, -1);
    const verdict = await this.target.send(Buffer.concat(body), query);
    switch (verdict.kind) {
      case 'delivered':
        for (const { delivery } of rows) delivery.delivered(1);
        return;
      case 'refused': {
        const bad = rows[verdict.event];
        if (!bad) return this.again(rows, rows.length);
        bad.delivery.deadLetter(bad.row, { code: REFUSED, message: verdict.reason });
        const rest = rows.filter(row => row !== bad);
        // What stood before it may have been taken already.
        this.context.count('possible_duplicates', verdict.event);
        this.context.count('retried', rest.length);
        return this.deliver(rest);
      }
      case 'split': {
        if (rows.length === 1) {
          rows[0]!.delivery.deadLetter(rows[0]!.row, { code: REFUSED, message: verdict.reason });
          return;
        }
        const half = rows.length >>> 1;
        await this.deliver(rows.slice(0, half));
        return this.deliver(rows.slice(half));
      }
      case 'unconfirmed':
        return this.again(rows, rows.length);
      case 'retry':
        return this.again(rows, 0);
    }
  }

  /** The rows wait at the head, or go to another endpoint. */
  private again(rows: readonly Row[], possibleDuplicates: number): void {
    this.context.count('retried', rows.length);
    if (possibleDuplicates > 0) this.context.count('possible_duplicates', possibleDuplicates);
    if (this.isAborted) return;
    this.rows = [...rows, ...this.rows];
    this.bytes = sizeOf(this.rows);
    this.sinceMs = 0;
    this.giveBack();
  }

  private giveBack(): void {
    if (!this.rows[0]?.delivery.canReturn) return;
    const byDelivery = new Map<Delivery, number[]>();
    for (const { delivery, row } of this.rows) byDelivery.set(delivery, [...(byDelivery.get(delivery) ?? []), row]);
    this.rows = [];
    this.bytes = 0;
    for (const [delivery, rows] of byDelivery) delivery.returnRows(rows);
  }
}

function sizeOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { bytes, query }) => sum + bytes.length + (query === undefined ? 0 : NEWLINE.length), 0);
}
