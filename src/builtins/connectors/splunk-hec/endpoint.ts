/**
 * One endpoint (URL and token): requests, what to do with each answer, health, acknowledgements.
 *
 *   200            delivered; with an `ackId` only when `/services/collector/ack` says so
 *   400 + number   that event is refused, the rest again
 *   401, 403, 404  pause: they say nothing about the events
 *   400 code 7     pause (a constant index), or the request is halved until the event is found
 *   413            the request is halved; a single event that is too large is refused
 *   408, 429, 5xx, no connection, time-out: again with full jitter, `Retry-After` honoured
 *
 *   up ─(fails)─► down ─(wait over)─► probing ─(200)─► up
 *
 * Invariants
 * I1 channel, cookie and acknowledgement stay with the endpoint: an acknowledgement asked elsewhere means nothing.
 * I2 a pause never refuses an event.
 */
import { type Io, messageOf } from '../../../base/index.ts';
import type { HttpAnswer, HttpClient } from './http.ts';

export type Verdict =
  | { readonly kind: 'delivered' }
  /** Send again, perhaps elsewhere; the endpoint is down for a while. */
  | { readonly kind: 'retry'; readonly reason: string }
  /** One event of the request is refused. */
  | { readonly kind: 'refused'; readonly event: number; readonly reason: string; readonly wasFirst: boolean }
  | { readonly kind: 'split'; readonly reason: string }
  /** Accepted but never confirmed: sending it again may double it. */
  | { readonly kind: 'unconfirmed'; readonly reason: string };

const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const PAUSE_MS = 5_000;
const ACK_POLL_MS = 250;
const ACK_TIMEOUT_MS = 60_000;

interface HecReply {
  readonly code?: number;
  readonly text?: string;
  readonly ackId?: number;
  readonly 'invalid-event-number'?: number;
}

export class Endpoint {
  readonly url: URL;
  private readonly io: Io;
  private readonly http: HttpClient;
  private readonly token: () => string;
  private readonly compresses: boolean;
  private readonly hasConstantIndex: boolean;
  private readonly channel: string;
  private cookie: string | undefined;
  private failures = 0;
  private downUntilMs = 0;
  reason: string | undefined;

  constructor(parts: {
    readonly io: Io;
    readonly http: HttpClient;
    readonly url: URL;
    readonly token: () => string;
    readonly compresses: boolean;
    readonly hasConstantIndex: boolean;
  }) {
    this.io = parts.io;
    this.http = parts.http;
    this.url = parts.url;
    this.token = parts.token;
    this.compresses = parts.compresses;
    this.hasConstantIndex = parts.hasConstantIndex;
    const hex = Buffer.from(this.io.random.bytes(16)).toString('hex');
    this.channel = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  get isUp(): boolean {
    return this.reason === undefined;
  }

  /** Milliseconds until the endpoint may be tried; 0 when it may now. */
  get waitMs(): number {
    return Math.max(0, this.downUntilMs - this.io.clock.monotonic());
  }

  /** `query`: of a raw request, what holds for all its events. */
  async send(body: Uint8Array, query?: string): Promise<Verdict> {
    let answer: HttpAnswer;
    try {
      const path = query === undefined ? '/services/collector/event' : `/services/collector/raw${query}`;
      answer = await this.post(path, await this.encode(body), this.compresses);
    } catch (error) {
      return this.failed(messageOf(error), undefined);
    }
    const reply = parseReply(answer.body);
    const verdict = this.judge(answer, reply);
    if (verdict.kind !== 'delivered') return verdict;
    this.failures = 0;
    this.reason = undefined;
    return reply.ackId === undefined ? verdict : this.awaitAck(reply.ackId);
  }

  private judge(answer: HttpAnswer, reply: HecReply): Verdict {
    const text = `HTTP ${answer.status}${reply.text === undefined ? '' : `: ${reply.text}`}`;
    if (answer.status === 200) return { kind: 'delivered' };
    if (answer.status === 400) {
      const event = reply['invalid-event-number'];
      if (typeof event === 'number') return { kind: 'refused', event, reason: text, wasFirst: event === 0 };
      // Incorrect index: a constant one is a matter of configuration, not of the events.
      if (reply.code === 7 && this.hasConstantIndex) return this.paused(text);
      return { kind: 'split', reason: text };
    }
    if (answer.status === 413) return { kind: 'split', reason: text };
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) return this.paused(text);
    return this.failed(text, answer.retryAfterMs);
  }

  private failed(reason: string, retryAfterMs: number | undefined): Verdict {
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.failures++);
    return this.down(reason, retryAfterMs ?? Math.max(50, this.io.random.float() * most));
  }

  private paused(reason: string): Verdict {
    return this.down(reason, PAUSE_MS);
  }

  private down(reason: string, ms: number): Verdict {
    this.reason = reason;
    this.downUntilMs = this.io.clock.monotonic() + ms;
    return { kind: 'retry', reason };
  }

  private async awaitAck(ackId: number): Promise<Verdict> {
    const deadline = this.io.clock.monotonic() + ACK_TIMEOUT_MS;
    while (this.io.clock.monotonic() < deadline) {
      await new Promise<void>(resolve => this.io.clock.after(ACK_POLL_MS, resolve));
      try {
        const answer = await this.post(
          '/services/collector/ack',
          Buffer.from(JSON.stringify({ acks: [ackId] })),
          false,
        );
        const acks = (parseReply(answer.body) as { readonly acks?: Readonly<Record<string, boolean>> }).acks;
        if (acks?.[String(ackId)] === true) return { kind: 'delivered' };
      } catch (error) {
        this.reason = messageOf(error);
      }
    }
    this.down('no acknowledgement in time', BACKOFF_MS);
    return { kind: 'unconfirmed', reason: 'no acknowledgement in time' };
  }

  private async post(path: string, body: Uint8Array, isCompressed: boolean): Promise<HttpAnswer> {
    const url = new URL(path, this.url);
    url.searchParams.set('channel', this.channel);
    const answer = await this.http.post(
      url,
      {
        authorization: `Splunk ${this.token()}`,
        'content-type': 'application/json',
        'x-splunk-request-channel': this.channel,
        ...(isCompressed && { 'content-encoding': 'gzip' }),
        ...(this.cookie !== undefined && { cookie: this.cookie }),
      },
      body,
    );
    if (answer.cookie !== undefined) this.cookie = answer.cookie;
    return answer;
  }

  private async encode(body: Uint8Array): Promise<Uint8Array> {
    if (!this.compresses) return body;
    const { gzipSync } = await import('node:zlib');
    return gzipSync(body, { level: 1 });
  }
}

function parseReply(body: string): HecReply {
  try {
    const reply: unknown = JSON.parse(body);
    return typeof reply === 'object' && reply !== null ? (reply as HecReply) : {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}
