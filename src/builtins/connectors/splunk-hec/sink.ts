/**
 * `to_splunk`: events to a Splunk HTTP Event Collector.
 *
 *   write ─► builder ─(full, old, flush)─► sealed ─(slot)─► under way ─┬─► delivered │ refused
 *               ▲                            ▲  ▲                      ├─► accepted ─(confirmed)─► delivered
 *               └─ rows                      │  └──── again, halves ◄──┘       └─(not in time)─► again
 *                                            └─ in a balance: given back, for another endpoint
 *
 * Alone, a request is tried again for ever (unless `max_attempts` bounds answers that nobody knows), and the stage is shown
 * as degraded. In a balance, what the endpoint cannot take now is given back, also what waits behind a request that is not
 * answered for some seconds: only that request itself is kept until it times out.
 *
 * Invariants
 * I1 a row is settled once: delivered, refused (dead letter), skipped or given back.
 * I2 what is held is bounded: a builder and one sealed request besides those under way, and accepted ones up to
 *    `UNCONFIRMED_BYTES_MAX`; `write` waits beyond that.
 */
import type { Io, Timer } from '../../../base/index.ts';
import type { EventBatch } from '../../../data/index.ts';
import type { Batch, Delivery, Sink, SinkHealth, StageContext } from '../../../sdk/index.ts';
import type { Endpoint, Verdict } from './endpoint.ts';
import { type EnvelopeParts, Envelopes, rawText } from './envelope.ts';
import type { Http } from './http.ts';
import { type HecRequest, RequestBuilder } from './request.ts';
import { hecNotices } from './errors.ts';

export interface SplunkSettings {
  readonly contentLengthMax: number;
  readonly bufferTimeoutMs: number;
  readonly maxAttempts: number | undefined;
}

/** A request that takes longer holds nothing but itself. */
const SLOW_MS = 2_000;
const UNCONFIRMED_BYTES_MAX = 32 * 1024 * 1024;

export class SplunkSink implements Sink {
  readonly endpoint: string;
  private readonly io: Io;
  private readonly context: StageContext;
  private readonly settings: SplunkSettings;
  private readonly parts: EnvelopeParts;
  private readonly envelopes: Envelopes;
  private readonly target: Endpoint;
  private readonly http: Http;
  private builder: RequestBuilder | undefined;
  private sealed: HecRequest[] = [];
  private readonly underway = new Set<HecRequest>();
  private unconfirmedBytes = 0;
  private isSlow = false;
  private isWaiting = false;
  private canReturn = false;
  private isFlushing = false;
  private isAborted = false;
  private timer: Timer | undefined;
  private waiters: (() => void)[] = [];

  constructor(context: StageContext, settings: SplunkSettings, parts: EnvelopeParts, target: Endpoint, http: Http) {
    this.context = context;
    this.io = context.io;
    this.settings = settings;
    this.parts = parts;
    this.envelopes = new Envelopes(parts);
    this.target = target;
    this.http = http;
    this.endpoint = target.url.host;
  }

  write(batch: Batch, delivery: Delivery): void | Promise<void> {
    this.canReturn = delivery.canReturn;
    return this.writeFrom(batch as EventBatch, delivery, 0);
  }

  /** In a balance nothing is taken that could not be sent soon. */
  ready(): void | Promise<void> {
    if (this.isAborted) return;
    if (this.sealed.length > 0 || this.isSlow) return this.change();
    return this.target.ready();
  }

  flush(): void {
    this.isFlushing = true;
    this.pump();
  }

  async close(): Promise<void> {
    this.flush();
    while (this.isHolding && !this.isAborted) await this.change();
    this.timer?.cancel();
    await this.http.close();
  }

  abort(): void {
    this.isAborted = true;
    this.timer?.cancel();
    this.builder = undefined;
    this.sealed = [];
    this.target.abort();
    void this.http.close();
    this.wake();
  }

