/**
 * HTTP for the collector: undici behind the few words that the sink needs, loaded when the first request is made.
 *
 * `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` decide about a proxy; the TLS settings hold for the collector, with or without
 * one in between. Time-outs run on the seam's clock and cover the whole exchange.
 */
import type { Dispatcher } from 'undici';
import type { Io } from '../../../base/index.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs: number | undefined;
  /** Cookies that are set, `name=value` with their attributes. */
  readonly cookies: readonly string[];
}

export interface HttpTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** `1.0` to `1.3`. */
  readonly minVersion?: string;
  /** In OpenSSL's form. */
  readonly ciphers?: string;
  readonly verify: boolean;
}

/** An answer that says more is cut: it is read for its code and shown to people. */
const BODY_BYTES_MAX = 65_536;
const CONNECT_TIMEOUT_MS = 10_000;

export class HttpTimeout extends Error {}

export interface Http {
  /** Resolves with the answer, whatever its status; rejects when there is none in time. Cookies are the caller's. */
  request(
    method: 'GET' | 'POST',
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<HttpAnswer>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

export class HttpClient implements Http {
  private readonly io: Io;
  private readonly tls: HttpTls;
  private dispatcher: Promise<Dispatcher> | undefined;
  private isClosed = false;

  constructor(io: Io, tls: HttpTls) {
    this.io = io;
    this.tls = tls;
  }

  async request(
    method: 'GET' | 'POST',
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const { request } = await import('undici');
    if (this.isClosed) throw new Error('the sink is closed');
    this.dispatcher ??= this.makeDispatcher();
    const abort = new AbortController();
    const reason = new HttpTimeout(`no answer within ${timeoutMs / 1_000} s`);
    const timer = this.io.clock.after(timeoutMs, () => abort.abort(reason));
    try {
      const answer = await request(url, {
        method,
        headers,
        ...(body && { body }),
        dispatcher: await this.dispatcher,
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: abort.signal,
      });
      const cookies = answer.headers['set-cookie'] ?? [];
      return {
        status: answer.statusCode,
        body: await textOf(answer.body),
        retryAfterMs: retryAfter(answer.headers['retry-after'], this.io.clock.now()),
        cookies: Array.isArray(cookies) ? cookies : [cookies],
      };
    } catch (error) {
      throw abort.signal.aborted ? reason : error;
    } finally {
      timer.cancel();
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await (await this.dispatcher)?.destroy();
  }

  private async makeDispatcher(): Promise<Dispatcher> {
    const { EnvHttpProxyAgent } = await import('undici');
    const { ca, cert, ciphers, key, minVersion, verify } = this.tls;
    const tls = {
      rejectUnauthorized: verify,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(minVersion !== undefined && { minVersion: tlsVersion(minVersion) }),
      ...(ciphers !== undefined && { ciphers }),
    };
    return new EnvHttpProxyAgent({ connect: { ...tls, timeout: CONNECT_TIMEOUT_MS }, requestTls: tls });
  }
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    if (bytes < BODY_BYTES_MAX) pieces.push(piece);
    bytes += piece.length;
    // A peer that never stops is not listened to; what it has said is enough.
    if (bytes > 16 * BODY_BYTES_MAX) break;
  }
  return Buffer.concat(pieces).toString('utf8', 0, BODY_BYTES_MAX);
}

function tlsVersion(text: string): 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' {
  return (text === '1.0' ? 'TLSv1' : `TLSv${text}`) as 'TLSv1.3';
}

/** Seconds, or a date. */
function retryAfter(value: string | string[] | undefined, nowMs: number): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  if (text === undefined || text.trim() === '') return undefined;
  const seconds = Number(text);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - nowMs : seconds * 1_000;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}
