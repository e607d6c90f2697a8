/** A broker of its own for a test: a log in a temporary directory, a free port on loopback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Arena, type Io, type Logger, silentLogger } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import { Broker, consumerFormats, type BrokerSettings, type Security } from '../broker/index.ts';
import { Coordination, type CoordinationSettings } from '../coordination/index.ts';
import { Log, type LogSettings } from '../log/index.ts';

export interface TestBroker {
  readonly io: Io;
  readonly log: Log;
  readonly coordination: Coordination;
  readonly broker: Broker;
  readonly address: Address;
  readonly directory: string;
  close(): Promise<void>;
}

/** What a test does not want as it is in a process of its own. */
export interface TestBrokerParts {
  readonly io?: Io;
  readonly logger?: Logger;
  readonly arena?: Arena;
  readonly log?: Partial<LogSettings>;
  readonly security?: (log: Log) => Promise<Security>;
  readonly coordination?: Partial<CoordinationSettings>;
}

export async function startTestBroker(
  settings: Partial<BrokerSettings> = {},
  parts: TestBrokerParts = {},
): Promise<TestBroker> {
  const { arena, io = nodeIo(), logger = silentLogger } = parts;
  const directory = mkdtempSync(join(tmpdir(), 'millrace-broker-'));
  const log = await Log.open(io, { directory, ...parts.log });
  const coordination = new Coordination(
    io,
    log,
    { initialRebalanceDelayMs: 50, ...parts.coordination },
    consumerFormats,
  );
  const security = await parts.security?.(log);
  const optional = { ...(arena && { arena }), ...(security && { security }) };
  const broker = new Broker({ io, ...optional, log, coordination, logger, settings });
  const address = await broker.listen({ address: { host: '127.0.0.1', port: 0 } });
  return {
    io,
    log,
    coordination,
    broker,
    address,
    directory,
    close: async () => {
      await broker.close();
      await log.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
