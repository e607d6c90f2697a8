/**
 * One endpoint (URL and token): requests, what each answer means, health, acknowledgements.
 *
 *   2xx                         delivered; with an `ackId` when `/services/collector/ack` confirms it
 *   400 code 7                  paused where the index is constant; else as the next two rows
 *   400 + invalid-event-number  that event is refused, the rest goes again
 *   400 code 5, 6, 12, 13, 15   some event is refused: the request is halved until it is found
 *   400 code 10, 11, 14, 16, 21, 22   paused: channel, acknowledgement and token say nothing about events
 *   401, 403, 404               paused
 *   413                         the request is halved; a single event that is too large is refused
 *   408, 429, 5xx, no answer    again with full jitter, `Retry-After` honoured
 *   anything else               again, counted as an attempt
 *
 *   up ─(fails)─► down ─(wait over)─► checking ─(healthy)─► probing: one request ─(taken)─► up
 *                  ▲                     └─(not)─┐              └─(fails)─┐
 *                  └─────────────────────────────┴────────────────────────┘
 *
 * `checking` asks `/services/collector/health`; a collector without it is probed with data. How many requests may be under
 * way is found by additive increase and multiplicative decrease, between 1 and `parallel`.
 *
 * Invariants
 * I1 channel, cookies and acknowledgements stay with the endpoint: an acknowledgement asked elsewhere means nothing.
 * I2 a pause never refuses an event.
 * I3 while the endpoint is not up at most one request is under way.
 */
import { gzipSync } from 'node:zlib';
import { type Io, messageOf } from '../../../base/index.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { CookieJar } from './cookies.ts';
import { type HttpAnswer, type Http, HttpTimeout } from './http.ts';

export type Verdict =
  | { readonly kind: 'delivered' }
  /** Taken; resolves with whether it was confirmed. */
  | { readonly kind: 'accepted'; readonly confirmation: Promise<boolean> }
  /** Send again, perhaps elsewhere; the endpoint is down for a while. `isAttempt`: an answer that nobody knows. */
  | { readonly kind: 'retry'; readonly reason: string; readonly isAttempt: boolean }
  /** One event of the request is refused. */
  | { readonly kind: 'refused'; readonly event: number; readonly reason: string }
  | { readonly kind: 'split'; readonly reason: string };

export interface EndpointSettings {
  readonly url: URL;
  readonly token: string;
  readonly compresses: boolean;
  readonly hasConstantIndex: boolean;
  readonly timeoutMs: number;
  readonly ackTimeoutMs: number;
  readonly parallel: number;
}

const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** What a person has to mend is asked for less often. */
const PAUSE_MS = 2_000;
const PAUSE_MAX_MS = 60_000;
const WAIT_MIN_MS = 50;
const RETRY_AFTER_MAX_MS = 600_000;
const HEALTH_TIMEOUT_MS = 5_000;
const INDEX = 7;
const EVENT_CODES: ReadonlySet<number> = new Set([5, 6, 12, 13, 15]);
const SETUP_CODES: ReadonlySet<number> = new Set([10, 11, 14, 16, 21, 22]);
/** 200, and the collector says that its queues fill up. */
const NEARLY_FULL: ReadonlySet<number> = new Set([24, 25]);

interface HecReply {
  readonly code?: number;
  readonly text?: string;
  readonly ackId?: number;
  readonly 'invalid-event-number'?: number;
}

export class Endpoint {
  readonly url: URL;
  private readonly io: Io;
  private readonly http: Http;
  private readonly settings: EndpointSettings;
  private readonly channel: string;
  private readonly cookies = new CookieJar();
  private readonly acknowledgements: Acknowledgements;
  private readonly countError: (kind: string) => void;
  private state: 'up' | 'down' | 'checking' | 'probing' = 'up';
  private failures = 0;
  private pauses = 0;
  private downUntilMs = 0;
  private limit = 1;
  private underway = 0;
  private hasHealth = true;
  private hasAcknowledgements = false;
  private coming: Promise<void> | undefined;
  private isAborted = false;
  /** Why it is not up. */
  reason: string | undefined;

