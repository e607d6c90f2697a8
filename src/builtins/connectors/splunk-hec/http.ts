/** HTTP for the collector: undici behind the few words that the sink needs, loaded when the first request is made. */
import type { Dispatcher } from 'undici';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs: number | undefined;
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

const BODY_CHARS_MAX = 65_536;
const TIMEOUT_MS = 30_000;

export class HttpClient {
  private readonly tls: HttpTls;
  private dispatcher: Promise<Dispatcher> | undefined;

  constructor(tls: HttpTls) {
    this.tls = tls;
  }

  /** POSTs and resolves with the answer, whatever its status; rejects when there is none. Cookies are the caller's. */
  async post(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
  ): Promise<HttpAnswer & { readonly cookie: string | undefined }> {
    const { request } = await import('undici');
    this.dispatcher ??= this.makeDispatcher();
    const answer = await request(url, {
      method: 'POST',
      headers,
      body,
      dispatcher: await this.dispatcher,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const text = (await answer.body.text()).slice(0, BODY_CHARS_MAX);
    const cookies = answer.headers['set-cookie'];
    const cookie = (Array.isArray(cookies) ? cookies : cookies === undefined ? [] : [cookies])
      .map(value => value.split(';')[0])
      .join('; ');
    return {
      status: answer.statusCode,
      body: text,
      retryAfterMs: retryAfter(answer.headers['retry-after']),
      cookie: cookie === '' ? undefined : cookie,
    };
  }

  async close(): Promise<void> {
    await (await this.dispatcher)?.destroy();
  }

  private async makeDispatcher(): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent } = await import('undici');
    const { ca, cert, ciphers, key, minVersion, verify } = this.tls;
    const connect = {
      rejectUnauthorized: verify,
      timeout: 10_000,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(minVersion !== undefined && { minVersion: tlsVersion(minVersion) }),
      ...(ciphers !== undefined && { ciphers }),
    };
    // The proxy variables are read by the agent; without one it connects directly.
    const hasTls = ca !== undefined || cert !== undefined || !verify;
    return hasTls ? new Agent({ connect }) : new EnvHttpProxyAgent({ connect });
  }
}

function tlsVersion(text: string): 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' {
  return (text === '1.0' ? 'TLSv1' : `TLSv${text}`) as 'TLSv1.3';
}

function retryAfter(value: string | string[] | undefined): number | undefined {
  const seconds = Number(Array.isArray(value) ? value[0] : value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}
