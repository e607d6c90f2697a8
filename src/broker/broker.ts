/** The Kafka server: listeners, connections, and what handlers share. */
import type { Address, Arena, Connection, Io, Listener, Logger, TlsOptions } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import type { Log } from '../log/index.ts';
import { ClientConnection } from './connection.ts';
import { brokerErrors } from './errors.ts';
import type { BrokerCounters, BrokerServices, BrokerSettings } from './handler.ts';
import { handlers } from './handlers/index.ts';
import { ClientMemory } from './memory.ts';
import { type Refusal, Refusals } from './refusals.ts';
import { TopicMaker } from './topic-maker.ts';

export const BROKER_DEFAULTS: BrokerSettings = {
  nodeId: 1,
  requestBytesMax: 104_857_600,
  fetchBytesMax: 57_671_680,
  requestMemoryBytes: 256 * 1024 * 1024,
  answerMemoryBytes: 256 * 1024 * 1024,
  connectionsMax: 10_000,
  idleMs: 600_000,
  autoCreateTopics: true,
  defaultPartitions: 1,
  partitionsMax: 100_000,
};

export interface ListenerSettings {
  readonly address: Address;
  /** Where clients are told to connect to; what is missing is the address that a client reached. */
  readonly advertised?: Partial<Address>;
  /** Present on TLS listeners. */
  readonly tls?: TlsOptions;
}

export class Broker {
  private readonly services: BrokerServices;
  private readonly listeners: Listener[] = [];
  private readonly connections = new Set<ClientConnection>();
  readonly counters: BrokerCounters = {
    connections: 0,
    requests: 0,
    producedBytes: 0,
    producedBatches: 0,
    fetchedBytes: 0,
  };

  constructor(parts: {
    readonly io: Io;
    readonly arena?: Arena;
    readonly log: Log;
    readonly coordination: Coordination;
    readonly logger: Logger;
    readonly settings?: Partial<BrokerSettings>;
  }) {
    const { coordination, io, log, logger } = parts;
    const settings = { ...BROKER_DEFAULTS, ...parts.settings };
    this.services = {
      io,
      arena: parts.arena,
      log,
      coordination,
      logger,
      settings,
      refusals: new Refusals(logger, () => io.clock.now()),
      memory: new ClientMemory({
        requestBytesMax: settings.requestMemoryBytes,
        answerBytesMax: settings.answerMemoryBytes,
      }),
      topicMaker: new TopicMaker(log, settings),
      handlers: new Map(handlers.map(handler => [handler.api.key, handler])),
      counters: this.counters,
    };
  }

  /** Opens a listener; port 0 takes a free one. Returns where it listens. */
  async listen(settings: ListenerSettings): Promise<Address> {
    const listener = await this.services.io.network.listen(settings.address, {
      ...(settings.tls && { tls: settings.tls }),
      onConnection: connection => {
        this.counters.connections++;
        if (this.isFull(connection)) return;
        const { advertised } = settings;
        const onGone = (gone: ClientConnection): void => {
          this.connections.delete(gone);
        };
        const client = new ClientConnection(this.services, { connection, advertised, onGone });
        this.connections.add(client);
        client.start();
      },
    });
    this.listeners.push(listener);
    return listener.address;
  }

  get openConnections(): number {
    return this.connections.size;
  }

  refusals(): readonly Refusal[] {
    return this.services.refusals.list();
  }

  get refusedCount(): number {
    return this.services.refusals.total;
  }

  /** Stops accepting and ends all connections with FIN. */
  async close(): Promise<void> {
    const closed = Promise.all(this.listeners.map(listener => listener.close()));
    for (const connection of this.connections) connection.close();
    await closed;
  }

  private isFull(connection: Connection): boolean {
    const { refusals, settings } = this.services;
    const count = this.connections.size + 1;
    const limit = settings.connectionsMax;
    if (count <= limit) return false;
    refusals.add(
      { id: '', host: connection.remote.host, software: '' },
      brokerErrors.tooManyConnections({ count, limit }),
    );
    connection.destroy();
    return true;
  }
}
