/** A broker of its own for a test: a log in a temporary directory, a free port on loopback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Address, type Io, silentLogger } from '../base/index.ts';
import { nodeIo } from '../base/io/node.ts';
import { Broker, type BrokerSettings } from '../broker/index.ts';
import { Coordination } from '../coordination/index.ts';
import { Log } from '../log/index.ts';

export interface TestBroker {
  readonly io: Io;
  readonly log: Log;
  readonly coordination: Coordination;
  readonly broker: Broker;
  readonly address: Address;
  readonly directory: string;
  close(): Promise<void>;
}

export async function startTestBroker(settings: Partial<BrokerSettings> = {}): Promise<TestBroker> {
  const io = nodeIo();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-broker-'));
  const log = await Log.open(io, { directory });
  const coordination = new Coordination(io, log, { initialRebalanceDelayMs: 50 });
  const broker = new Broker({ io, log, coordination, logger: silentLogger, settings });
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