  constructor(io: Io, http: Http, settings: EndpointSettings, countError: (kind: string) => void) {
    this.io = io;
    this.http = http;
    this.settings = settings;
    this.url = settings.url;
    this.countError = countError;
    this.limit = settings.parallel;
    this.acknowledgements = new Acknowledgements(io, settings.ackTimeoutMs, ids => this.confirmed(ids));
    const hex = Buffer.from(io.random.bytes(16)).toString('hex');
    this.channel = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  get isUp(): boolean {
    return this.state === 'up';
  }

  /** Milliseconds until the endpoint is looked at again; 0 when it is now. */
  get waitMs(): number {
    return Math.max(0, this.downUntilMs - this.io.clock.monotonic());
  }

  /** Requests that may be under way at a time. */
  get concurrencyLimit(): number {
    return Math.max(1, Math.floor(this.limit));
  }

  get unconfirmed(): number {
    return this.acknowledgements.count;
  }

  /** Undefined when a request can be sent now, but for those that are under way; else resolves when that may have changed. */
  ready(): Promise<void> | undefined {
    if (this.isAborted || this.state === 'up' || (this.state === 'probing' && this.underway === 0)) return undefined;
    if (this.state === 'probing') return new Promise(resolve => this.io.clock.after(WAIT_MIN_MS, resolve));
    this.coming ??= this.comeBack().finally(() => {
      this.coming = undefined;
    });
    return this.coming;
  }

  get hasSlot(): boolean {
    return this.underway < (this.state === 'up' ? this.concurrencyLimit : 1);
  }

  /** `query`: of a raw request, what holds for all its events. */
  async send(body: Uint8Array, query: string | undefined): Promise<Verdict> {
    this.underway++;
    const request = this.acknowledgements.sent();
    try {
      const answer = await this.post(body, query);
      const verdict = this.judge(answer);
      if (isCollectors(answer)) this.acknowledgements.answered(request);
      else this.acknowledgements.lost(request);
      return verdict;
    } catch (error) {
      this.acknowledgements.lost(request);
      const isTimeout = error instanceof HttpTimeout;
      return this.failed(isTimeout ? 'timeout' : 'connection', causeOf(error), undefined);
    } finally {
      this.underway--;
    }
  }

  abort(): void {
    this.isAborted = true;
    this.acknowledgements.abort();
  }

  private judge(answer: HttpAnswer): Verdict {
    const { retryAfterMs, status } = answer;
    const reply = parseReply(answer.body);
    const { code } = reply;
    const text = `HTTP ${status}${reply.text === undefined ? '' : `: ${reply.text}`}`;
    if (status >= 200 && status < 300) return this.taken(reply);
    if (status === 400) {
      const event = reply['invalid-event-number'];
      if (code === INDEX && this.settings.hasConstantIndex) return this.paused('index', text);
      if (typeof event === 'number') return this.said({ kind: 'refused', event, reason: text });
      if (code !== undefined && SETUP_CODES.has(code)) return this.paused('setup', text);
      if (code === INDEX || (code !== undefined && EVENT_CODES.has(code)))
        return this.said({ kind: 'split', reason: text });
    }
    if (status === 413) return this.said({ kind: 'split', reason: text });
    if (status === 401 || status === 403 || status === 404) return this.paused('refused', text);
    if (status === 408 || status === 429) return this.failed('busy', text, retryAfterMs);
    if (status >= 500) return this.failed(status === 503 ? 'busy' : 'server', text, retryAfterMs);
    return { ...this.failed('unexpected', text, retryAfterMs), isAttempt: true };
  }

  private taken(reply: HecReply): Verdict {
    this.alive();
    if (reply.code !== undefined && NEARLY_FULL.has(reply.code)) this.limit = Math.max(1, this.limit / 2);
    else this.limit = Math.min(this.settings.parallel, this.limit + 1 / this.limit);
    const { ackId } = reply;
    if (typeof ackId !== 'number') return { kind: 'delivered' };
    this.hasAcknowledgements = true;
    return { kind: 'accepted', confirmation: this.acknowledgements.wait(ackId) };
  }

  /** The collector has looked at the events: it is well, whatever it thinks of them. */
  private said<V extends Verdict>(verdict: V): V {
    this.countError(verdict.kind === 'refused' ? 'event' : 'request');
    this.alive();
    return verdict;
  }

  private alive(): void {
    this.state = 'up';
    this.failures = 0;
    this.pauses = 0;
    this.reason = undefined;
  }

  private failed(kind: string, reason: string, retryAfterMs: number | undefined): Extract<Verdict, { kind: 'retry' }> {
    this.countError(kind);
    this.limit = Math.max(1, this.limit / 2);
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.failures++);
    const wait =
      retryAfterMs === undefined ? this.io.random.float() * most : Math.min(RETRY_AFTER_MAX_MS, retryAfterMs);
    return this.down(reason, wait);
  }

