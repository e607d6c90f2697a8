/** The Kafka server: listeners, connections, and what handlers share. */
import { type Address, type Arena, type Connection, type Io, type Logger, MillraceError } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import type { Log } from '../log/index.ts';
import { ClientConnection } from './connection.ts';
import { brokerErrors } from './errors.ts';
import type { BrokerCounters, BrokerServices, BrokerSettings } from './handler.ts';
import { handlers } from './handlers/index.ts';
import { BrokerListener, type ListenerReport, type ListenerSettings } from './listener.ts';
import { AnswerBuffers } from './answer-buffers.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { ClientMemory } from './memory.ts';
import { ParseFormats } from './parse-formats.ts';
import { type Refusal, Refusals } from './refusals.ts';
import { Security } from './security/security.ts';
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

export class Broker {
  private readonly services: BrokerServices;
  private readonly listeners: BrokerListener[] = [];
  private readonly connections = new Set<ClientConnection>();
  readonly counters: BrokerCounters = {
    connections: 0,
    requests: 0,
    producedBytes: 0,
    producedBatches: 0,
    fetchedBytes: 0,
    authenticated: 0,
    authenticationsFailed: 0,
    sessionsExpired: 0,
  };

  constructor(parts: {
    readonly io: Io;
    readonly arena?: Arena;
    readonly log: Log;
    readonly coordination: Coordination;
    readonly logger: Logger;
    /** Default: nobody is known, and everybody may everything. */
    readonly security?: Security;
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
      security: parts.security ?? new Security(io, log),
      parseFormats: new ParseFormats(log),
      refusals: new Refusals(logger, () => io.clock.now()),
      buffers: new AnswerBuffers(),
      fetchSessions: new FetchSessions(io.clock, io.random),
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
    const { io, logger, refusals, security } = this.services;
    const listener: BrokerListener = await BrokerListener.open({
      io,
      logger,
      security,
      counters: this.counters,
      settings,
      onConnection: connection => this.accept(listener, connection),
      onRefused: (host, error) => refusals.add({ id: '', host, software: '' }, error),
    });
    this.listeners.push(listener);
    return listener.address;
  }

  listenerReports(): readonly ListenerReport[] {
    return this.listeners.map(({ report }) => report);
  }

  get openConnections(): number {
    return this.connections.size;
  }

  refusals(): readonly Refusal[] {
    return this.services.refusals.list();
  }

  /** Of answers that wait for their clients to read them. */
  get unreadBytes(): number {
    return this.services.memory.answerBytes;
  }

  /** Of requests that are being received or done. */
  get requestBytes(): number {
    return this.services.memory.requestBytes;
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

  private accept(listener: BrokerListener, connection: Connection): void {
    this.counters.connections++;
    try {
      this.expectRoom();
      const identity = listener.identityOf(connection);
      const onGone = (gone: ClientConnection): void => {
        this.connections.delete(gone);
      };
      const client = new ClientConnection(this.services, { connection, listener, identity, onGone });
      this.connections.add(client);
      client.start();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.services.refusals.add({ id: '', host: connection.remote.host, software: '' }, error);
      connection.destroy();
    }
  }

  private expectRoom(): void {
    const count = this.connections.size + 1;
    const limit = this.services.settings.connectionsMax;
    if (count > limit) throw brokerErrors.tooManyConnections({ count, limit });
  }
}
