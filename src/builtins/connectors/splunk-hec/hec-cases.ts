/**
 * For tests: a collector's side of the conversation in simulated time. Each request is answered by what the test says, some
 * milliseconds later; `hang` never.
 */
import { gunzipSync } from 'node:zlib';
import type { Clock } from '../../../base/index.ts';
import { type Http, type HttpAnswer, HttpTimeout } from './http.ts';

export interface FakeRequest {
  readonly method: 'GET' | 'POST';
  readonly host: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly atMs: number;
}

export type FakeAnswer =
  | 'hang'
  | 'reset'
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly retryAfterMs?: number;
      readonly cookies?: readonly string[];
      readonly afterMs?: number;
    };

export const OK: FakeAnswer = { status: 200, body: { text: 'Success', code: 0 } };

export class FakeHec implements Http {
  readonly requests: FakeRequest[] = [];
  answer: (request: FakeRequest) => FakeAnswer = () => OK;
  isClosed = false;
  /** Requests without an answer, and the most that there were at a time. */
  underway = 0;
  mostUnderway = 0;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Requests with events, without questions of health and acknowledgement. */
  get sent(): readonly FakeRequest[] {
    return this.requests.filter(({ path }) => path.endsWith('/event') || path.endsWith('/raw'));
  }

  request(
    method: 'GET' | 'POST',
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const bytes = headers['content-encoding'] === 'gzip' ? gunzipSync(body!) : (body ?? new Uint8Array(0));
    const request: FakeRequest = {
      method,
      host: url.host,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers,
      body: Buffer.from(bytes).toString(),
      atMs: this.clock.monotonic(),
    };
    this.requests.push(request);
    const answer = this.answer(request);
    this.mostUnderway = Math.max(this.mostUnderway, ++this.underway);
    return new Promise<HttpAnswer>((resolve, reject) => {
      if (answer === 'hang')
        this.clock.after(timeoutMs, () => reject(new HttpTimeout(`no answer within ${timeoutMs / 1_000} s`)));
      else if (answer === 'reset') this.clock.after(1, () => reject(new Error('read ECONNRESET')));
      else {
        const { afterMs = 1, body: reply, cookies = [], retryAfterMs, status } = answer;
        const text = typeof reply === 'string' ? reply : JSON.stringify(reply ?? {});
        this.clock.after(afterMs, () => resolve({ status, body: text, retryAfterMs, cookies }));
      }
    }).finally(() => this.underway--);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** The `event` fields of a body of envelopes. */
export function eventsOf(body: string): unknown[] {
  return body === '' ? [] : (JSON.parse(`[${body.replaceAll('}{', '},{')}]`) as { event: unknown }[]).map(e => e.event);
}