  private paused(kind: string, reason: string): Verdict {
    this.countError(kind);
    const most = Math.min(PAUSE_MAX_MS, PAUSE_MS * 2 ** this.pauses++);
    return this.down(reason, this.io.random.float() * most);
  }

  private down(reason: string, ms: number): Extract<Verdict, { kind: 'retry' }> {
    this.state = 'down';
    this.reason = reason;
    this.downUntilMs = this.io.clock.monotonic() + Math.max(WAIT_MIN_MS, ms);
    return { kind: 'retry', reason, isAttempt: false };
  }

  private async comeBack(): Promise<void> {
    const { waitMs } = this;
    if (waitMs > 0) await new Promise<void>(resolve => this.io.clock.after(waitMs, resolve));
    if (this.isAborted || this.state !== 'down' || this.waitMs > 0) return;
    this.state = 'checking';
    const reason = await this.illness();
    if (this.state !== 'checking') return;
    if (reason === undefined) this.state = 'probing';
    else this.failed('health', reason, undefined);
  }

  /** Why the collector takes nothing, by its own word; undefined when it may. */
  private async illness(): Promise<string | undefined> {
    if (!this.hasHealth) return undefined;
    try {
      const url = this.at('/services/collector/health');
      if (this.hasAcknowledgements) url.searchParams.set('ack', '1');
      const answer = await this.http.request('GET', url, this.headers(), undefined, HEALTH_TIMEOUT_MS);
      this.cookies.take(answer.cookies);
      if (answer.status >= 500 || answer.status === 429)
        return `HTTP ${answer.status}: ${parseReply(answer.body).text ?? 'not healthy'}`;
      this.hasHealth = answer.status !== 404 && answer.status !== 405;
      return undefined;
    } catch (error) {
      return causeOf(error);
    }
  }

  private async confirmed(ids: readonly number[]): Promise<ReadonlySet<number>> {
    try {
      const url = this.at('/services/collector/ack');
      const body = Buffer.from(JSON.stringify({ acks: ids }));
      const headers = { ...this.headers(), 'content-type': 'application/json' };
      const answer = await this.http.request('POST', url, headers, body, this.settings.timeoutMs);
      this.cookies.take(answer.cookies);
      const { acks } = parseReply(answer.body) as { readonly acks?: Readonly<Record<string, boolean>> };
      return new Set(ids.filter(id => acks?.[String(id)] === true));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.countError('acknowledgement');
      return new Set();
    }
  }

  private async post(body: Uint8Array, query: string | undefined): Promise<HttpAnswer> {
    const isRaw = query !== undefined;
    const url = this.at(isRaw ? `/services/collector/raw${query}` : '/services/collector/event');
    const { compresses, timeoutMs } = this.settings;
    const headers = {
      ...this.headers(),
      'content-type': isRaw ? 'text/plain; charset=utf-8' : 'application/json',
      ...(compresses && { 'content-encoding': 'gzip' }),
    };
    const answer = await this.http.request(
      'POST',
      url,
      headers,
      compresses ? gzipSync(body, { level: 1 }) : body,
      timeoutMs,
    );
    this.cookies.take(answer.cookies);
    return answer;
  }

  /** Behind whatever path the base URL has: a proxy may stand in front. */
  private at(path: string): URL {
    const url = new URL(this.url);
    const [name = '', query = ''] = path.split('?');
    url.pathname = url.pathname.replace(/\/+$/, '') + name;
    url.search = query;
    url.searchParams.set('channel', this.channel);
    return url;
  }

  private headers(): Record<string, string> {
    const cookie = this.cookies.header;
    return {
      authorization: `Splunk ${this.settings.token}`,
      'user-agent': 'millrace',
      'x-splunk-request-channel': this.channel,
      ...(cookie !== undefined && { cookie }),
    };
  }
}

/** False where a proxy gives up: the collector may have taken the request. */
function isCollectors({ body, status }: HttpAnswer): boolean {
  return status < 500 || parseReply(body).code !== undefined;
}

/** Connection errors hide what happened in their causes. */
function causeOf(error: unknown): string {
  const own = messageOf(error);
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : '';
  const text = own === '' || own === 'fetch failed' ? cause : own;
  return text === '' && error instanceof Error ? error.name : text;
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