  health(): SinkHealth {
    const { concurrencyLimit, isUp, reason, waitMs } = this.target;
    if (isUp || reason === undefined) return { isUp: true, concurrencyLimit };
    return { isUp: false, reason, nextTryMs: waitMs, concurrencyLimit };
  }

  get bufferedBytes(): number {
    const bodies = [...this.sealed, ...this.underway].reduce((sum, { body }) => sum + body.length, 0);
    return bodies + (this.builder?.bytes ?? 0) + this.unconfirmedBytes;
  }

  private get isHolding(): boolean {
    return this.builder !== undefined || this.sealed.length > 0 || this.underway.size > 0 || this.unconfirmedBytes > 0;
  }

  private writeFrom(events: EventBatch, delivery: Delivery, start: number): void | Promise<void> {
    for (let row = start; row < events.count; row++) {
      if (this.isAborted) return;
      if (this.canReturn && !this.target.isUp && this.target.ready() !== undefined) {
        delivery.returnRows(Array.from({ length: events.count - row }, (_, i) => row + i));
        return;
      }
      if (this.sealed.length > 0) {
        const next = row;
        return this.change().then(() => this.writeFrom(events, delivery, next));
      }
      this.add(events, delivery, row);
    }
    this.pump();
  }

  private add(events: EventBatch, delivery: Delivery, row: number): void {
    const raw = this.parts.raw && rawText(this.parts, events, row);
    if (this.parts.raw && !raw) {
      delivery.deadLetter(row, { code: hecNotices.badValue, message: '`raw` must be a string' });
      return;
    }
    const pieces = raw ? [raw.bytes] : this.envelopes.of(events, row);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (bytes === 0) {
      delivery.skipped(1);
      return;
    }
    const { contentLengthMax } = this.settings;
    if (bytes > contentLengthMax) {
      this.refuseLarge(delivery, row, bytes);
      return;
    }
    const { builder } = this;
    if (builder && (builder.query !== raw?.query || !builder.fits(bytes, contentLengthMax))) this.seal();
    this.builder ??= new RequestBuilder(raw?.query, this.io.clock.monotonic());
    this.builder.add(delivery, row, pieces);
  }

  private refuseLarge(delivery: Delivery, row: number, bytes: number): void {
    const message = `event too large for given \`max_content_length\`: serialized event size was \`${bytes}\``;
    delivery.deadLetter(row, { code: hecNotices.tooLarge, message });
    this.context.warn({
      code: hecNotices.tooLarge,
      message: 'event too large for given `max_content_length`',
      notes: [`serialized event size was \`${bytes}\``],
      span: this.context.span,
    });
  }

  private seal(): void {
    if (!this.builder) return;
    this.sealed.push(this.builder.seal());
    this.builder = undefined;
    this.pump();
  }

  /** Resolves when something has changed. */
  private change(): Promise<void> {
    return new Promise(resolve => this.waiters.push(resolve));
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  /** Seals what is due, sends what can be sent; else comes back when one or the other may be. */
  private pump(): void {
    if (this.isAborted) return;
    const { builder } = this;
    if (builder && this.sealed.length === 0) {
      const age = this.io.clock.monotonic() - builder.sinceMs;
      const isDue = this.isFlushing || builder.bytes >= this.settings.contentLengthMax;
      if (isDue || age >= this.settings.bufferTimeoutMs) {
        this.seal();
        return;
      }
      this.later(this.settings.bufferTimeoutMs - age);
    }
    if (!builder && this.sealed.length === 0) this.isFlushing = false;
    while (this.sealed.length > 0 && this.canSend()) void this.send(this.sealed.shift()!);
    if (this.sealed.length === 0) this.wake();
  }

  private canSend(): boolean {
    const coming = this.target.ready();
    if (coming) {
      if (this.canReturn) this.giveBackUnsent();
      else this.comeBack(coming);
      return false;
    }
    return this.target.hasSlot && this.unconfirmedBytes < UNCONFIRMED_BYTES_MAX;
  }

  private comeBack(coming: Promise<void>): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    void coming.then(() => {
      this.isWaiting = false;
      this.pump();
    });
  }

