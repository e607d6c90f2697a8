/**
 * The demo: a generator that speaks the Kafka protocol feeds OCSF events into the broker, two collectors receive what the
 * pipeline balances over them, and one of them fails for some seconds now and then.
 */
import type { Address, Io, Timer } from '../../base/index.ts';
import { clientSettings, type Cluster, makeCluster, Producer } from '../../client/index.ts';
import { EventMaker } from './events.ts';
import { HecReceiver } from './hec-receiver.ts';

export const DEMO_TOKEN = 'demo-token';
export const DEMO_TOPIC = 'ocsf-events';
const EVENTS_PER_SECOND = 2_000;
const SLICE_MS = 50;
const TOPIC_BYTES_MAX = 900 * 1024 * 1024;
/** The second collector is busy for the last part of each period. */
const FAULT_PERIOD_MS = 30_000;
const FAULT_MS = 8_000;

export class Demo {
  readonly receivers: readonly HecReceiver[];
  private readonly io: Io;
  private cluster: Cluster | undefined;
  private producer: Producer | undefined;
  private timer: Timer | undefined;
  private startedMs = 0;
  sent = 0;
  acknowledged = 0;
  failed = 0;

  private constructor(io: Io, receivers: readonly HecReceiver[]) {
    this.io = io;
    this.receivers = receivers;
  }

  static async start(io: Io): Promise<Demo> {
    const settings = { token: DEMO_TOKEN, acknowledges: true };
    return new Demo(io, [await HecReceiver.start(settings), await HecReceiver.start(settings)]);
  }

  /** Begins to produce, once the broker listens. */
  async feed(address: Address): Promise<void> {
    const properties = new Map([
      ['bootstrap.servers', `${address.host}:${address.port}`],
      ['client.id', 'demo-generator'],
      ['linger.ms', '20'],
    ]);
    const settings = clientSettings(this.io, properties);
    this.cluster = makeCluster(this.io, settings);
    this.producer = new Producer(this.cluster, settings.producer);
    await this.producer.prepare(DEMO_TOPIC);
    this.startedMs = this.io.clock.monotonic();
    this.slice(new EventMaker(this.io.clock.now() >>> 0));
  }

  /** Stops producing; what was sent is acknowledged first. */
  async quiet(): Promise<void> {
    this.timer?.cancel();
    this.timer = undefined;
    await this.producer?.close();
    await this.cluster?.close();
    for (const receiver of this.receivers) receiver.fault = 'none';
  }

  async close(): Promise<void> {
    await Promise.all(this.receivers.map(receiver => receiver.close()));
  }

  private slice(maker: EventMaker): void {
    const elapsed = this.io.clock.monotonic() - this.startedMs;
    const due = Math.floor((elapsed / 1_000) * EVENTS_PER_SECOND);
    // After a pause (a sleeping laptop) it goes on at its rate instead of catching up.
    const missing = Math.min(due - this.sent, EVENTS_PER_SECOND);
    const done = (tags: readonly number[], error: Error | undefined): void => {
      if (error) this.failed += tags.length;
      else this.acknowledged += tags.length;
    };
    const now = this.io.clock.now();
    for (let i = 0; i < missing; i++) {
      this.producer!.append(
        DEMO_TOPIC,
        undefined,
        { key: null, value: Buffer.from(maker.next(now)), timestampMs: now },
        done,
      );
    }
    this.sent = due;
    const phase = elapsed % FAULT_PERIOD_MS;
    this.receivers[1]!.fault = phase > FAULT_PERIOD_MS - FAULT_MS ? 'busy' : 'none';
    this.timer = this.io.clock.after(SLICE_MS, () => this.slice(maker));
  }
}

export const DEMO_TOPIC_CONFIGS: ReadonlyMap<string, string> = new Map([
  ['retention.bytes', String(TOPIC_BYTES_MAX / 2)],
]);
