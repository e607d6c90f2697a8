/** The Kafka server: listeners, connections, and what handlers share. */
import type { Address, Arena, Io, Listener, Logger, TlsOptions } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import type { Log } from '../log/index.ts';
import { ClientConnection } from './connection.ts';
import type { BrokerCounters, BrokerServices, BrokerSettings } from './handler.ts';
import { handlers } from './handlers/index.ts';
import { type Refusal, Refusals } from './refusals.ts';

export const BROKER_DEFAULTS: BrokerSettings = {
  nodeId: 1,
  advertisedHost: undefined,
  requestBytesMax: 104_857_600,
  fetchBytesMax: 57_671_680,
  idleMs: 600_000,
  autoCreateTopics: true,
  defaultPartitions: 1,
  topicDefaults: new Map(),
};

export interface ListenerSettings {
  readonly address: Address;
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
    this.services = {
      io,
      arena: parts.arena,
      log,
      coordination,
      logger,
      settings: { ...BROKER_DEFAULTS, ...parts.settings },
      refusals: new Refusals(logger, () => io.clock.now()),
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
        const client = new ClientConnection(this.services, connection, gone => this.connections.delete(gone));
        this.connections.add(client);
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

  /** Stops accepting and ends all connections with FIN. */
  async close(): Promise<void> {
    const closed = Promise.all(this.listeners.map(listener => listener.close()));
    for (const connection of this.connections) connection.close();
    await closed;
  }
}
