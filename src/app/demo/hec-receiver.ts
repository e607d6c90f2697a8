/**
 * A small HTTP Event Collector for the demo and for tests: a real HTTP server that checks tokens, answers as Splunk's does,
 * acknowledges, counts, and can be told to fail.
 *
 *   POST /services/collector/event   envelopes one after another, gzip or not
 *   POST /services/collector/ack     {"acks":[…]} → {"acks":{"1":true}}
 *
 *   0 Success · 2 token required (401) · 4 invalid token (403) · 5 no data (400) · 6 invalid data format (400, with
 *   invalid-event-number) · 9 server busy (503) · 10 channel missing (400) · 12 event field required (400)
 */
import { gunzipSync } from 'node:zlib';
import { type Address, MillraceError } from '../../base/index.ts';
import { type HttpReply, type HttpRequest, listenHttp } from '../../base/io/local-server.ts';
import { documentEnd, parseJson, RecordValue } from '../../data/index.ts';

export interface ReceiverSettings {
  readonly token: string;
  /** Confirms requests by `ackId`. */
  readonly acknowledges: boolean;
}

export type Fault = 'none' | 'busy' | 'hang' | 'forbidden';

function reply(status: number, code: number, text: string, more: Readonly<Record<string, unknown>> = {}): HttpReply {
  return { status, type: 'application/json', body: JSON.stringify({ text, code, ...more }) };
}

export class HecReceiver {
  readonly address: Address;
  private readonly settings: ReceiverSettings;
  private readonly closeServer: () => Promise<void>;
  private readonly pendingAcks = new Set<number>();
  private nextAckId = 0;
  events = 0;
  requests = 0;
  refused = 0;
  fault: Fault = 'none';
  /** Sees each event taken. */
  onEvent: (envelope: RecordValue) => void = () => undefined;

  private constructor(settings: ReceiverSettings, address: Address, close: () => Promise<void>) {
    this.settings = settings;
    this.address = address;
    this.closeServer = close;
  }

  static async start(
    settings: ReceiverSettings,
    address: Address = { host: '127.0.0.1', port: 0 },
  ): Promise<HecReceiver> {
    let receiver: HecReceiver | undefined;
    const server = await listenHttp(address, request => receiver?.answer(request));
    receiver = new HecReceiver(settings, server.address, () => server.close());
    return receiver;
  }

  get url(): string {
    return `http://${this.address.host}:${this.address.port}`;
  }

  close(): Promise<void> {
    return this.closeServer();
  }

  private answer(request: HttpRequest): HttpReply | undefined {
    this.requests++;
    if (this.fault === 'hang') return undefined;
    const result = this.judge(request);
    if (result.status !== 200) this.refused++;
    return result;
  }

  private judge(request: HttpRequest): HttpReply {
    const authorization = String(request.headers['authorization'] ?? '');
    if (authorization === '') return reply(401, 2, 'Token is required');
    if (authorization !== `Splunk ${this.settings.token}` || this.fault === 'forbidden')
      return reply(403, 4, 'Invalid token');
    if (this.fault === 'busy') return reply(503, 9, 'Server is busy');
    const path = request.path.split('?')[0];
    if (path === '/services/collector/ack') return this.acknowledge(request.body);
    if (path !== '/services/collector/event' && path !== '/services/collector') return reply(404, 404, 'Not found');
    const hasChannel = request.headers['x-splunk-request-channel'] !== undefined || request.path.includes('channel=');
    if (this.settings.acknowledges && !hasChannel) return reply(400, 10, 'Data channel is missing');
    return this.take(request);
  }

  private take(request: HttpRequest): HttpReply {
    const isCompressed = request.headers['content-encoding'] === 'gzip';
    const body = isCompressed ? gunzipSync(request.body) : request.body;
    const envelopes: RecordValue[] = [];
    let at = 0;
    for (;;) {
      try {
        const place = documentEnd(body, at, body.length);
        if (!place) break;
        const value = parseJson(body, place.start, place.end);
        if (!(value instanceof RecordValue))
          return reply(400, 6, 'Invalid data format', { 'invalid-event-number': envelopes.length });
        if (!value.has('event'))
          return reply(400, 12, 'Event field is required', { 'invalid-event-number': envelopes.length });
        envelopes.push(value);
        at = place.end;
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        return reply(400, 6, 'Invalid data format', { 'invalid-event-number': envelopes.length });
      }
    }
    if (envelopes.length === 0) return reply(400, 5, 'No data');
    this.events += envelopes.length;
    for (const envelope of envelopes) this.onEvent(envelope);
    if (!this.settings.acknowledges) return reply(200, 0, 'Success');
    const ackId = this.nextAckId++;
    this.pendingAcks.add(ackId);
    return reply(200, 0, 'Success', { ackId });
  }

  private acknowledge(body: Uint8Array): HttpReply {
    const asked = JSON.parse(Buffer.from(body).toString()) as { readonly acks?: readonly number[] };
    const acks: Record<string, boolean> = {};
    // Splunk forgets an acknowledgement once it has told of it.
    for (const id of asked.acks ?? []) acks[String(id)] = this.pendingAcks.delete(id);
    return { status: 200, type: 'application/json', body: JSON.stringify({ acks }) };
  }
}
