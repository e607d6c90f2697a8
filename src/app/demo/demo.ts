/**
 * The demo: a generator that speaks the Kafka protocol feeds OCSF events into the broker, two collectors receive what the
 * pipeline balances over them, and one of them is busy for some seconds now and then.
 *
 * Started again it goes on where it was: the number of the next event is the end of the topic.
 */
import { type Address, addressText, type Io, systemCode, type Timer } from '../../base/index.ts';
import { clientSettings, type Cluster, makeCluster, Producer } from '../../client/index.ts';
import type { Log } from '../../log/index.ts';
import { DEAD_LETTER_TOPIC } from '../dead-letter-topic.ts';
import { demoEvent } from './events.ts';
import { HecReceiver } from './hec-receiver.ts';

export const DEMO_TOKEN = 'demo-token';
export const DEMO_TOPIC = 'ocsf-events';
/** Where Splunk's collectors listen; free ports when these are taken. */
const RECEIVER_PORTS = [8088, 8089];
const SEED = 20_260_731;
const EVENTS_PER_SECOND = 2_000;
const SLICE_MS = 50;
/** The second collector is busy for the last part of each period. */
export const FAULT_PERIOD_MS = 30_000;
export const FAULT_MS = 8_000;

/**
 * The topics live equally long, so that journal files die as a whole: six minutes, about 450 MB, and never more than half a
 * GiB each. With files that are not yet sealed or unlinked all of it stays below 1 GiB.
 */
const RETENTION: ReadonlyMap<string, string> = new Map([
  ['retention.ms', '360000'],
  ['retention.bytes', String(512 * 1024 * 1024)],
]);

export class Demo {
  readonly receivers: readonly HecReceiver[];
  private readonly io: Io;
  private cluster: Cluster | undefined;
  private producer: Producer | undefined;
  private timer: Timer | undefined;
  private startedMs = 0;
  private first = 0;
  private sent = 0;
  /** Events acknowledged, those of earlier runs included. */
  acknowledged = 0;
  failed = 0;

  private constructor(io: Io, receivers: readonly HecReceiver[]) {
    this.io = io;
    this.receivers = receivers;
  }

  static async start(io: Io): Promise<Demo> {
    const receivers: HecReceiver[] = [];
    for (const port of RECEIVER_PORTS) receivers.push(await startReceiver(port));
    return new Demo(io, receivers);
  }

  /** Makes the topics before anybody uses them. */
  async prepare(log: Log): Promise<void> {
    for (const name of [DEMO_TOPIC, 'sign-ins', DEAD_LETTER_TOPIC]) {
      const topic = log.topic('', name);
      if (topic) await log.changeConfigs(topic, () => RETENTION);
      else await log.createTopic('', name, 1, RETENTION);
    }
    this.first = log.topic('', DEMO_TOPIC)!.partitions[0]!.syncedEnd;
    this.acknowledged = this.first;
  }

  /** Begins to produce, once the broker listens. */
  async feed(address: Address): Promise<void> {
    const properties = new Map([
      ['bootstrap.servers', addressText(address)],
      ['client.id', 'demo-generator'],
      ['linger.ms', '20'],
    ]);
    const settings = clientSettings(this.io, properties);
    this.cluster = makeCluster(this.io, settings);
    this.producer = new Producer(this.cluster, settings.producer);
    await this.producer.prepare(DEMO_TOPIC);
    this.startedMs = this.io.clock.monotonic();
    this.slice();
  }

  /** Stops producing; what was sent is acknowledged first, and the collectors take everything. */
  async quiet(): Promise<void> {
    this.timer?.cancel();
    this.timer = undefined;
    for (const receiver of this.receivers) receiver.fault = 'none';
    await this.producer?.close();
    await this.cluster?.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.receivers.map(receiver => receiver.close()));
  }

  private slice(): void {
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
      const value = Buffer.from(demoEvent(SEED, this.first++, now));
      this.producer!.append(DEMO_TOPIC, undefined, { key: null, value, timestampMs: now }, done);
    }
    this.sent = due;
    this.receivers[1]!.fault = elapsed % FAULT_PERIOD_MS > FAULT_PERIOD_MS - FAULT_MS ? 'busy' : 'none';
    this.timer = this.io.clock.after(SLICE_MS, () => this.slice());
  }
}

async function startReceiver(port: number): Promise<HecReceiver> {
  const settings = { token: DEMO_TOKEN, acknowledges: true };
  try {
    return await HecReceiver.start(settings, { host: '127.0.0.1', port });
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE') throw error;
    return HecReceiver.start(settings, { host: '127.0.0.1', port: 0 });
  }
}