  private later(ms: number): void {
    this.timer?.cancel();
    this.timer = this.io.clock.after(Math.max(1, ms), () => {
      this.timer = undefined;
      this.pump();
    });
  }

  private async send(request: HecRequest): Promise<void> {
    this.underway.add(request);
    const slow = this.io.clock.after(SLOW_MS, () => {
      this.isSlow = true;
      if (this.canReturn) this.giveBackUnsent();
    });
    try {
      const verdict = await this.target.send(request.body, request.query);
      slow.cancel();
      this.isSlow = false;
      this.underway.delete(request);
      if (!this.isAborted) this.deal(request, verdict);
    } catch (error) {
      slow.cancel();
      this.underway.delete(request);
      this.context.fail(error);
    }
    this.pump();
    this.wake();
  }

  private deal(request: HecRequest, verdict: Verdict): void {
    switch (verdict.kind) {
      case 'delivered':
        this.context.count('sent_bytes', request.body.length);
        request.delivered();
        return;
      case 'accepted':
        void this.confirm(request, verdict.confirmation);
        return;
      case 'refused':
        this.refuseOne(request, verdict.event, verdict.reason);
        return;
      case 'split':
        this.split(request, verdict.reason);
        return;
      case 'retry':
        this.again(request, verdict.isAttempt, verdict.reason);
        return;
    }
  }

  private async confirm(request: HecRequest, confirmation: Promise<boolean>): Promise<void> {
    this.unconfirmedBytes += request.body.length;
    const isConfirmed = await confirmation;
    this.unconfirmedBytes -= request.body.length;
    if (this.isAborted) return;
    if (isConfirmed) {
      this.context.count('sent_bytes', request.body.length);
      request.delivered();
    } else {
      this.context.countError('unconfirmed');
      this.context.count('possible_duplicates', request.count);
      this.again(request, false, 'no acknowledgement in time');
    }
    this.pump();
    this.wake();
  }

  /** One event is refused; the others go again. What stood before it may have been taken already. */
  private refuseOne(request: HecRequest, event: number, reason: string): void {
    if (!Number.isInteger(event) || event < 0 || event >= request.count) {
      this.split(request, reason);
      return;
    }
    request.refuse(event, { code: hecNotices.refused, message: reason });
    const rest: HecRequest[] = [];
    if (event > 0) rest.push(request.part(0, event));
    if (event < request.count - 1) rest.push(request.part(event + 1, request.count));
    this.context.count('possible_duplicates', event);
    this.context.count('retried', request.count - 1);
    this.sealed.unshift(...rest);
  }

  private split(request: HecRequest, reason: string): void {
    if (request.count === 1) {
      request.refuse(0, { code: hecNotices.refused, message: reason });
      return;
    }
    const half = request.count >>> 1;
    this.context.count('retried', request.count);
    this.sealed.unshift(request.part(0, half), request.part(half, request.count));
  }

  /** The rows wait at the head, or go to another endpoint. */
  private again(request: HecRequest, isAttempt: boolean, reason: string): void {
    const { maxAttempts } = this.settings;
    if (isAttempt && maxAttempts !== undefined && ++request.attempts >= maxAttempts) {
      request.refuseAll({ code: hecNotices.unknownAnswer, message: `${reason}, after ${request.attempts} attempts` });
      return;
    }
    this.context.count('retried', request.count);
    this.sealed.unshift(request);
    // With a bound on attempts they are made here: elsewhere nobody would know of those before.
    if (this.canReturn && !(isAttempt && maxAttempts !== undefined)) this.giveBackUnsent();
  }

  private giveBackUnsent(): void {
    const unsent = this.sealed;
    if (this.builder) unsent.push(this.builder.seal());
    this.sealed = [];
    this.builder = undefined;
    for (const request of unsent) request.giveBack();
    this.wake();
  }
}
