/**
 * A small HTTP Event Collector for the demo and for tests: a real HTTP server that checks tokens, answers as Splunk's does,
 * acknowledges, counts, and can be told to fail.
 *
 *   POST /services/collector[/event]   envelopes one after another, gzip or not
 *   POST /services/collector/raw       lines
 *   POST /services/collector/ack       {"acks":[…]} → {"acks":{"1":true}}
 *   GET  /services/collector/health    without a token
 *
 *   0 success · 2 token required (401) · 3 invalid authorization (401) · 4 invalid token (403) · 5 no data (400) ·
 *   6 invalid data format (400, with invalid-event-number) · 9 busy (503) · 10 channel missing (400) ·
 *   12 event field required (400) · 13 event field blank (400) · 14 acknowledgement disabled (400) · 17 healthy
 */
import { timingSafeEqual } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { type Address, addressText, MillraceError } from '../../base/index.ts';
import { type HttpReply, type HttpRequest, type HttpServer, listenHttp } from '../../base/io/local-server.ts';
import { documentEnd, parseJson, RecordValue } from '../../data/index.ts';

export interface ReceiverSettings {
  readonly token: string;
  /** Confirms requests by `ackId`. */
  readonly acknowledges: boolean;
}

export type Fault = 'none' | 'busy' | 'hang' | 'forbidden';

const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Requests whose acknowledgement nobody has asked for; the oldest are forgotten. */
const PENDING_ACKS_MAX = 10_000;

function reply(status: number, code: number, text: string, more: Readonly<Record<string, unknown>> = {}): HttpReply {
  return { status, type: 'application/json', body: JSON.stringify({ text, code, ...more }) };
}

export class HecReceiver {
  private readonly settings: ReceiverSettings;
  private readonly expected: Buffer;
  private server!: HttpServer;
  private readonly pendingAcks = new Set<number>();
  private nextAckId = 0;
  events = 0;
  requests = 0;
  refused = 0;
  fault: Fault = 'none';
  /** Sees each event taken. */
  onEvent: (envelope: RecordValue) => void = () => undefined;

  private constructor(settings: ReceiverSettings) {
    this.settings = settings;
    this.expected = Buffer.from(`Splunk ${settings.token}`);
  }

  static async start(
    settings: ReceiverSettings,
    address: Address = { host: '127.0.0.1', port: 0 },
  ): Promise<HecReceiver> {
    const receiver = new HecReceiver(settings);
    receiver.server = await listenHttp(address, BODY_BYTES_MAX, request => receiver.answer(request));
    return receiver;
  }

  get address(): Address {
    return this.server.address;
  }

  get url(): string {
    return `http://${addressText(this.address)}`;
  }

  close(): Promise<void> {
    return this.server.close();
  }

  private answer(request: HttpRequest): HttpReply | undefined {
    this.requests++;
    if (this.fault === 'hang') return undefined;
    const result = this.judge(request);
    if (result.status !== 200) this.refused++;
    return result;
  }

  private judge(request: HttpRequest): HttpReply {
    const { pathname, searchParams } = new URL(request.path, 'http://receiver');
    const path = pathname.replace(/\/1\.0$/, '');
    if (path === '/services/collector/health')
      return this.fault === 'busy' ? reply(503, 9, 'Server is busy') : reply(200, 17, 'HEC is healthy');
    const refusal = this.tokenRefusal(String(request.headers['authorization'] ?? ''));
    if (refusal) return refusal;
    if (this.fault === 'busy') return reply(503, 9, 'Server is busy');
    const hasChannel = request.headers['x-splunk-request-channel'] !== undefined || searchParams.has('channel');
    switch (path) {
      case '/services/collector':
      case '/services/collector/event':
        return this.take(request, hasChannel, envelopesOf);
      case '/services/collector/raw':
        return this.take(request, hasChannel, linesOf);
      case '/services/collector/ack':
        return hasChannel ? this.acknowledge(request.body) : reply(400, 10, 'Data channel is missing');
      default:
        return { status: 404, type: 'text/plain', body: 'not found\n' };
    }
  }

  private tokenRefusal(authorization: string): HttpReply | undefined {
    if (authorization === '') return reply(401, 2, 'Token is required');
    if (!authorization.startsWith('Splunk ')) return reply(401, 3, 'Invalid authorization');
    const given = Buffer.from(authorization);
    const isRight = given.length === this.expected.length && timingSafeEqual(given, this.expected);
    return isRight && this.fault !== 'forbidden' ? undefined : reply(403, 4, 'Invalid token');
  }

  private take(
    request: HttpRequest,
    hasChannel: boolean,
    read: (body: Uint8Array) => RecordValue[] | HttpReply,
  ): HttpReply {
    if (this.settings.acknowledges && !hasChannel) return reply(400, 10, 'Data channel is missing');
    const body = bodyOf(request);
    const taken = body && read(body);
    if (!taken) return reply(400, 6, 'Invalid data format');
    if (!Array.isArray(taken)) return taken;
    if (taken.length === 0) return reply(400, 5, 'No data');
    this.events += taken.length;
    for (const envelope of taken) this.onEvent(envelope);
    if (!this.settings.acknowledges) return reply(200, 0, 'Success');
    const ackId = this.nextAckId++;
    this.pendingAcks.add(ackId);
    if (this.pendingAcks.size > PENDING_ACKS_MAX) this.pendingAcks.delete(this.pendingAcks.values().next().value!);
    return reply(200, 0, 'Success', { ackId });
  }

  private acknowledge(body: Uint8Array): HttpReply {
    if (!this.settings.acknowledges) return reply(400, 14, 'ACK is disabled');
    let asked: unknown;
    try {
      asked = (JSON.parse(Buffer.from(body).toString()) as { readonly acks?: unknown } | null)?.acks;
    } catch {
      // Falls through to the same answer as another wrong form.
    }
    if (!Array.isArray(asked)) return reply(400, 6, 'Invalid data format');
    // Splunk forgets an acknowledgement once it has told of it.
    const acks = Object.fromEntries(asked.map(id => [String(id), this.pendingAcks.delete(Number(id))]));
    return { status: 200, type: 'application/json', body: JSON.stringify({ acks }) };
  }
}

/** The body as sent; undefined when it cannot be unpacked. */
function bodyOf({ body, headers }: HttpRequest): Uint8Array | undefined {
  if (headers['content-encoding'] !== 'gzip') return body;
  try {
    return gunzipSync(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch {
    return undefined;
  }
}

function envelopesOf(body: Uint8Array): RecordValue[] | HttpReply {
  const envelopes: RecordValue[] = [];
  const refused = (code: number, text: string): HttpReply =>
    reply(400, code, text, { 'invalid-event-number': envelopes.length });
  for (let at = 0; ; ) {
    try {
      const place = documentEnd(body, at, body.length);
      if (!place) return envelopes;
      const value = parseJson(body, place.start, place.end);
      if (!(value instanceof RecordValue)) return refused(6, 'Invalid data format');
      if (!value.has('event')) return refused(12, 'Event field is required');
      if (value.get('event') === '') return refused(13, 'Event field cannot be blank');
      envelopes.push(value);
      at = place.end;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return refused(6, 'Invalid data format');
    }
  }
}

function linesOf(body: Uint8Array): RecordValue[] {
  const lines = Buffer.from(body)
    .toString()
    .split(/\r?\n/)
    .filter(line => line !== '');
  return lines.map(line => new RecordValue(new Map([['event', line]])));
}
