/** What commands over the Kafka protocol share: flags, and a cluster for as long as the command takes. They work with any cluster. */
import type { Cluster } from '../client/index.ts';
import { type ErrorFactory, type Io, MillraceError } from '../base/index.ts';
import { type Flag, keyValue } from './command.ts';
import { note } from './output.ts';
import { cliErrors } from './errors.ts';
import { readInput, readText } from './files.ts';

export interface KafkaOptions {
  readonly brokers?: string;
  readonly property?: readonly (readonly [string, string])[];
  readonly properties?: string;
}

export const kafkaFlags: readonly Flag[] = [
  { flags: '-b, --brokers <host:port,...>', text: 'Kafka brokers (default: the running process, else 127.0.0.1:9092)' },
  {
    flags: '-X, --property <name=value>',
    text: "a client property by librdkafka's name, such as security.protocol=ssl",
    parse: keyValue,
    isList: true,
  },
  {
    flags: '--properties <file>',
    text: 'client properties, one name=value a line, - for standard input; the place for passwords',
  },
];

export async function withCluster<T>(options: KafkaOptions, use: (cluster: Cluster, io: Io) => Promise<T>): Promise<T> {
  const [{ nodeIo }, { clientErrors, clientSettings, makeCluster, noteOn }, { runningBroker }, { clientProperties }] =
    await Promise.all([
      import('../base/io/node.ts'),
      import('../client/index.ts'),
      import('./running.ts'),
      import('./client-properties.ts'),
    ]);
  const io = nodeIo();
  const brokers = options.brokers ?? (await runningBroker(io.files));
  const sources = {
    environment: process.env,
    readText: (file: string) => readText(io.files, file),
  };
  const { properties: file } = options;
  const text = file === undefined ? '' : file === '-' ? await readInput() : sources.readText(file);
  const given = clientProperties(sources, { file: file ?? '', text }, options.property ?? []);
  const properties = new Map([...(brokers === undefined ? [] : [['bootstrap.servers', brokers] as const]), ...given]);
  for (const [name, value] of properties) {
    const reason = noteOn(name, value);
    if (reason !== undefined) note(`note: property ${name} has no effect: ${reason}`);
  }
  const cluster = makeCluster(
    io,
    checked(() => clientSettings(io, properties), clientErrors.badProperty),
  );
  try {
    return await use(cluster, io);
  } finally {
    await cluster.close();
  }
}

/** A property that cannot be taken is wrong usage here. */
function checked<T>(make: () => T, badProperty: ErrorFactory): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MillraceError) || error.row !== badProperty.row) throw error;
    const { name, reason, value } = error.details;
    throw cliErrors.badValue({ flag: `property ${String(name)}`, value, reason }, error);
  }
}
