/**
 * Two Splunk collectors outside the cluster, behind the HTTP that the sink uses. One says at once that it has the events; the
 * other acknowledges them later, and forgets what it has not acknowledged when it is started anew. While there are faults
 * both refuse, hang and lose connections, before or after they have taken what was sent.
 *
 * Invariants
 * I1 what was answered with success by the one, or acknowledged by the other, is kept for good.
 */
import type { Io } from '../../src/base/index.ts';
import { builtins } from '../../src/builtins/index.ts';
import { makeSplunkSink, toSplunk } from '../../src/builtins/connectors/splunk-hec/index.ts';
import { eventsOf } from '../../src/builtins/connectors/splunk-hec/hec-cases.ts';
import { type Http, type HttpAnswer, HttpTimeout } from '../../src/builtins/connectors/splunk-hec/http.ts';
import type { OperatorDefinition, Registry } from '../../src/sdk/index.ts';
import { COLLECTOR, type Run } from './run.ts';
import { valueOf } from './clients.ts';

const TRAVEL_MS = 5;
const INDEX_MS = 800;
const HEALTHY = { text: 'HEC is healthy', code: 17 };
const SUCCESS = { text: 'Success', code: 0 };
const BUSY = { text: 'Server is busy', code: 9 };

interface Answer {
  readonly status: number;
  readonly body: object;
}

export class Collectors {
  private readonly run: Run;
  /** Of the one that acknowledges: events by id, not yet indexed; and ids that it has not told of yet. */
  private waiting = new Map<number, readonly string[]>();
  private confirmed = new Set<number>();
  private nextId = 0;

  constructor(run: Run) {
    this.run = run;
  }

  /** Builtins whose `to_splunk` talks to these collectors. */
  registry(io: Io): Registry {
    const operators = new Map<string, OperatorDefinition>(builtins.operators);
    const create: typeof toSplunk.create = (args, context) => makeSplunkSink(args, context, this.http(io));
    operators.set('to_splunk', { ...toSplunk, create } as OperatorDefinition);
    return { ...builtins, operators };
  }

  /** The one that acknowledges begins anew. */
  restart(): void {
    this.waiting = new Map();
    this.confirmed = new Set();
    this.nextId = 0;
  }

  private http(io: Io): Http {
    const { random } = this.run.world;
    let isClosed = false;
    return {
      close: () => {
        isClosed = true;
        return Promise.resolve();
      },
      request: (_method, url, _headers, body, timeoutMs) =>
        new Promise<HttpAnswer>((resolve, reject) => {
          const timer = io.clock.after(timeoutMs, () => reject(new HttpTimeout(`no answer within ${timeoutMs} ms`)));
          const luck = this.run.isQuiet ? 1 : random.float();
          const text = Buffer.from(body ?? []).toString();
          const travel = (call: () => void): void => void this.run.world.after(random.float() * TRAVEL_MS, call);
          // It arrives whether its sender lives or not.
          if (luck < 0.03) return;
          travel(() => {
            const answer = luck < 0.08 ? { status: 503, body: BUSY } : this.answer(url, text);
            if (luck < 0.11) return;
            io.clock.after(random.float() * TRAVEL_MS, () => {
              timer.cancel();
              if (isClosed || luck < 0.14) reject(new Error('read ECONNRESET'));
              else resolve({ ...answer, body: JSON.stringify(answer.body), retryAfterMs: undefined, cookies: [] });
            });
          });
        }),
    };
  }

  private answer({ hostname, pathname }: URL, body: string): Answer {
    if (pathname.endsWith('/health')) return { status: 200, body: HEALTHY };
    if (pathname.endsWith('/ack')) {
      const { acks } = JSON.parse(body) as { acks: number[] };
      return { status: 200, body: { acks: Object.fromEntries(acks.map(id => [id, this.confirmed.delete(id)])) } };
    }
    const values = eventsOf(body).map(event => valueOf(Buffer.from(String(event))));
    if (hostname === 'hec-a') {
      this.keep(values);
      return { status: 200, body: SUCCESS };
    }
    const ackId = this.nextId++;
    const { waiting } = this;
    waiting.set(ackId, values);
    this.run.world.after(this.run.world.random.float() * INDEX_MS, () => {
      if (waiting !== this.waiting) return;
      waiting.delete(ackId);
      this.keep(values);
      this.confirmed.add(ackId);
    });
    return { status: 200, body: { ...SUCCESS, ackId } };
  }

  private keep(values: readonly string[]): void {
    const { checks, plant, world } = this.run;
    for (const value of values) if (plant.isKept?.(world.random) ?? true) checks.delivered(COLLECTOR, value);
  }
}
